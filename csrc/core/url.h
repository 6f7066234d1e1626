/*
** URLs: taken apart, joined and encoded (RFC 3986). Nothing here allocates but
** through the buffer that the caller gives.
*/
#ifndef MR_URL_H
#define MR_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "error.h"

#define MR_URL_MAX 16384 /* bytes; longer ones are refused: servers stop at 8 KiB */

struct mr_slice {
  const char *data;
  size_t size;
};

/* Slices point into the text that was parsed. */
struct mr_url {
  struct mr_slice scheme; /* as written; compare with mr_url_is_https */
  struct mr_slice host;   /* without the brackets of an IPv6 literal */
  uint16_t port;          /* the scheme's default when not written */
  struct mr_slice path;   /* "" or begins with "/" */
  struct mr_slice query;  /* without "?"; has_query tells "" from none */
  bool has_query;
  bool https;
};

/* Absolute http and https URLs only. Refuses with a clear message: other schemes, user:password@,
** control characters, spaces, no host, ports out of range, anything over MR_URL_MAX.
** A fragment is dropped. Kind MR_NETWORK is never used: MR_REDIRECT for a bad URL from a server is
** the caller's choice; here it is MR_LIMIT (too long) or MR_DECODE (malformed). */
enum mr_kind mr_url_parse(const char *text, size_t size, struct mr_url *url,
                          struct mr_error *error);

/* Same scheme, host (case-insensitive) and port (RFC 6454 section 4). */
bool mr_url_same_origin(const struct mr_url *a, const struct mr_url *b);

/* 127.0.0.0/8, ::1, "localhost" and names below ".localhost" (RFC 6761 section 6.3). */
bool mr_url_is_loopback(const struct mr_url *url);

/* Appends "scheme://host[:port]" in lower case, the port only when it is not the default. */
enum mr_kind mr_url_origin(const struct mr_url *url, struct mr_buffer *out);

/* Reference resolution (RFC 3986 section 5.2), for Location and Link. Appends an absolute URL. */
enum mr_kind mr_url_resolve(const char *base, size_t base_size, const char *reference,
                            size_t reference_size, struct mr_buffer *out, struct mr_error *error);

/* Appends one path segment, everything encoded but unreserved characters and ":" "@" "!" "$" "'" "(" ")"
** "*" "+" "," ";" "=" "~". "/" becomes %2F. The segments ".", ".." and "" and any with NUL, CR or LF are
** refused (MR_DECODE): they would leave their place. */
enum mr_kind mr_url_segment(struct mr_buffer *out, const char *text, size_t size);

/* As mr_url_segment, "/" kept: each piece between slashes must be a good segment (Edgegap image names). */
enum mr_kind mr_url_segments(struct mr_buffer *out, const char *text, size_t size);

/* Appends a query name or value: all but unreserved characters encoded, space as %20. NUL is refused. */
enum mr_kind mr_url_query(struct mr_buffer *out, const char *text, size_t size);

#endif
