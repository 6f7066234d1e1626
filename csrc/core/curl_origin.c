/*
** Where exchanges of a route go: scheme, host and port, and whether a proxy stands in between. What goes
** directly is told to libcurl as such; it looks at the environment by itself only where there is a proxy.
*/
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "ascii.h"
#include "curl_parts.h"
#include "memory.h"
#include "url.h"

#define ORIGINS_KEPT 16
#define ADDRESS_SIZE 16 /* bytes of an IPv6 address */

static const char *environment(const char *lower, const char *upper) {
  const char *value = getenv(lower);
  if (!value && upper) value = getenv(upper);
  return value && *value ? value : NULL;
}

/* What libcurl would take. Only lower case counts for http_proxy: a web server puts the header "Proxy:"
** of its client into HTTP_PROXY. */
static const char *find_proxy(const struct mr_route *route, bool https) {
  if (route->proxy) return *route->proxy ? route->proxy : NULL;
  const char *proxy =
      https ? environment("https_proxy", "HTTPS_PROXY") : environment("http_proxy", NULL);
  return proxy ? proxy : environment("all_proxy", "ALL_PROXY");
}

static bool names_host(const char *entry, size_t size, struct mr_slice host) {
  while (size > 0 && *entry == '.') {
    entry++;
    size--;
  }
  if (size == 1 && *entry == '*') return true;
  if (size == 0 || size > host.size) return false;
  const char *tail = host.data + host.size - size;
  return mr_ascii_same(tail, size, entry, size) && (size == host.size || tail[-1] == '.');
}

static bool read_address(const char *text, size_t size, unsigned char address[ADDRESS_SIZE]) {
  char copy[INET6_ADDRSTRLEN];
  if (size >= sizeof copy) return false;
  memcpy(copy, text, size);
  copy[size] = '\0';
  return inet_pton(memchr(text, ':', size) ? AF_INET6 : AF_INET, copy, address) == 1;
}

/* The number of bits behind the slash of "10.0.0.0/8"; 0 for none, and for what is no number up to 'most'. */
static unsigned read_bits(const char *text, size_t size, unsigned most) {
  unsigned bits = 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9' || bits > most) return 0;
    bits = bits * 10 + (unsigned)(text[i] - '0');
  }
  return bits <= most ? bits : 0;
}

/* Whether 'entry' is a network, "10.0.0.0/8" or "fd00::/8", and 'host' an address in it. One of no bits counts as
** none, as libcurl has it. */
static bool holds_host(const char *entry, size_t size, struct mr_slice host) {
  unsigned char network[ADDRESS_SIZE], address[ADDRESS_SIZE];
  const char *slash = memchr(entry, '/', size);
  if (!slash) return false;
  size_t network_size = (size_t)(slash - entry);
  bool is_six = memchr(entry, ':', network_size) != NULL;
  unsigned bits = read_bits(slash + 1, size - network_size - 1, is_six ? 128 : 32);
  if (bits == 0 || is_six != (memchr(host.data, ':', host.size) != NULL)) return false;
  if (!read_address(entry, network_size, network) || !read_address(host.data, host.size, address))
    return false;
  if (memcmp(network, address, bits / 8) != 0) return false;
  return bits % 8 == 0 || (network[bits / 8] ^ address[bits / 8]) >> (8 - bits % 8) == 0;
}

/* Names, "*" and networks of a NO_PROXY list. */
static bool bypasses(const struct mr_route *route, struct mr_slice host) {
  const char *list = route->no_proxy ? route->no_proxy : environment("no_proxy", "NO_PROXY");
  while (list && *list) {
    size_t size = strcspn(list, ", ");
    if (names_host(list, size, host) || holds_host(list, size, host)) return true;
    list += size + strspn(list + size, ", ");
  }
  return false;
}

static void decide_proxy(struct mr_curl_origin *origin, const struct mr_route *route,
                         const struct mr_url *url) {
  const char *proxy = find_proxy(route, url->https);
  origin->direct =
      !proxy || route->unix_socket || mr_url_is_loopback(url) || bypasses(route, url->host);
  origin->exposed = !origin->direct && !url->https;
  origin->over_http = !origin->direct && !mr_ascii_begins(proxy, "socks", 5);
  origin->has_login = !origin->direct && strchr(proxy, '@');
  origin->forwarded = origin->exposed && origin->over_http;
}

void mr_curl_origin_drop(struct mr_curl_origin *origin) {
  if (!origin || --origin->references > 0) return;
  curl_url_cleanup(origin->url);
  mr_free(origin->label);
  mr_free(origin->text);
  mr_free(origin);
}

static char *make_label(const struct mr_url *url) {
  struct mr_buffer label;
  mr_buffer_init(&label, MR_URL_MAX);
  bool brackets = memchr(url->host.data, ':', url->host.size) != NULL;
  enum mr_kind kind = mr_buffer_format(&label, brackets ? "[%.*s]:%u" : "%.*s:%u",
                                       (int)url->host.size, url->host.data, (unsigned)url->port);
  char *copy = kind ? NULL : mr_duplicate(label.data, label.size);
  mr_buffer_free(&label);
  return copy;
}

static struct mr_curl_origin *make_origin(const struct mr_route *route, const struct mr_url *url,
                                          const char *text, size_t size) {
  struct mr_curl_origin *origin = mr_alloc_zero(1, sizeof *origin);
  if (!origin) return NULL;
  origin->references = 1;
  origin->entry.width = 1;
  origin->https = url->https;
  origin->multiplexed = url->https && route->http2;
  decide_proxy(origin, route, url);
  origin->size = size;
  origin->text = mr_duplicate(text, size);
  origin->label = make_label(url);
  origin->url = curl_url();
  if (origin->text && origin->label && origin->url) return origin;
  mr_curl_origin_drop(origin);
  return NULL;
}

/* Length of "scheme://host:port". */
static size_t origin_size(const char *url, size_t size) {
  const char *slashes = memchr(url, ':', size);
  size_t at = slashes && url + size - slashes > 3 ? (size_t)(slashes - url) + 3 : size;
  while (at < size && url[at] != '/' && url[at] != '?' && url[at] != '#')
    at++;
  return at;
}

/* A client talks to one or two origins; only redirects bring more. The oldest idle one makes room. */
static void trim_origins(struct mr_curl_pool *pool) {
  size_t count = 0;
  struct mr_curl_origin **last = NULL;
  for (struct mr_curl_origin **place = &pool->origins; *place; place = &(*place)->next, count++)
    if ((*place)->references == 1) last = place;
  if (count < ORIGINS_KEPT || !last) return;
  struct mr_curl_origin *origin = *last;
  *last = origin->next;
  mr_curl_origin_drop(origin);
}

/* NULL, with *kind, when there is none to be had. */
static struct mr_curl_origin *new_origin(struct mr_curl_pool *pool, const struct mr_exchange *x,
                                         size_t size, enum mr_kind *kind, struct mr_error *error) {
  struct mr_url url;
  *kind = mr_url_parse(x->url, x->url_size, &url, error);
  if (*kind) return NULL;
  struct mr_curl_origin *origin = make_origin(pool->route, &url, x->url, size);
  if (!origin) {
    *kind = mr_fail(error, MR_LIMIT, "out of memory for an address");
    return NULL;
  }
  if (curl_url_set(origin->url, CURLUPART_URL, origin->text, CURLU_DISALLOW_USER)) {
    *kind = mr_fail(error, MR_DECODE, "libcurl cannot read the address '%.100s'", origin->label);
    mr_curl_origin_drop(origin);
    return NULL;
  }
  trim_origins(pool);
  origin->next = pool->origins;
  pool->origins = origin;
  return origin;
}

static bool is_origin(const struct mr_curl_origin *origin, const char *text, size_t size) {
  return origin->size == size && memcmp(origin->text, text, size) == 0;
}

static void use_origin(struct mr_curl_handle *handle, struct mr_curl_origin *origin) {
  origin->references++;
  mr_curl_origin_drop(handle->origin);
  handle->origin = origin;
  curl_easy_setopt(handle->easy, CURLOPT_CURLU, origin->url);
  curl_easy_setopt(handle->easy, CURLOPT_PROXY, origin->direct ? "" : handle->pool->route->proxy);
  curl_easy_setopt(handle->easy, CURLOPT_NOPROXY,
                   origin->direct ? "*" : handle->pool->route->no_proxy);
}

/* libcurl 7.88 takes every connection of a host for one that several may share as soon as one of them is, and would send
** a second request on one of HTTP/1.1 that is in use. It never does where TLS is set up otherwise: so the newest version
** is named to the one kind, and is the same by default for the other. */
static long tls_versions(bool multiplexed) {
  long oldest = CURL_SSLVERSION_TLSv1_2;
  return multiplexed ? oldest : oldest | CURL_SSLVERSION_MAX_TLSv1_3;
}

/* libcurl goes on reading an exchange that is paused while others of its connection read, up to 64 MB, and then fails.
** So one whose reader may be slow has a connection of its own, where it is TCP that waits: one of HTTP/1.1, or where the
** server has none a new one of HTTP/2, which nobody else ever uses. */
static void use_version(struct mr_curl_handle *handle) {
  const struct mr_curl_origin *origin = handle->origin;
  bool multiplexed = origin->multiplexed && !handle->x->alone;
  bool newer = multiplexed || (origin->multiplexed && origin->lacks_older);
  if (handle->has_version && multiplexed == handle->multiplexed && newer == handle->newer) return;
  handle->has_version = true;
  handle->multiplexed = multiplexed;
  handle->newer = newer;
  curl_easy_setopt(handle->easy, CURLOPT_SSLVERSION, tls_versions(multiplexed));
  curl_easy_setopt(handle->easy, CURLOPT_HTTP_VERSION,
                   newer ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
}

static void use_connection(struct mr_curl_handle *handle) {
  bool single = handle->newer && !handle->multiplexed;
  bool fresh = single || handle->x->fresh;
  if (fresh != handle->fresh)
    curl_easy_setopt(handle->easy, CURLOPT_FRESH_CONNECT, fresh ? 1L : 0L);
  if (single != handle->single)
    curl_easy_setopt(handle->easy, CURLOPT_FORBID_REUSE, single ? 1L : 0L);
  handle->fresh = fresh;
  handle->single = single;
}

void mr_curl_origin_versions(struct mr_curl_handle *handle) {
  use_version(handle);
  use_connection(handle);
  mr_curl_goaway_watch(handle, handle->multiplexed && handle->x->once);
}

/* An alert of TLS says that none of the offered versions will do (RFC 7301 section 3.2). */
static bool is_refusal(const struct mr_curl_handle *handle, CURLcode code) {
  return code == CURLE_SSL_CONNECT_ERROR && handle->progress.phase == MR_PHASE_CONNECT &&
         strstr(handle->message, "no application protocol");
}

/* ... and servers that send none close the new connection without a byte. */
static bool is_silent_end(const struct mr_curl_handle *handle, CURLcode code) {
  const struct mr_curl_progress *progress = &handle->progress;
  return progress->phase == MR_PHASE_SEND && progress->connected && !progress->late &&
         !progress->idle && !progress->stopped &&
         (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR);
}

bool mr_curl_origin_refuses(struct mr_curl_handle *handle, CURLcode code) {
  struct mr_curl_origin *origin = handle->origin;
  if (handle->multiplexed || !origin->multiplexed) return false;
  if (handle->progress.http_major == 1) origin->has_older = true;
  bool refused = !handle->newer && is_refusal(handle, code);
  if (refused)
    origin->lacks_older = true;
  else if (!origin->has_older && is_silent_end(handle, code))
    origin->lacks_older = !handle->newer; /* for the next: this one was sent */
  return refused;
}

enum mr_kind mr_curl_origin_set(struct mr_curl_handle *handle, struct mr_error *error) {
  const struct mr_exchange *x = handle->x;
  size_t size = origin_size(x->url, x->url_size);
  struct mr_curl_origin *origin = handle->origin;
  enum mr_kind kind = MR_NONE;
  if (!origin || !is_origin(origin, x->url, size)) {
    origin = handle->pool->origins;
    while (origin && !is_origin(origin, x->url, size))
      origin = origin->next;
    if (!origin) origin = new_origin(handle->pool, x, size, &kind, error);
    if (!origin) return kind;
    use_origin(handle, origin);
  }
  mr_curl_origin_versions(handle);
  return MR_NONE;
}

void mr_curl_origins_drop(struct mr_curl_pool *pool) {
  while (pool->origins) {
    struct mr_curl_origin *origin = pool->origins;
    pool->origins = origin->next;
    mr_curl_origin_drop(origin);
  }
}
