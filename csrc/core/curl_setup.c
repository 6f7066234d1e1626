/*
** What one exchange needs, against what its handle had last: usually the same headers, method and origin,
** and another path. Of what libcurl adds by itself only Host and Content-Length go out.
*/
#include <string.h>

#include "ascii.h"
#include "curl_parts.h"
#include "memory.h"
#include "url.h"

/* With the default a gigabyte takes more than twice as long; with four times as much as this it is no faster. */
#define BULK_READ_SIZE 131072L

static enum mr_kind no_memory(struct mr_error *error) {
  mr_fail(error, MR_LIMIT, "out of memory for the request");
  return MR_LIMIT;
}

/* ---- the target ---- */

/* The request line's target goes as it was given: a path set through libcurl's URL handle would come back
** with other letter case in its escapes. */
static enum mr_kind set_target(struct mr_curl_handle *handle, struct mr_error *error) {
  const struct mr_exchange *x = handle->x;
  size_t skip = handle->origin->forwarded ? 0 : handle->origin->size;
  const char *rest = x->url + skip;
  size_t size = x->url_size - skip;
  bool slash = size == 0 || *rest == '?';
  struct mr_buffer *target = &handle->target;
  if (!slash && size == target->size && memcmp(rest, target->data, size) == 0) return MR_NONE;
  mr_buffer_clear(target);
  if (slash && mr_buffer_byte(target, '/')) return no_memory(error);
  if (size > 0 && mr_buffer_append(target, rest, size)) return no_memory(error);
  if (curl_easy_setopt(handle->easy, CURLOPT_REQUEST_TARGET, target->data)) {
    mr_buffer_clear(target);
    return no_memory(error);
  }
  return MR_NONE;
}

/* ---- headers ---- */

static bool has_name(const char *line, const char *name) {
  size_t size = strlen(name);
  return strlen(line) > size && line[size] == ':' && mr_ascii_same(line, size, name, size);
}

static bool has_line(const struct mr_buffer *headers, const char *name) {
  for (const char *line = mr_buffer_string(headers); *line; line += strlen(line) + 1)
    if (has_name(line, name)) return true;
  return false;
}

static size_t count_lines(const struct mr_buffer *headers) {
  size_t count = 0;
  for (const char *line = mr_buffer_string(headers); *line; line += strlen(line) + 1)
    count++;
  return count;
}

/* For libcurl "Name:" removes a header of its own; an empty one is written "Name;". */
static void mark_empty(char *line) {
  char *colon = strchr(line, ':');
  if (!colon || colon[1 + strspn(colon + 1, " \t")]) return;
  colon[0] = ';';
  colon[1] = '\0';
}

static bool reserve_lines(struct mr_curl_handle *handle, size_t count) {
  if (count <= handle->line_capacity) return true;
  struct curl_slist *lines = mr_realloc(handle->lines, count * sizeof *lines);
  if (!lines) return false;
  handle->lines = lines;
  handle->line_capacity = count;
  return true;
}

/* Two lists in one: from the start for a request with a body, from 'body_lines' on for one without. */
static enum mr_kind build_lines(struct mr_curl_handle *handle) {
  const struct mr_buffer *headers = &handle->headers;
  size_t count = 0;
  if (!reserve_lines(handle, count_lines(headers) + 4)) return MR_LIMIT;
  struct curl_slist *lines = handle->lines;
  if (!has_line(headers, "Expect")) lines[count++].data = "Expect:";
  if (!has_line(headers, "Content-Type")) lines[count++].data = "Content-Type:";
  handle->body_lines = count;
  if (!has_line(headers, "Accept")) lines[count++].data = "Accept:";
  if (!has_line(headers, "Accept-Encoding"))
    lines[count++].data = "Accept-Encoding: " MR_DECODER_OFFER;
  size_t size;
  for (char *line = headers->data; *line; line += size + 1) {
    size = strlen(line);
    mark_empty(line);
    lines[count++].data = line;
  }
  for (size_t i = 0; i < count; i++)
    lines[i].next = i + 1 < count ? &lines[i + 1] : NULL;
  handle->line_count = count;
  return MR_NONE;
}

/* A block with an empty header never compares equal to its copy, where it is marked: it is built anew. */
static bool has_headers(const struct mr_curl_handle *handle) {
  const struct mr_exchange *x = handle->x;
  const struct mr_buffer *headers = &handle->headers;
  return handle->line_count > 0 && headers->size == x->headers_size + 1 &&
         (x->headers_size == 0 || memcmp(x->headers, headers->data, x->headers_size) == 0);
}

static enum mr_kind copy_headers(struct mr_curl_handle *handle) {
  const struct mr_exchange *x = handle->x;
  struct mr_buffer *headers = &handle->headers;
  handle->line_count = 0;
  mr_buffer_clear(headers);
  if (x->headers_size > 0 && mr_buffer_append(headers, x->headers, x->headers_size))
    return MR_LIMIT;
  if (mr_buffer_byte(headers, '\0')) return MR_LIMIT;
  return build_lines(handle);
}

static enum mr_kind set_headers(struct mr_curl_handle *handle, struct mr_error *error) {
  if (!has_headers(handle) && copy_headers(handle)) return no_memory(error);
  bool body = handle->form == MR_FORM_MEMORY || handle->form == MR_FORM_STREAM;
  size_t first = body ? 0 : handle->body_lines;
  struct curl_slist *list = first < handle->line_count ? &handle->lines[first] : NULL;
  if (list != handle->list) curl_easy_setopt(handle->easy, CURLOPT_HTTPHEADER, list);
  handle->list = list;
  return MR_NONE;
}

/* ---- method and body ---- */

static bool wants_body(const char *method) {
  return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0;
}

/* A method that is meant to carry something says "Content-Length: 0" without a body (RFC 9110 section 8.6). */
static enum mr_curl_form form_of(const struct mr_exchange *x) {
  if (x->body_size > 0) return x->body ? MR_FORM_MEMORY : MR_FORM_STREAM;
  if (x->body_size == 0 || wants_body(x->method)) return MR_FORM_MEMORY;
  return strcmp(x->method, "HEAD") == 0 ? MR_FORM_HEAD : MR_FORM_GET;
}

static void set_form(struct mr_curl_handle *handle, enum mr_curl_form form) {
  static const char *const implied[] = {"GET", "HEAD", "POST", "PUT"};
  CURL *easy = handle->easy;
  const char *method = handle->x->method;
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  if (form == MR_FORM_HEAD) curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (form == MR_FORM_MEMORY) curl_easy_setopt(easy, CURLOPT_POST, 1L);
  if (form == MR_FORM_STREAM) curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, strcmp(method, implied[form]) == 0 ? NULL : method);
  memcpy(handle->method, method, strlen(method) + 1);
  handle->form = form;
}

static void set_body(struct mr_curl_handle *handle) {
  const struct mr_exchange *x = handle->x;
  curl_off_t size = x->body_size > 0 ? (curl_off_t)x->body_size : 0;
  if (handle->form == MR_FORM_MEMORY) {
    curl_easy_setopt(handle->easy, CURLOPT_POSTFIELDSIZE_LARGE, size);
    curl_easy_setopt(handle->easy, CURLOPT_POSTFIELDS, size > 0 ? x->body : "");
  } else if (handle->form == MR_FORM_STREAM) {
    curl_easy_setopt(handle->easy, CURLOPT_INFILESIZE_LARGE, size);
  }
}

static enum mr_kind set_method(struct mr_curl_handle *handle, struct mr_error *error) {
  const struct mr_exchange *x = handle->x;
  enum mr_curl_form form = form_of(x);
  if (strlen(x->method) >= sizeof handle->method)
    return mr_fail(error, MR_DECODE, "the method '%.40s' is longer than %d characters", x->method,
                   (int)sizeof handle->method - 1);
  if (form != MR_FORM_HEAD && strcmp(x->method, "HEAD") == 0)
    return mr_fail(error, MR_DECODE, "a HEAD request cannot carry a body");
  if (form != handle->form || strcmp(x->method, handle->method) != 0) set_form(handle, form);
  set_body(handle);
  return MR_NONE;
}

/* ---- the rest ---- */

/* Zero is libcurl's own default, five minutes. It divides the time among the addresses of a host. */
static void set_connect_timeout(struct mr_curl_handle *handle, int64_t timeout_us) {
  long ms = 0;
  if (timeout_us > 0 && timeout_us / MR_MILLISECOND < INT32_MAX)
    ms = (long)((timeout_us + MR_MILLISECOND - 1) / MR_MILLISECOND);
  if (ms == handle->connect_timeout_ms) return;
  handle->connect_timeout_ms = ms;
  curl_easy_setopt(handle->easy, CURLOPT_CONNECTTIMEOUT_MS, ms);
}

void mr_curl_setup_patience(struct mr_curl_handle *handle, int64_t waited_us) {
  int64_t timeout_us = handle->x->connect_timeout_us;
  if (timeout_us <= 0 || waited_us <= 0) return;
  set_connect_timeout(handle, waited_us < timeout_us ? timeout_us - waited_us : 1);
}

static void set_read_size(struct mr_curl_handle *handle) {
  if (handle->x->bulk == handle->bulk) return;
  handle->bulk = handle->x->bulk;
  curl_easy_setopt(handle->easy, CURLOPT_BUFFERSIZE,
                   handle->bulk ? BULK_READ_SIZE : MR_CURL_READ_SIZE);
}

static void set_connect_only(struct mr_curl_handle *handle) {
  if (handle->x->connects_only == handle->connects_only) return;
  handle->connects_only = handle->x->connects_only;
  curl_easy_setopt(handle->easy, CURLOPT_CONNECT_ONLY, handle->connects_only ? 1L : 0L);
}

static enum mr_kind refuse_exposed(const struct mr_curl_handle *handle, struct mr_error *error) {
  if (!handle->x->has_credential || !handle->origin->exposed) return MR_NONE;
  return mr_fail(
      error, MR_AUTH,
      "a credential for %.100s would pass a proxy in clear; use https, or exempt the host "
      "with no_proxy",
      handle->origin->label);
}

enum mr_kind mr_curl_setup(struct mr_curl_handle *handle, struct mr_error *error) {
  enum mr_kind kind = mr_curl_origin_set(handle, error);
  if (!kind) kind = refuse_exposed(handle, error);
  if (!kind) kind = set_target(handle, error);
  if (!kind) kind = set_method(handle, error);
  if (!kind) kind = set_headers(handle, error);
  if (kind) return kind;
  set_connect_timeout(handle, handle->x->connect_timeout_us);
  set_read_size(handle);
  set_connect_only(handle);
  return MR_NONE;
}
