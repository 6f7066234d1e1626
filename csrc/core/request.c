#include "request.h"

#include <stddef.h>
#include <string.h>

#include "ascii.h"
#include "engine.h"
#include "memory.h"

static const char *const state_names[] = {
    "new",     "throttled", "sending", "receiving", "receiving",
    "waiting", "renewing",  "done",    "failed",    "cancelled",
};

const char *mr_state_name(enum mr_state state) {
  return state_names[state];
}

#define SPARE_REQUESTS 256   /* kept by an endpoint: as many as usually fly at once */
#define SPARE_BYTES    65536 /* larger buffers are not worth keeping */

static struct mr_request *make(void) {
  struct mr_request *request = mr_alloc_zero(1, sizeof *request);
  if (!request) return NULL;
  mr_buffer_init(&request->url, MR_URL_MAX);
  mr_buffer_init(&request->extra, MR_REQUEST_HEADERS_MAX);
  mr_buffer_init(&request->head, MR_REQUEST_HEADERS_MAX);
  mr_buffer_init(&request->body, SIZE_MAX / 4);
  mr_buffer_init(&request->answer, SIZE_MAX / 4);
  mr_headers_init(&request->headers);
  request->head.secret = request->extra.secret = true;
  return request;
}

static struct mr_request *take_spare(struct mr_endpoint *endpoint) {
  struct mr_request *request = endpoint->spare;
  if (!request) return make();
  endpoint->spare = request->next;
  endpoint->spare_count--;
  return request;
}

struct mr_request *mr_request_new(struct mr_endpoint *endpoint) {
  struct mr_request *request = take_spare(endpoint);
  if (!request) return NULL;
  memset(request, 0, offsetof(struct mr_request, url));
  request->endpoint = mr_endpoint_hold(endpoint);
  request->method = endpoint->method;
  request->repeat = endpoint->repeat;
  request->attempts_max = endpoint->retry.attempts;
  request->timeout_us = MR_NEVER;
  request->max_wait_us = endpoint->max_wait_us;
  request->max_body = endpoint->max_body;
  request->answer.limit = (size_t)endpoint->max_body;
  request->expected = -1;
  request->retry_after_us = -1;
  return request;
}

void mr_request_discard(struct mr_request *request) {
  mr_buffer_free(&request->url);
  mr_buffer_free(&request->extra);
  mr_buffer_free(&request->head);
  mr_buffer_free(&request->body);
  mr_buffer_free(&request->answer);
  mr_headers_free(&request->headers);
  mr_free(request);
}

/* Empty for the next one: what was secret is wiped, what was large is given back. */
static void rinse(struct mr_buffer *buffer) {
  if (buffer->secret || buffer->capacity > SPARE_BYTES)
    mr_buffer_free(buffer);
  else
    mr_buffer_clear(buffer);
}

static void keep_or_discard(struct mr_request *request) {
  struct mr_endpoint *endpoint = request->endpoint;
  if (endpoint->spare_count == SPARE_REQUESTS || endpoint->references == 1) {
    mr_request_discard(request);
    return;
  }
  rinse(&request->url);
  rinse(&request->body);
  rinse(&request->answer);
  request->url.secret = request->body.secret = false;
  if (request->extra.size > 0) mr_buffer_free(&request->extra);
  mr_buffer_clear(&request->head);
  mr_headers_clear(&request->headers);
  request->next = endpoint->spare;
  endpoint->spare = request;
  endpoint->spare_count++;
}

bool mr_request_allow(struct mr_request *request, size_t size) {
  struct mr_allowance *allowance = request->allowance;
  if (!allowance || request->stream) return true;
  uint64_t left = allowance->used < allowance->limit ? allowance->limit - allowance->used : 0;
  if (allowance->limit > 0 && size > left) return false;
  allowance->used += size;
  request->allowed += size;
  return true;
}

static void disallow(struct mr_request *request) {
  if (request->allowance) request->allowance->used -= request->allowed;
  request->allowed = 0;
}

void mr_request_forget_answer(struct mr_request *request) {
  request->status = 0;
  request->received = 0;
  request->error = (struct mr_error){0};
  mr_headers_clear(&request->headers);
  rinse(&request->answer);
  disallow(request);
}

void mr_request_free(struct mr_request *request) {
  if (!request) return;
  if (request->engine) mr_engine_cancel(request->engine, request);
  disallow(request);
  mr_list_remove(request);
  for (uint32_t i = 0; i < request->own_bucket_count; i++)
    mr_bucket_release(request->own_buckets[i]);
  if (request->has_upload || request->upload.path) mr_source_free(&request->upload);
  if (request->to_file) mr_sink_free(&request->sink);
  struct mr_endpoint *endpoint = request->endpoint;
  keep_or_discard(request);
  mr_endpoint_release(endpoint);
}

void mr_list_remove(struct mr_request *request) {
  struct mr_request_list *list = request->list;
  if (!list) return;
  if (request->previous)
    request->previous->next = request->next;
  else
    list->first = request->next;
  if (request->next)
    request->next->previous = request->previous;
  else
    list->last = request->previous;
  request->previous = request->next = NULL;
  request->list = NULL;
}

void mr_list_add(struct mr_request_list *list, struct mr_request *request) {
  mr_list_remove(request);
  request->list = list;
  request->previous = list->last;
  if (list->last)
    list->last->next = request;
  else
    list->first = request;
  list->last = request;
}

bool mr_request_is_finished(const struct mr_request *request) {
  return request->state >= MR_STATE_DONE;
}

/* Whether the URL's query has a parameter of this encoded name. */
static bool has_parameter(const struct mr_buffer *url, const struct mr_buffer *name) {
  const char *end = url->data + url->size;
  const char *at = memchr(url->data, '?', url->size);
  while (at && ++at < end) {
    const char *next = memchr(at, '&', (size_t)(end - at));
    size_t size = (size_t)((next ? next : end) - at);
    bool same = size >= name->size && memcmp(at, name->data, name->size) == 0;
    if (same && (size == name->size || at[name->size] == '=')) return true;
    at = next;
  }
  return false;
}

static enum mr_kind add_parameter(struct mr_request *request,
                                  const struct mr_credential *credential, struct mr_buffer *name,
                                  struct mr_buffer *value) {
  struct mr_buffer *url = &request->url;
  enum mr_kind kind = mr_url_query(name, credential->query, strlen(credential->query));
  url->secret = true;
  if (kind || has_parameter(url, name)) return kind;
  bool more = memchr(url->data, '?', url->size);
  kind = mr_secret_append(credential->secret, credential->prefix, value);
  if (!kind) kind = mr_buffer_byte(url, more ? '&' : '?');
  if (!kind) kind = mr_buffer_append(url, name->data, name->size);
  if (!kind) kind = mr_buffer_byte(url, '=');
  return kind ? kind : mr_url_query(url, value->data, value->size);
}

enum mr_kind mr_request_query_credentials(struct mr_request *request) {
  const struct mr_endpoint *endpoint = request->endpoint;
  enum mr_kind kind = MR_NONE;
  request->bare_size = request->url.size;
  if (request->foreign) return MR_NONE;
  for (uint32_t i = 0; i < endpoint->credential_count && !kind; i++) {
    const struct mr_credential *credential = &endpoint->credentials[i];
    if (!credential->query) continue;
    struct mr_buffer name, value;
    mr_buffer_init(&name, MR_URL_MAX);
    mr_buffer_init(&value, MR_SECRET_MAX);
    value.secret = true;
    kind = add_parameter(request, credential, &name, &value);
    mr_buffer_free(&name);
    mr_buffer_free(&value);
  }
  return kind;
}

enum mr_kind mr_request_renew_query(struct mr_request *request) {
  struct mr_buffer *url = &request->url;
  if (url->size == request->bare_size) return MR_NONE;
  mr_wipe(url->data + request->bare_size, url->size - request->bare_size);
  url->size = request->bare_size;
  return mr_request_query_credentials(request);
}

enum mr_kind mr_request_no_url(enum mr_kind kind, struct mr_error *error) {
  if (kind == MR_LIMIT) return mr_fail(error, kind, "out of memory for the URL");
  return mr_fail(error, kind, "the URL is longer than %d bytes", MR_URL_MAX);
}

enum mr_kind mr_request_no_headers(enum mr_kind kind, struct mr_error *error) {
  if (kind == MR_LIMIT) return mr_fail(error, kind, "out of memory for the request headers");
  return mr_fail(error, kind, "the request headers exceed %d bytes", MR_REQUEST_HEADERS_MAX);
}

/* The caller has put the whole URL together in request->url. */
enum mr_kind mr_request_target(struct mr_request *request, bool absolute, struct mr_error *error) {
  struct mr_url url;
  enum mr_kind kind = MR_NONE;
  if (absolute) {
    kind = mr_url_parse(request->url.data, request->url.size, &url, error);
    if (kind) return kind;
    request->foreign = !mr_url_same_origin(&request->endpoint->base_url, &url);
    if (request->foreign && !url.https && !request->endpoint->insecure_http &&
        !mr_url_is_loopback(&url))
      return mr_fail(error, MR_AUTH, "plain http to another host than the server's own is refused");
  }
  kind = mr_request_query_credentials(request);
  return kind ? mr_request_no_url(kind, error) : MR_NONE;
}

enum mr_kind mr_request_bucket(struct mr_request *request, struct mr_bucket *bucket,
                               struct mr_error *error) {
  if (request->own_bucket_count == MR_TICKET_BUCKETS)
    return mr_fail(error, MR_LIMIT, "a request passes at most %d buckets", MR_TICKET_BUCKETS);
  request->own_buckets[request->own_bucket_count++] = mr_bucket_hold(bucket);
  return MR_NONE;
}

/* On another origin only these go along: anything else may be a credential of the user's making. */
static bool is_plain(const char *line) {
  static const char *const plain[] = {"Accept:", "User-Agent:", "Accept-Language:"};
  for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
    if (mr_ascii_begins(line, plain[i], strlen(plain[i]))) return true;
  return false;
}

/* The name that 'line' sets is set again in 'later': the later one wins. */
static bool is_replaced(const char *line, const struct mr_buffer *later) {
  size_t name_size = (size_t)(strchr(line, ':') - line) + 1;
  for (size_t at = 0; at < later->size; at += strlen(later->data + at) + 1)
    if (mr_ascii_begins(later->data + at, line, name_size)) return true;
  return false;
}

static enum mr_kind add_lines(struct mr_request *request, const struct mr_buffer *lines,
                              const struct mr_buffer *later) {
  enum mr_kind kind = MR_NONE;
  for (size_t at = 0; at < lines->size && !kind;) {
    const char *line = lines->data + at;
    size_t size = strlen(line) + 1;
    at += size;
    if (request->foreign && !is_plain(line)) continue;
    if (later && later->size > 0 && is_replaced(line, later)) continue;
    kind = mr_buffer_append(&request->head, line, size);
  }
  return kind;
}

static enum mr_kind add_credential(struct mr_request *request,
                                   const struct mr_credential *credential) {
  struct mr_buffer *head = &request->head;
  enum mr_kind kind = mr_buffer_text(head, credential->header);
  if (!kind) kind = mr_buffer_text(head, ": ");
  if (!kind) kind = mr_secret_append(credential->secret, credential->prefix, head);
  if (!kind) kind = mr_buffer_byte(head, '\0');
  return kind;
}

uint32_t mr_request_credential_version(const struct mr_request *request) {
  const struct mr_endpoint *endpoint = request->endpoint;
  uint32_t sum = 0; /* of numbers that only grow */
  for (uint32_t i = 0; i < endpoint->credential_count; i++)
    sum += mr_secret_version(endpoint->credentials[i].secret);
  return sum;
}

enum mr_kind mr_request_compose(struct mr_request *request, struct mr_error *error) {
  struct mr_endpoint *endpoint = request->endpoint;
  request->exchange.has_credential = false;
  request->credential_version = mr_request_credential_version(request);
  mr_buffer_clear(&request->head);
  enum mr_kind kind = add_lines(request, &endpoint->headers, &request->extra);
  if (!kind) kind = add_lines(request, &request->extra, NULL);
  for (uint32_t i = 0; i < endpoint->credential_count && !kind && !request->foreign; i++) {
    const struct mr_credential *credential = &endpoint->credentials[i];
    request->exchange.has_credential = true;
    if (mr_secret_is_closed(credential->secret))
      return mr_fail(error, MR_AUTH,
                     "not sent: the credential (%s) was refused %d times in a row; replace it",
                     mr_secret_origin(credential->secret), MR_SECRET_REFUSALS);
    if (credential->header) kind = add_credential(request, credential);
  }
  if (!kind) kind = mr_buffer_byte(&request->head, '\0');
  return kind ? mr_request_no_headers(kind, error) : MR_NONE;
}

void mr_request_note(struct mr_request *request, int64_t now_us, const char *reason,
                     int64_t wait_us) {
  if (request->note_count == MR_NOTES_MAX) return;
  request->notes[request->note_count++] = (struct mr_attempt_note){
      .status = request->status,
      .kind = request->error.kind,
      .at_us = request->attempt_us,
      .took_us = now_us - request->attempt_us,
      .wait_us = wait_us,
      .reason = reason,
  };
}
