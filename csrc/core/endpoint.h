/*
** An endpoint: one operation of one client, prepared once and called often. Reference counted (one thread at a time);
** from its first request on only the spare ones change.
*/
#ifndef MR_ENDPOINT_H
#define MR_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "limiter.h"
#include "retry.h"
#include "secret.h"
#include "transport.h"
#include "url.h"

#define MR_ENDPOINT_CREDENTIALS 4

struct mr_request;

/* A credential goes into a header, or into the query when 'query' is set. */
struct mr_credential {
  char *header;
  char *query;
  char *prefix;
  struct mr_secret *secret;
};

struct mr_endpoint {
  uint32_t references;
  const struct mr_route *route; /* outlives the endpoint: ring 2 keeps it */
  char *method;
  char *base; /* absolute URL without a final slash */
  size_t base_size;
  struct mr_url base_url;   /* slices of base */
  struct mr_buffer headers; /* "Name: value\0" lines that every request sends */
  struct mr_credential credentials[MR_ENDPOINT_CREDENTIALS];
  uint32_t credential_count;
  struct mr_bucket *buckets[MR_TICKET_BUCKETS]; /* held */
  uint32_t bucket_count;
  enum mr_repeat repeat;
  struct mr_retry_policy retry;
  uint64_t max_body;
  uint32_t max_redirects;
  int64_t connect_timeout_us, idle_timeout_us;
  int64_t timeout_us;       /* from leaving the limiter, when a call brings none */
  int64_t max_wait_us;      /* in the limiter's queue, likewise */
  bool insecure_http;       /* plain http to other than loopback */
  struct mr_request *spare; /* finished ones whose memory the next calls use; linked by 'next' */
  uint32_t spare_count;
  bool inspects; /* bodies of refusals tell when to come back: ask before deciding */
};

/* Defaults for all but method, base and route. NULL without memory. */
struct mr_endpoint *mr_endpoint_new(void);
struct mr_endpoint *mr_endpoint_hold(struct mr_endpoint *endpoint);
void mr_endpoint_release(struct mr_endpoint *endpoint); /* NULL is fine */

/* Copies. Each refuses with a message what could not be sent: a bad method, a URL that is not http(s), plain
** http to another host than this one, CR, LF or NUL in a header. */
enum mr_kind mr_endpoint_target(struct mr_endpoint *endpoint, const char *method, const char *base,
                                size_t base_size, struct mr_error *error);
enum mr_kind mr_endpoint_header(struct mr_endpoint *endpoint, const char *line, size_t size,
                                struct mr_error *error);
/* Holds 'secret'. Exactly one of header and query is given. */
enum mr_kind mr_endpoint_credential(struct mr_endpoint *endpoint, const char *header,
                                    const char *query, const char *prefix, struct mr_secret *secret,
                                    struct mr_error *error);

#endif
