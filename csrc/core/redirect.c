#include "redirect.h"

#include <string.h>

#include "ascii.h"
#include "url.h"

#define MOST_SHOWN 120 /* bytes of an address in a message, which has room for twice as many */

bool mr_redirect_is(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool reads(const char *method) {
  return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* The address is told without its query, where signatures and tokens are. */
static enum mr_kind refuse(const struct mr_request *request, const struct mr_buffer *target,
                           const char *reason, struct mr_error *error) {
  const char *query = memchr(target->data, '?', target->size);
  size_t size = query ? (size_t)(query - target->data) : target->size;
  bool cut = size > MOST_SHOWN;
  return mr_fail(error, MR_REDIRECT, "%d redirect to %.*s%s not followed: %s", request->status,
                 (int)(cut ? MOST_SHOWN : size), target->data, cut ? "..." : "", reason);
}

/* A write goes on only where the server says "there, with the same method" and stays at home. */
static const char *objection(const struct mr_request *request, const struct mr_url *from,
                             const struct mr_url *to) {
  bool foreign = !mr_url_same_origin(from, to);
  if (from->https && !to->https) return "it leads from https to plain http";
  if (!to->https && foreign && !request->endpoint->insecure_http && !mr_url_is_loopback(to))
    return "it leads to plain http";
  if (reads(request->method) || request->status == 303) return NULL;
  if (foreign) return "it would send a write to another origin";
  if (request->status == 301 || request->status == 302)
    return "it would turn a write into a read; use the new address";
  return NULL;
}

/* What describes a body goes with it. 'lines' end in a NUL each. */
static void drop_content_lines(struct mr_buffer *lines) {
  size_t kept = 0;
  for (size_t at = 0; at < lines->size;) {
    const char *line = lines->data + at;
    size_t size = strlen(line) + 1;
    at += size;
    if (mr_ascii_begins(line, "Content-", 8)) continue;
    memmove(lines->data + kept, line, size);
    kept += size;
  }
  lines->size = kept;
}

static void become_get(struct mr_request *request) {
  if (request->status != 303 || reads(request->method)) return;
  drop_content_lines(&request->extra);
  request->method = "GET";
  request->has_body = false;
  request->has_upload = false;
  request->repeat = MR_REPEAT_SAFE;
}

static enum mr_kind turn(struct mr_request *request, const struct mr_buffer *target,
                         struct mr_error *error) {
  struct mr_url from, to;
  enum mr_kind kind = mr_url_parse(target->data, target->size, &to, error);
  if (!kind) kind = mr_url_parse(request->url.data, request->url.size, &from, error);
  if (kind) return MR_REDIRECT;
  const char *reason = objection(request, &from, &to);
  if (reason) return refuse(request, target, reason, error);
  if (!mr_url_same_origin(&request->endpoint->base_url, &to)) request->foreign = true;
  become_get(request);
  mr_buffer_clear(&request->url);
  kind = mr_buffer_append(&request->url, target->data, target->size);
  if (!kind) kind = mr_request_query_credentials(request);
  if (kind) return mr_fail(error, kind, "the redirect's URL does not fit in memory");
  return MR_NONE;
}

enum mr_kind mr_redirect_turn(struct mr_request *request, struct mr_error *error) {
  if (++request->redirects > request->endpoint->max_redirects)
    return mr_fail(error, MR_REDIRECT,
                   "more than %u redirects; is the server sending them in a circle?",
                   (unsigned)request->endpoint->max_redirects);
  struct mr_slice location = mr_headers_get(&request->headers, "Location");
  if (!location.data || location.size == 0)
    return mr_fail(error, MR_REDIRECT, "a %d redirect without a Location header", request->status);
  struct mr_buffer target;
  mr_buffer_init(&target, MR_URL_MAX);
  enum mr_kind kind = mr_url_resolve(request->url.data, request->url.size, location.data,
                                     location.size, &target, error);
  if (kind) {
    struct mr_error reason = error ? *error : (struct mr_error){0};
    kind =
        mr_fail(error, MR_REDIRECT, "%d redirect not followed: its Location makes no sense: %.160s",
                request->status, reason.message);
  } else {
    kind = turn(request, &target, error);
  }
  if (kind == MR_REDIRECT && error) error->kind = MR_REDIRECT;
  mr_buffer_free(&target);
  return kind;
}
