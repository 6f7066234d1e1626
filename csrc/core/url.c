/*
** Stricter than RFC 3986 where laxness would let two readers disagree about
** the host: no userinfo, no percent-encoding and no backslash in it.
*/
#include "url.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "ascii.h"

#define HOST_MAX 255 /* RFC 1035 section 2.3.4 */

static const char upper_hex[] = "0123456789ABCDEF";

/* {====== Slices ====== */

static struct mr_slice slice_between(const char *from, const char *to) {
  return (struct mr_slice){from, (size_t)(to - from)};
}

static bool slice_is(struct mr_slice slice, const char *text) {
  return mr_ascii_same(slice.data, slice.size, text, strlen(text));
}

/* The first of 'stops' between 'at' and 'end', or 'end'. */
static const char *find_any(const char *at, const char *end, const char *stops) {
  while (at < end && (*at == '\0' || !strchr(stops, *at)))
    at++;
  return at;
}

/* }====== */

/* {====== Taking apart ====== */

static enum mr_kind check_bytes(const char *text, size_t size, struct mr_error *error) {
  if (size > MR_URL_MAX)
    return mr_fail(error, MR_LIMIT, "the URL has %zu bytes; at most %d are allowed", size,
                   MR_URL_MAX);
  for (size_t i = 0; i < size; i++)
    if (text[i] == ' ' || mr_ascii_is_control(text[i]))
      return mr_fail(error, MR_DECODE,
                     "the URL has a space or control character at byte %zu; percent-encode it",
                     i + 1);
  return MR_NONE;
}

/* The end of the scheme's name, or NULL when the text begins with none (RFC 3986 section 3.1). */
static const char *scheme_end(const char *text, const char *end) {
  if (text == end || !mr_ascii_is_alpha(*text)) return NULL;
  const char *at = text;
  while (at < end && (mr_ascii_is_alpha(*at) || mr_ascii_is_digit(*at) || *at == '+' ||
                      *at == '-' || *at == '.'))
    at++;
  return at < end && *at == ':' ? at : NULL;
}

/* Leaves *at behind "://". */
static enum mr_kind parse_scheme(const char **at, const char *end, struct mr_url *url,
                                 struct mr_error *error) {
  const char *colon = scheme_end(*at, end);
  if (!colon) return mr_fail(error, MR_DECODE, "the URL has no scheme; begin it with https://");
  url->scheme = slice_between(*at, colon);
  url->https = slice_is(url->scheme, "https");
  if (!url->https && !slice_is(url->scheme, "http"))
    return mr_fail(error, MR_DECODE, "the URL has the scheme \"%.*s\"; use https or http",
                   (int)(url->scheme.size < 32 ? url->scheme.size : 32), url->scheme.data);
  if (end - colon < 3 || colon[1] != '/' || colon[2] != '/')
    return mr_fail(error, MR_DECODE, "the URL lacks \"//\" and a host behind its scheme");
  *at = colon + 3;
  return MR_NONE;
}

static enum mr_kind parse_port(struct mr_slice digits, struct mr_url *url, struct mr_error *error) {
  uint32_t port = 0;
  for (size_t i = 0; i < digits.size; i++) {
    if (!mr_ascii_is_digit(digits.data[i]))
      return mr_fail(error, MR_DECODE, "the URL's port is no number");
    port = port * 10 + (uint32_t)(digits.data[i] - '0');
    if (port > UINT16_MAX) break;
  }
  if (port == 0 || port > UINT16_MAX)
    return mr_fail(error, MR_DECODE, "the URL's port is out of range; it must be 1 to 65535");
  url->port = (uint16_t)port;
  return MR_NONE;
}

static bool is_name(struct mr_slice host) {
  if (host.size > HOST_MAX) return false;
  for (size_t i = 0; i < host.size; i++) {
    char c = host.data[i];
    if (c == '.' && (i == 0 || host.data[i - 1] == '.')) return false;
    if (!mr_ascii_is_alpha(c) && !mr_ascii_is_digit(c) && c != '-' && c != '.' && c != '_')
      return false;
  }
  return true;
}

static bool read_ipv6(struct mr_slice host, struct in6_addr *address) {
  char text[INET6_ADDRSTRLEN];
  if (host.size >= sizeof(text)) return false;
  memcpy(text, host.data, host.size);
  text[host.size] = '\0';
  return inet_pton(AF_INET6, text, address) == 1;
}

/* Sets the host; *rest is what stands behind it: nothing or ":port". */
static enum mr_kind parse_host(struct mr_slice authority, struct mr_url *url, struct mr_slice *rest,
                               struct mr_error *error) {
  const char *end = authority.data + authority.size;
  bool literal = authority.size > 0 && authority.data[0] == '[';
  const char *from = authority.data + (literal ? 1 : 0);
  const char *to = find_any(from, end, literal ? "]" : ":");
  url->host = slice_between(from, to);
  *rest = slice_between(literal && to < end ? to + 1 : to, end);
  if (literal) {
    struct in6_addr address;
    if (to == end || !read_ipv6(url->host, &address))
      return mr_fail(error, MR_DECODE, "the URL's IPv6 address is malformed");
    return MR_NONE;
  }
  if (url->host.size == 0) return mr_fail(error, MR_DECODE, "the URL has no host");
  if (!is_name(url->host))
    return mr_fail(error, MR_DECODE,
                   "the URL's host is no host name; write an international name in its xn-- form");
  return MR_NONE;
}

static enum mr_kind parse_authority(struct mr_slice authority, struct mr_url *url,
                                    struct mr_error *error) {
  if (authority.size > 0 && memchr(authority.data, '@', authority.size))
    return mr_fail(error, MR_DECODE,
                   "the URL holds user information before \"@\"; give the credential separately");
  struct mr_slice rest;
  enum mr_kind kind = parse_host(authority, url, &rest, error);
  if (kind != MR_NONE) return kind;
  url->port = url->https ? 443 : 80;
  if (rest.size == 0 || (rest.size == 1 && rest.data[0] == ':')) return MR_NONE;
  if (rest.data[0] != ':')
    return mr_fail(error, MR_DECODE, "the URL has text between its host and its port");
  return parse_port((struct mr_slice){rest.data + 1, rest.size - 1}, url, error);
}

enum mr_kind mr_url_parse(const char *text, size_t size, struct mr_url *url,
                          struct mr_error *error) {
  enum mr_kind kind = check_bytes(text, size, error);
  if (kind != MR_NONE) return kind;
  struct mr_url parsed = {0};
  const char *at = text;
  const char *end = find_any(text, text + size, "#");
  kind = parse_scheme(&at, end, &parsed, error);
  if (kind != MR_NONE) return kind;
  const char *path = find_any(at, end, "/?");
  kind = parse_authority(slice_between(at, path), &parsed, error);
  if (kind != MR_NONE) return kind;
  const char *query = find_any(path, end, "?");
  parsed.path = slice_between(path, query);
  parsed.has_query = query < end;
  parsed.query = slice_between(parsed.has_query ? query + 1 : end, end);
  *url = parsed;
  return MR_NONE;
}

/* }====== */

/* {====== Origins ====== */

bool mr_url_same_origin(const struct mr_url *a, const struct mr_url *b) {
  return a->https == b->https && a->port == b->port &&
         mr_ascii_same(a->host.data, a->host.size, b->host.data, b->host.size);
}

/* Four decimal numbers, the first of them 127. Leading zeros are refused: some readers take such
** numbers for octal. */
static bool is_loopback_ipv4(struct mr_slice host) {
  unsigned parts[4] = {0};
  size_t part = 0, digits = 0;
  for (size_t i = 0; i < host.size; i++) {
    char c = host.data[i];
    if (c == '.' && digits > 0 && part < 3) {
      part++;
      digits = 0;
    } else if (mr_ascii_is_digit(c) && (digits == 0 || parts[part] > 0)) {
      digits++;
      parts[part] = parts[part] * 10 + (unsigned)(c - '0');
      if (parts[part] > 255) return false;
    } else {
      return false;
    }
  }
  return part == 3 && digits > 0 && parts[0] == 127;
}

static bool is_localhost(struct mr_slice host) {
  static const char name[] = "localhost";
  const size_t size = sizeof(name) - 1;
  if (host.size > 0 && host.data[host.size - 1] == '.') host.size--;
  if (host.size < size || (host.size > size && host.data[host.size - size - 1] != '.'))
    return false;
  return mr_ascii_same(host.data + host.size - size, size, name, size);
}

bool mr_url_is_loopback(const struct mr_url *url) {
  struct in6_addr address;
  return is_localhost(url->host) || is_loopback_ipv4(url->host) ||
         (read_ipv6(url->host, &address) && IN6_IS_ADDR_LOOPBACK(&address));
}

static void truncate_to(struct mr_buffer *out, size_t size) {
  out->size = size;
  if (out->data) out->data[size] = '\0';
}

static void lower_from(struct mr_buffer *out, size_t start) {
  for (size_t i = start; i < out->size; i++)
    out->data[i] = mr_ascii_lower(out->data[i]);
}

enum mr_kind mr_url_origin(const struct mr_url *url, struct mr_buffer *out) {
  size_t start = out->size;
  bool brackets = memchr(url->host.data, ':', url->host.size) != NULL;
  enum mr_kind kind =
      mr_buffer_format(out, "%s://%s%.*s%s", url->https ? "https" : "http", brackets ? "[" : "",
                       (int)url->host.size, url->host.data, brackets ? "]" : "");
  if (kind == MR_NONE && url->port != (url->https ? 443 : 80))
    kind = mr_buffer_format(out, ":%u", (unsigned)url->port);
  if (kind != MR_NONE) truncate_to(out, start);
  lower_from(out, start);
  return kind;
}

/* }====== */

/* {====== References (RFC 3986 sections 4 and 5) ====== */

struct reference {
  struct mr_slice scheme, authority, path, query; /* data is NULL for a part that is not there */
};

static struct reference split(const char *text, size_t size) {
  struct reference parts = {0};
  const char *end = find_any(text, text + size, "#");
  const char *at = text;
  const char *colon = scheme_end(text, end);
  if (colon) {
    parts.scheme = slice_between(text, colon);
    at = colon + 1;
  }
  if (end - at >= 2 && at[0] == '/' && at[1] == '/') {
    const char *authority_end = find_any(at + 2, end, "/?");
    parts.authority = slice_between(at + 2, authority_end);
    at = authority_end;
  }
  const char *query = find_any(at, end, "?");
  parts.path = slice_between(at, query);
  if (query < end) parts.query = slice_between(query + 1, end);
  return parts;
}

/* Section 5.2.4, in place, for a path that begins with "/". Returns the new size. */
static size_t remove_dot_segments(char *path, size_t size) {
  size_t kept = 0;
  for (size_t at = 0, end; at < size; at = end) {
    end = at + 1;
    while (end < size && path[end] != '/')
      end++;
    size_t length = end - at;
    bool one = length == 2 && path[at + 1] == '.';
    bool two = length == 3 && path[at + 1] == '.' && path[at + 2] == '.';
    if (!one && !two) {
      memmove(path + kept, path + at, length);
      kept += length;
      continue;
    }
    if (two && kept > 0) do
        kept--;
      while (kept > 0 && path[kept] != '/');
    if (end == size) path[kept++] = '/';
  }
  return kept;
}

static enum mr_kind append_slice(struct mr_buffer *out, struct mr_slice slice) {
  return mr_buffer_append(out, slice.data, slice.size);
}

/* Section 5.2.3: all of the base's path up to its last "/", then the reference's. */
static enum mr_kind append_path(struct mr_buffer *out, const struct reference *base,
                                struct mr_slice path) {
  size_t start = out->size;
  enum mr_kind kind = MR_NONE;
  if (base) {
    size_t size = base->path.size;
    while (size > 0 && base->path.data[size - 1] != '/')
      size--;
    kind = size > 0 ? mr_buffer_append(out, base->path.data, size) : mr_buffer_byte(out, '/');
  }
  if (kind == MR_NONE) kind = append_slice(out, path);
  if (kind == MR_NONE && out->data[start] == '/')
    truncate_to(out, start + remove_dot_segments(out->data + start, out->size - start));
  return kind;
}

static enum mr_kind append_start(struct mr_buffer *out, struct mr_slice scheme,
                                 struct mr_slice authority) {
  enum mr_kind kind = append_slice(out, scheme);
  if (kind == MR_NONE) kind = mr_buffer_text(out, authority.data ? "://" : ":");
  return kind == MR_NONE ? append_slice(out, authority) : kind;
}

/* Section 5.2.2. */
static enum mr_kind compose(struct mr_buffer *out, const struct reference *base,
                            const struct reference *to) {
  bool own_start = to->scheme.data || to->authority.data;
  enum mr_kind kind = append_start(out, to->scheme.data ? to->scheme : base->scheme,
                                   own_start ? to->authority : base->authority);
  if (kind != MR_NONE) return kind;
  bool same_document = !own_start && to->path.size == 0;
  if (same_document)
    kind = append_slice(out, base->path);
  else
    kind = append_path(out, own_start || to->path.data[0] == '/' ? NULL : base, to->path);
  struct mr_slice query = same_document && !to->query.data ? base->query : to->query;
  if (kind != MR_NONE || !query.data) return kind;
  kind = mr_buffer_byte(out, '?');
  return kind == MR_NONE ? append_slice(out, query) : kind;
}

/* Fragments are dropped: they never go over the wire. What comes out has passed mr_url_parse. */
enum mr_kind mr_url_resolve(const char *base, size_t base_size, const char *reference,
                            size_t reference_size, struct mr_buffer *out, struct mr_error *error) {
  struct mr_url url;
  enum mr_kind kind = mr_url_parse(base, base_size, &url, error);
  if (kind == MR_NONE) kind = check_bytes(reference, reference_size, error);
  if (kind != MR_NONE) return kind;
  size_t start = out->size;
  struct reference from = split(base, base_size), to = split(reference, reference_size);
  kind = compose(out, &from, &to);
  if (kind != MR_NONE)
    mr_fail(error, kind, "%s for the URL that a reference leads to",
            kind == MR_LIMIT ? "out of memory" : "no room");
  else
    kind = mr_url_parse(mr_buffer_string(out) + start, out->size - start, &url, error);
  if (kind != MR_NONE) truncate_to(out, start);
  return kind;
}

/* }====== */

/* {====== Encoding ====== */

static bool is_unreserved(char c) {
  return mr_ascii_is_alpha(c) || mr_ascii_is_digit(c) || c == '-' || c == '.' || c == '_' ||
         c == '~';
}

static bool is_any_of(char c, const char *set) {
  return c != '\0' && strchr(set, c) != NULL;
}

/* Appends 'text' with all but unreserved characters and those of 'kept' encoded. */
static enum mr_kind encode(struct mr_buffer *out, const char *text, size_t size, const char *kept) {
  size_t encoded_size = size;
  for (size_t i = 0; i < size; i++)
    if (!is_unreserved(text[i]) && !is_any_of(text[i], kept)) encoded_size += 2;
  enum mr_kind kind = mr_buffer_reserve(out, encoded_size);
  if (kind != MR_NONE || size == 0) return kind;
  char *at = out->data + out->size;
  for (size_t i = 0; i < size; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (is_unreserved(text[i]) || is_any_of(text[i], kept)) {
      *at++ = text[i];
    } else {
      *at++ = '%';
      *at++ = upper_hex[byte >> 4];
      *at++ = upper_hex[byte & 15];
    }
  }
  truncate_to(out, out->size + encoded_size);
  return MR_NONE;
}

static bool is_good_segment(const char *text, size_t size) {
  if (size == 0 || (size == 1 && text[0] == '.') || (size == 2 && text[0] == '.' && text[1] == '.'))
    return false;
  for (size_t i = 0; i < size; i++)
    if (text[i] == '\0' || text[i] == '\r' || text[i] == '\n') return false;
  return true;
}

enum mr_kind mr_url_segment(struct mr_buffer *out, const char *text, size_t size) {
  if (!is_good_segment(text, size)) return MR_DECODE;
  return encode(out, text, size, ":@!$'()*+,;=");
}

enum mr_kind mr_url_segments(struct mr_buffer *out, const char *text, size_t size) {
  const char *end = text + size;
  for (const char *at = text;; at++) {
    const char *slash = find_any(at, end, "/");
    if (!is_good_segment(at, (size_t)(slash - at))) return MR_DECODE;
    at = slash;
    if (slash == end) return encode(out, text, size, ":@!$'()*+,;=/");
  }
}

enum mr_kind mr_url_query(struct mr_buffer *out, const char *text, size_t size) {
  if (size > 0 && memchr(text, '\0', size)) return MR_DECODE;
  return encode(out, text, size, "");
}

/* }====== */
