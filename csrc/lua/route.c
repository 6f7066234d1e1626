/* A route: how to reach servers (proxy, certificates, socket). Immutable. */
#include <string.h>

#include "core/memory.h"
#include "lua/glue.h"

static int route_gc(lua_State *L) {
  struct mr_lua_route *box = luaL_checkudata(L, 1, MR_LUA_ROUTE);
  if (!box->is_open) return 0;
  box->is_open = false;
  struct mr_lua_engine *engine = mr_lua_engine_peek(L);
  if (engine && engine->engine) mr_engine_route_closed(engine->engine, &box->route);
  mr_route_free(&box->route);
  return 0;
}

static void read_text(lua_State *L, const char *field, char **out) {
  size_t size;
  int type = lua_getfield(L, 1, field);
  if (type != LUA_TNIL) {
    if (type != LUA_TSTRING) luaL_error(L, "%s must be a string", field);
    const char *text = lua_tolstring(L, -1, &size);
    if (strlen(text) != size) luaL_error(L, "%s must not contain NUL", field);
    *out = mr_duplicate(text, size);
    if (!*out) luaL_error(L, "out of memory");
  }
  lua_pop(L, 1);
}

static void read_fields(lua_State *L, struct mr_route *route) {
  lua_Integer most = 0;
  read_text(L, "proxy", &route->proxy);
  read_text(L, "no_proxy", &route->no_proxy);
  read_text(L, "ca_file", &route->ca_file);
  read_text(L, "client_cert", &route->client_cert);
  read_text(L, "client_key", &route->client_key);
  read_text(L, "unix_socket", &route->unix_socket);
  read_text(L, "resolve", &route->resolve_host);
  route->verify = lua_getfield(L, 1, "verify") == LUA_TNIL || lua_toboolean(L, -1);
  route->http2 = lua_getfield(L, 1, "http2") == LUA_TNIL || lua_toboolean(L, -1);
  lua_pop(L, 2);
  if (mr_lua_field_integer(L, 1, "max_connections", 1, &most))
    route->max_connections = (uint32_t)(most < 65536 ? most : 65536);
}

static int new_route(lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  struct mr_lua_route *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (struct mr_lua_route){.is_open = true};
  luaL_setmetatable(L, MR_LUA_ROUTE);
  read_fields(L, &box->route);
  return 1;
}

int mr_lua_open_route(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", route_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{NULL, NULL}};
  mr_lua_metatable(L, MR_LUA_ROUTE, metamethods, methods);
  lua_pushcfunction(L, new_route);
  return 1;
}
