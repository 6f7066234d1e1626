/*
** Response headers: kept in order, repeated fields too, found by name without
** regard to case; and the values that the library itself understands.
*/
#ifndef MR_HEADER_H
#define MR_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "url.h"

#define MR_HEADERS_MAX_BYTES 131072 /* 128 KiB, all fields together; Apache sends at most 64 KiB */
#define MR_HEADERS_MAX_COUNT 512

struct mr_field {
  uint32_t name, name_size; /* offsets into text */
  uint32_t value, value_size;
};

struct mr_headers {
  struct mr_buffer text;
  struct mr_field *fields;
  uint32_t count, capacity;
  uint64_t names; /* a bit for each name that is there; several names share one */
};

void mr_headers_init(struct mr_headers *headers);
void mr_headers_clear(struct mr_headers *headers); /* keeps the memory */
void mr_headers_free(struct mr_headers *headers);

/* One line "Name: value\r\n"; white space around the value is dropped, obsolete folding appended to the
** last field. MR_TOO_LARGE over the two maxima, MR_LIMIT without memory, MR_DECODE for what is no field. */
enum mr_kind mr_headers_add(struct mr_headers *headers, const char *line, size_t size);

/* A field that was one before, as it was: the two are not looked at. MR_TOO_LARGE and MR_LIMIT as above. */
enum mr_kind mr_headers_put(struct mr_headers *headers, struct mr_slice name,
                            struct mr_slice value);

/* The next field of that name at or after *position (start with 0), which then points behind it. */
bool mr_headers_next(const struct mr_headers *headers, const char *name, uint32_t *position,
                     struct mr_slice *value);
/* The first one; an empty slice with data NULL when absent. */
struct mr_slice mr_headers_get(const struct mr_headers *headers, const char *name);
struct mr_slice mr_headers_name(const struct mr_headers *headers, uint32_t index);
struct mr_slice mr_headers_value(const struct mr_headers *headers, uint32_t index);

/* Values. All return false for garbage, and then leave *out alone. */

/* IMF-fixdate, RFC 850 and asctime forms (RFC 9110 section 5.6.7), to microseconds since the epoch.
** Locale and time zone play no part. */
bool mr_header_date(struct mr_slice value, int64_t *out_us);

/* Retry-After: seconds (integers or, as some servers send, decimals) or a date; a delay from now, never
** negative, at most a year. 'now_wall_us' is the server's time where its Date is known. */
bool mr_header_retry_after(struct mr_slice value, int64_t now_wall_us, int64_t *out_us);

/* A non-negative decimal integer without sign, at most 2^53. */
bool mr_header_count(struct mr_slice value, int64_t *out);

/* The target of rel="next" in a Link field (RFC 8288): several links, several rels in one quoted string,
** other parameters in any order. */
bool mr_header_link(struct mr_slice value, const char *rel, struct mr_slice *target);

/* IETF RateLimit: `"name";r=50;t=30` and RateLimit-Policy: `"name";q=100;w=60`, both lists (RFC 9651 items),
** as well as the older draft's `limit=100, remaining=50, reset=30`. Calls visit() per item. */
struct mr_rate_item {
  struct mr_slice name; /* empty in the older draft */
  int64_t quota;        /* q, limit; -1 when absent */
  int64_t window_us;    /* w; -1 when absent */
  int64_t remaining;    /* r, remaining; -1 when absent */
  int64_t reset_us;     /* t, reset: a delay from now; -1 when absent */
};
bool mr_header_rate_items(struct mr_slice value, void (*visit)(void *, const struct mr_rate_item *),
                          void *context);

/* Whether a Content-Type is application/json, text/json or anything +json. */
bool mr_header_is_json(struct mr_slice content_type);

/* Outgoing fields (RFC 9110 sections 5.1 and 5.5): a token as name, no control character but the tab in the value. */
bool mr_header_name_ok(const char *name, size_t size);
bool mr_header_value_ok(const char *value, size_t size);
/* A whole line "Name: value". */
bool mr_header_line_ok(const char *line, size_t size);

#endif
