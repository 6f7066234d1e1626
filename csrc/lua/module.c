/* moonrest.core: ring 1 as Lua sees it. Loads neither libcurl nor libcrypto. */
#include "lua/glue.h"
#include "lua/json.h"
#include "lua/loading.h"
#include "lua/secret.h"

#define MR_VERSION "0.1.0"

/* Moves the fields of the table on top into the one below. */
static void merge(lua_State *L) {
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
}

__attribute__((visibility("default"))) int luaopen_moonrest_core(lua_State *L) {
  luaL_checkversion(L);
  mr_lua_make_string_box(L);
  mr_lua_install_compiled(L, &mr_compiled_set);
  lua_newtable(L);
  lua_pushliteral(L, MR_VERSION);
  lua_setfield(L, -2, "version");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  mr_lua_open_json(L);
  lua_setfield(L, -2, "json");
  mr_lua_open_secret(L);
  merge(L);
  mr_lua_open_values(L);
  mr_lua_open_bucket(L);
  lua_pushcfunction(L, mr_lua_share);
  lua_setfield(L, -2, "share");
  mr_lua_open_request(L);
  mr_lua_open_record(L);
  mr_lua_open_engine(L);
  lua_setfield(L, -2, "engine");
  mr_lua_open_route(L);
  lua_setfield(L, -2, "route");
  mr_lua_open_endpoint(L);
  lua_setfield(L, -2, "endpoint");
  return 1;
}
