/* moonrest.curl: the transport over libcurl, a module of its own because libcurl pulls in thirty libraries. */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>

#include "core/curl_decoder.h"
#include "core/transport_curl.h"

static const struct {
  const char *name;
  int bit;
} features[] = {
    {"async_dns", CURL_VERSION_ASYNCHDNS},
    {"brotli", CURL_VERSION_BROTLI},
    {"http2", CURL_VERSION_HTTP2},
    {"https_proxy", CURL_VERSION_HTTPS_PROXY},
    {"idn", CURL_VERSION_IDN},
    {"ipv6", CURL_VERSION_IPV6},
    {"tls", CURL_VERSION_SSL},
    {"unix_sockets", CURL_VERSION_UNIX_SOCKETS},
    {"zlib", CURL_VERSION_LIBZ},
    {"zstd", CURL_VERSION_ZSTD},
};

static void push_features(lua_State *L, int bits) {
  int count = (int)(sizeof features / sizeof *features);
  lua_createtable(L, 0, count);
  for (int i = 0; i < count; i++) {
    lua_pushboolean(L, bits & features[i].bit);
    lua_setfield(L, -2, features[i].name);
  }
}

/*
** { transport = light userdata, a const struct mr_transport_type; version = libcurl's; tls = the TLS
** library and its version or nil; features = name to boolean, of libcurl; accept_encoding = the codings of answers
** that are undone here, as they are offered; thread_safe = whether libcurl may be
** initialised by several threads at a time }
*/
__attribute__((visibility("default"))) int luaopen_moonrest_curl(lua_State *L) {
  const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
  luaL_checkversion(L);
  lua_createtable(L, 0, 6);
  lua_pushlightuserdata(L, (void *)&mr_transport_curl);
  lua_setfield(L, -2, "transport");
  lua_pushstring(L, info->version);
  lua_setfield(L, -2, "version");
  lua_pushstring(L, info->ssl_version);
  lua_setfield(L, -2, "tls");
  push_features(L, info->features);
  lua_setfield(L, -2, "features");
  lua_pushliteral(L, MR_DECODER_OFFER);
  lua_setfield(L, -2, "accept_encoding");
  lua_pushboolean(L, info->features & CURL_VERSION_THREADSAFE);
  lua_setfield(L, -2, "thread_safe");
  return 1;
}
