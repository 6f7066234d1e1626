#include "endpoint.h"

#include <string.h>

#include "header.h"
#include "memory.h"
#include "request.h"

#define MAX_BODY   (64u << 20)
#define METHOD_MAX 32

struct mr_endpoint *mr_endpoint_new(void) {
  struct mr_endpoint *endpoint = mr_alloc_zero(1, sizeof *endpoint);
  if (!endpoint) return NULL;
  endpoint->references = 1;
  mr_buffer_init(&endpoint->headers, MR_REQUEST_HEADERS_MAX);
  endpoint->repeat = MR_REPEAT_NEVER;
  endpoint->retry = mr_retry_default;
  endpoint->max_body = MAX_BODY;
  endpoint->max_redirects = 5;
  endpoint->connect_timeout_us = 10 * MR_SECOND;
  endpoint->idle_timeout_us = 30 * MR_SECOND;
  endpoint->timeout_us = 60 * MR_SECOND;
  endpoint->max_wait_us = 3600 * MR_SECOND;
  return endpoint;
}

struct mr_endpoint *mr_endpoint_hold(struct mr_endpoint *endpoint) {
  endpoint->references++;
  return endpoint;
}

static void credential_free(struct mr_credential *credential) {
  mr_free(credential->header);
  mr_free(credential->query);
  mr_free(credential->prefix);
  mr_secret_release(credential->secret);
}

void mr_endpoint_release(struct mr_endpoint *endpoint) {
  if (!endpoint || --endpoint->references > 0) return;
  while (endpoint->spare) {
    struct mr_request *request = endpoint->spare;
    endpoint->spare = request->next;
    mr_request_discard(request);
  }
  for (uint32_t i = 0; i < endpoint->credential_count; i++)
    credential_free(&endpoint->credentials[i]);
  for (uint32_t i = 0; i < endpoint->bucket_count; i++)
    mr_bucket_release(endpoint->buckets[i]);
  mr_buffer_free(&endpoint->headers);
  mr_free(endpoint->method);
  mr_free(endpoint->base);
  mr_free(endpoint);
}

static enum mr_kind no_memory(struct mr_error *error) {
  return mr_fail(error, MR_LIMIT, "out of memory while an operation was prepared");
}

enum mr_kind mr_endpoint_target(struct mr_endpoint *endpoint, const char *method, const char *base,
                                size_t base_size, struct mr_error *error) {
  size_t method_size = strlen(method);
  if (method_size == 0 || method_size > METHOD_MAX || !mr_header_name_ok(method, method_size))
    return mr_fail(error, MR_DECODE, "'%.32s' is not an HTTP method", method);
  while (base_size > 0 && base[base_size - 1] == '/')
    base_size--;
  endpoint->method = mr_duplicate(method, method_size);
  endpoint->base = mr_duplicate(base, base_size);
  if (!endpoint->method || !endpoint->base) return no_memory(error);
  endpoint->base_size = base_size;
  enum mr_kind kind = mr_url_parse(endpoint->base, base_size, &endpoint->base_url, error);
  if (kind) return kind;
  if (endpoint->base_url.has_query)
    return mr_fail(error, MR_DECODE, "the base URL must not have a query");
  if (!endpoint->base_url.https && !endpoint->insecure_http && !endpoint->route->unix_socket &&
      !mr_url_is_loopback(&endpoint->base_url))
    return mr_fail(error, MR_AUTH,
                   "plain http to %.*s would show the credential to the network; use https, or "
                   "insecure_http = true",
                   (int)endpoint->base_url.host.size, endpoint->base_url.host.data);
  return MR_NONE;
}

enum mr_kind mr_endpoint_header(struct mr_endpoint *endpoint, const char *line, size_t size,
                                struct mr_error *error) {
  if (!mr_header_line_ok(line, size))
    return mr_fail(error, MR_DECODE,
                   "a header must be 'Name: value' without control characters; refused %.*s",
                   (int)strcspn(line, ":\r\n"), line);
  enum mr_kind kind = mr_buffer_append(&endpoint->headers, line, size);
  if (!kind) kind = mr_buffer_byte(&endpoint->headers, '\0');
  if (kind == MR_LIMIT) return no_memory(error);
  if (kind)
    return mr_fail(error, kind, "the request headers exceed %d bytes", MR_REQUEST_HEADERS_MAX);
  return MR_NONE;
}

enum mr_kind mr_endpoint_credential(struct mr_endpoint *endpoint, const char *header,
                                    const char *query, const char *prefix, struct mr_secret *secret,
                                    struct mr_error *error) {
  if (endpoint->credential_count == MR_ENDPOINT_CREDENTIALS)
    return mr_fail(error, MR_LIMIT, "an operation sends at most %d credentials",
                   MR_ENDPOINT_CREDENTIALS);
  if (header && !mr_header_name_ok(header, strlen(header)))
    return mr_fail(error, MR_DECODE, "'%.64s' is not a header name", header);
  struct mr_credential *credential = &endpoint->credentials[endpoint->credential_count++];
  credential->secret = mr_secret_hold(secret);
  credential->header = header ? mr_duplicate(header, strlen(header)) : NULL;
  credential->query = query ? mr_duplicate(query, strlen(query)) : NULL;
  credential->prefix = mr_duplicate(prefix ? prefix : "", prefix ? strlen(prefix) : 0);
  if ((header && !credential->header) || (query && !credential->query) || !credential->prefix)
    return no_memory(error);
  return MR_NONE;
}
