/*
** Easy handles, kept configured for their route: making one costs half a request, setting all options
** anew a third of one.
**
** libcurl shares a connection between two routes only when everything that it could differ in is equal:
** scheme, host, port, proxy, CURLOPT_CONNECT_TO, the unix socket and, since 7.83.1, every TLS setting
** (CA, client certificate, verification). Credentials travel in headers and never stick to a connection.
** So one multi handle serves all routes, with one pool of connections and one loaded CA bundle, which
** takes 30 ms and more to load.
*/
#include <string.h>

#include "curl_parts.h"
#include "memory.h"
#include "url.h"

#define KEEP_ALIVE_S 60L

static enum mr_kind no_memory(struct mr_error *error) {
  mr_fail(error, MR_LIMIT, "out of memory for a connection");
  return MR_LIMIT;
}

/* ---- handles ---- */

static void set_route(CURL *easy, const struct mr_transport *transport,
                      const struct mr_route *route) {
  const char *ca_file = route->ca_file ? route->ca_file : transport->ca_file;
  if (ca_file) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* with a folder libcurl caches nothing */
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, ca_file);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
  }
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, route->verify ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, route->verify ? 2L : 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
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

/* libcurl sends again what had no answer on a reused connection, and what an HTTP/2 server refused unread. Only the
** latter is sure not to have been carried out, and only the latter it still does for this kind of request (one of RTSP,
** as it means to other protocols only). */
static void set_sending_again(CURL *easy, struct mr_transport *transport) {
  CURLcode code = curl_easy_setopt(easy, CURLOPT_RTSP_REQUEST, (long)CURL_RTSPREQ_RECEIVE);
  transport->tells_unread = code == CURLE_OK;
}

/* CURLOPT_CONNECT_TO and not CURLOPT_RESOLVE: the latter would put the address into the cache that all
** routes share. An IPv6 address comes with brackets or without. */
static enum mr_kind set_resolve(struct mr_curl_handle *handle, const char *rule,
                                struct mr_error *error) {
  struct mr_buffer text;
  const char *first = strchr(rule, ':');
  const char *second = first ? strchr(first + 1, ':') : NULL;
  if (!second || second[1] == '\0')
    return mr_fail(error, MR_DECODE, "'%.100s' is not \"host:port:address\" (resolve_host)", rule);
  bool bare = second[1] != '[' && strchr(second + 1, ':');
  mr_buffer_init(&text, MR_URL_MAX);
  enum mr_kind kind = mr_buffer_format(
      &text, bare ? "%.*s[%s]:" : "%.*s%s:", (int)(second + 1 - rule), rule, second + 1);
  if (!kind) handle->connect_to = curl_slist_append(NULL, text.data);
  mr_buffer_free(&text);
  if (!handle->connect_to) return no_memory(error);
  curl_easy_setopt(handle->easy, CURLOPT_CONNECT_TO, handle->connect_to);
  return MR_NONE;
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

static struct mr_curl_handle *allocate_handle(struct mr_curl_pool *pool) {
  struct mr_curl_handle *handle = mr_alloc_zero(1, sizeof *handle);
  if (!handle) return NULL;
  handle->pool = pool;
  handle->timer.owner = handle;
  mr_buffer_init(&handle->target, MR_URL_MAX);
  mr_buffer_init(&handle->headers, SIZE_MAX / 2);        /* the exchange's are bounded already */
  handle->headers.secret = handle->target.secret = true; /* a key may stand in a query */
  handle->connect_timeout_ms = -1;
  handle->easy = curl_easy_init();
  if (handle->easy) return handle;
  free_handle(handle);
  return NULL;
}

static enum mr_kind make_handle(struct mr_curl_pool *pool, struct mr_curl_handle **out,
                                struct mr_error *error) {
  const struct mr_route *route = pool->route;
  struct mr_curl_handle *handle = allocate_handle(pool);
  if (!handle) return no_memory(error);
  set_fixed(handle->easy, pool->transport);
  set_sending_again(handle->easy, pool->transport);
  set_route(handle->easy, pool->transport, route);
  mr_curl_events_install(handle);
  enum mr_kind kind =
      route->resolve_host ? set_resolve(handle, route->resolve_host, error) : MR_NONE;
  if (kind)
    free_handle(handle);
  else
    *out = handle;
  return kind;
}

/* ---- pools ---- */

struct mr_curl_pool *mr_curl_pool_find(struct mr_transport *transport,
                                       const struct mr_route *route) {
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

static struct mr_curl_pool *make_pool(struct mr_transport *transport,
                                      const struct mr_route *route) {
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
    enum mr_kind kind = make_handle(pool, &handle, error);
    if (kind) return kind;
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
  mr_curl_origins_drop(pool);
  mr_free(pool);
}

void mr_curl_pool_give(struct mr_curl_handle *handle) {
  struct mr_curl_pool *pool = handle->pool;
  pool->in_flight--;
  handle->x = NULL;
  mr_decoder_close(handle->decoder);
  handle->decoder = NULL;
  if (pool->closed || handle->spoilt || pool->idle_count >= pool->transport->max_idle) {
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
