/*
** Easy handles, kept configured for their route: making one costs half a request, setting all options
** anew a third of one. With each route go the origins that it was used for.
**
** libcurl shares a connection between two routes only when everything that it could differ in is equal:
** scheme, host, port, proxy, CURLOPT_CONNECT_TO, the unix socket and, since 7.83.1, every TLS setting
** (CA, client certificate, verification). Credentials travel in headers and never stick to a connection.
** So one multi handle serves all routes, with one pool of connections and one loaded CA bundle, which
** takes 30 ms and more to load.
*/
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ascii.h"
#include "curl_parts.h"
#include "memory.h"
#include "url.h"

#define ORIGINS_KEPT 16
#define KEEP_ALIVE_S 60L

static enum mr_kind no_memory(struct mr_error *error) {
  return mr_fail(error, MR_LIMIT, "out of memory for a connection");
}

/* ---- origins ---- */

static const char *environment(const char *lower, const char *upper) {
  const char *value = getenv(lower);
  if (!value && upper) value = getenv(upper);
  return value && *value ? value : NULL;
}

/* What libcurl would take. Only lower case counts for http_proxy: a web server puts the header "Proxy:"
** of its client into HTTP_PROXY. */
static const char *find_proxy(const struct mr_route *route, bool https) {
  if (route->proxy) return *route->proxy ? route->proxy : NULL;
  const char *proxy = https ? environment("https_proxy", "HTTPS_PROXY") : environment("http_proxy", NULL);
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
  return strncasecmp(tail, entry, size) == 0 && (size == host.size || tail[-1] == '.');
}

/* Names and "*" of a NO_PROXY list. Networks ("10.0.0.0/8") are left to libcurl: here such a host counts
** as one behind the proxy, which errs towards keeping a credential. */
static bool bypasses(const struct mr_route *route, struct mr_slice host) {
  const char *list = route->no_proxy ? route->no_proxy : environment("no_proxy", "NO_PROXY");
  while (list && *list) {
    size_t size = strcspn(list, ", ");
    if (names_host(list, size, host)) return true;
    list += size + strspn(list + size, ", ");
  }
  return false;
}

static void decide_proxy(struct mr_curl_origin *origin, const struct mr_route *route,
                         const struct mr_url *url) {
  const char *proxy = find_proxy(route, url->https);
  origin->direct = !proxy || route->unix_socket || mr_url_is_loopback(url) || bypasses(route, url->host);
  origin->exposed = !origin->direct && !url->https;
  origin->forwarded = origin->exposed && strncasecmp(proxy, "socks", 5) != 0;
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

static enum mr_kind new_origin(struct mr_curl_pool *pool, const struct mr_exchange *x, size_t size,
                               struct mr_curl_origin **out, struct mr_error *error) {
  struct mr_url url;
  enum mr_kind kind = mr_url_parse(x->url, x->url_size, &url, error);
  if (kind) return kind;
  struct mr_curl_origin *origin = make_origin(pool->route, &url, x->url, size);
  if (!origin) return no_memory(error);
  if (curl_url_set(origin->url, CURLUPART_URL, origin->text, CURLU_DISALLOW_USER)) {
    kind = mr_fail(error, MR_DECODE, "libcurl cannot read the address '%.100s'", origin->label);
    mr_curl_origin_drop(origin);
    return kind;
  }
  trim_origins(pool);
  origin->next = pool->origins;
  pool->origins = origin;
  *out = origin;
  return MR_NONE;
}

static bool is_origin(const struct mr_curl_origin *origin, const char *text, size_t size) {
  return origin->size == size && memcmp(origin->text, text, size) == 0;
}

static void use_origin(struct mr_curl_handle *handle, struct mr_curl_origin *origin) {
  origin->references++;
  mr_curl_origin_drop(handle->origin);
  handle->origin = origin;
  curl_easy_setopt(handle->easy, CURLOPT_CURLU, origin->url);
  curl_easy_setopt(handle->easy, CURLOPT_PROXY,
                   origin->direct ? "" : handle->pool->route->proxy);
  curl_easy_setopt(handle->easy, CURLOPT_NOPROXY,
                   origin->direct ? "*" : handle->pool->route->no_proxy);
  curl_easy_setopt(handle->easy, CURLOPT_HTTP_VERSION,
                   origin->multiplexed ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
}

enum mr_kind mr_curl_origin_set(struct mr_curl_handle *handle, struct mr_error *error) {
  const struct mr_exchange *x = handle->x;
  size_t size = origin_size(x->url, x->url_size);
  if (handle->origin && is_origin(handle->origin, x->url, size)) return MR_NONE;
  struct mr_curl_origin *origin = handle->pool->origins;
  while (origin && !is_origin(origin, x->url, size))
    origin = origin->next;
  enum mr_kind kind = origin ? MR_NONE : new_origin(handle->pool, x, size, &origin, error);
  if (!kind) use_origin(handle, origin);
  return kind;
}

/* ---- handles ---- */

static void set_route(CURL *easy, const struct mr_transport *transport, const struct mr_route *route) {
  const char *ca_file = route->ca_file ? route->ca_file : transport->ca_file;
  if (ca_file) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* with a folder libcurl caches nothing */
  }
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, route->verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, route->verify ? 2L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_SSLCERT, route->client_cert);
  curl_easy_setopt(easy, CURLOPT_SSLKEY, route->client_key);
  curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, route->unix_socket);
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, route->http2 ? 1L : 0L);
}

static void set_fixed(CURL *easy, const struct mr_transport *transport) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* else a slow resolver holds up removal */
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEP_ALIVE_S);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEP_ALIVE_S);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, MR_CURL_READ_SIZE);
  curl_easy_setopt(easy, CURLOPT_SHARE, transport->share);
}

/* CURLOPT_CONNECT_TO and not CURLOPT_RESOLVE: the latter would put the address into the cache that all
** routes share. */
static bool set_resolve(struct mr_curl_handle *handle, const char *rule) {
  struct mr_buffer text;
  mr_buffer_init(&text, MR_URL_MAX);
  const char *first = strchr(rule, ':');
  const char *second = first ? strchr(first + 1, ':') : NULL;
  if (!second) return true;
  bool brackets = second[1] != '[' && strchr(second + 1, ':');
  bool good = !mr_buffer_format(&text, brackets ? "%.*s[%s]:" : "%.*s%s:",
                                (int)(second + 1 - rule), rule, second + 1);
  struct curl_slist *list = good ? curl_slist_append(NULL, text.data) : NULL;
  mr_buffer_free(&text);
  handle->connect_to = list;
  curl_easy_setopt(handle->easy, CURLOPT_CONNECT_TO, list);
  return list != NULL;
}

static void free_handle(struct mr_curl_handle *handle) {
  mr_curl_loop_forget(&handle->pool->transport->loop, handle);
  curl_easy_cleanup(handle->easy);
  curl_slist_free_all(handle->connect_to);
  mr_curl_origin_drop(handle->origin);
  mr_buffer_free(&handle->target);
  mr_buffer_free(&handle->headers);
  mr_free(handle->lines);
  mr_free(handle);
}

static struct mr_curl_handle *make_handle(struct mr_curl_pool *pool) {
  struct mr_curl_handle *handle = mr_alloc_zero(1, sizeof *handle);
  if (!handle) return NULL;
  handle->pool = pool;
  handle->timer.owner = handle;
  mr_buffer_init(&handle->target, MR_URL_MAX);
  mr_buffer_init(&handle->headers, SIZE_MAX / 2); /* the exchange's are bounded already */
  handle->headers.secret = handle->target.secret = true; /* a key may stand in a query */
  handle->connect_timeout_ms = -1;
  handle->easy = curl_easy_init();
  if (handle->easy) {
    set_fixed(handle->easy, pool->transport);
    set_route(handle->easy, pool->transport, pool->route);
    mr_curl_events_install(handle);
    if (!pool->route->resolve_host || set_resolve(handle, pool->route->resolve_host)) return handle;
  }
  free_handle(handle);
  return NULL;
}

/* ---- pools ---- */

struct mr_curl_pool *mr_curl_pool_find(struct mr_transport *transport, const struct mr_route *route) {
  struct mr_curl_pool *pool = transport->pools;
  while (pool && (pool->route != route || pool->closed))
    pool = pool->next;
  return pool;
}

/* libcurl's bound is one for all routes, so it is the largest that any of them has. */
static void raise_host_limit(struct mr_transport *transport, uint32_t limit) {
  if (limit <= transport->max_host) return;
  transport->max_host = limit;
  curl_multi_setopt(transport->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)limit);
}

static struct mr_curl_pool *make_pool(struct mr_transport *transport, const struct mr_route *route) {
  struct mr_curl_pool *pool = mr_alloc_zero(1, sizeof *pool);
  if (!pool) return NULL;
  pool->transport = transport;
  pool->route = route;
  pool->next = transport->pools;
  transport->pools = pool;
  raise_host_limit(transport, route->max_connections ? route->max_connections : 64);
  return pool;
}

enum mr_kind mr_curl_pool_take(struct mr_transport *transport, const struct mr_route *route,
                               struct mr_curl_handle **out, struct mr_error *error) {
  struct mr_curl_pool *pool = mr_curl_pool_find(transport, route);
  if (!pool) pool = make_pool(transport, route);
  if (!pool) return no_memory(error);
  struct mr_curl_handle *handle = pool->idle;
  if (handle) {
    pool->idle = handle->next;
    pool->idle_count--;
  } else {
    handle = make_handle(pool);
    if (!handle) return no_memory(error);
  }
  handle->next = NULL;
  pool->in_flight++;
  *out = handle;
  return MR_NONE;
}

static void free_pool(struct mr_curl_pool *pool) {
  struct mr_curl_pool **place = &pool->transport->pools;
  while (*place != pool)
    place = &(*place)->next;
  *place = pool->next;
  while (pool->origins) {
    struct mr_curl_origin *origin = pool->origins;
    pool->origins = origin->next;
    mr_curl_origin_drop(origin);
  }
  mr_free(pool);
}

void mr_curl_pool_give(struct mr_curl_handle *handle) {
  struct mr_curl_pool *pool = handle->pool;
  pool->in_flight--;
  handle->x = NULL;
  mr_gunzip_close(handle->gunzip);
  handle->gunzip = NULL;
  if (pool->closed || pool->idle_count >= pool->transport->max_idle) {
    free_handle(handle);
  } else {
    handle->next = pool->idle;
    pool->idle = handle;
    pool->idle_count++;
  }
  if (pool->closed && pool->in_flight == 0) free_pool(pool);
}

void mr_curl_pool_close(struct mr_curl_pool *pool) {
  while (pool->idle) {
    struct mr_curl_handle *handle = pool->idle;
    pool->idle = handle->next;
    free_handle(handle);
  }
  pool->idle_count = 0;
  pool->closed = true;
  if (pool->in_flight == 0) free_pool(pool);
}
