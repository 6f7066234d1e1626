/*
** What stays of a call of the short way. Its request userdata serves the next call of the endpoint, for otherwise each
** would be a finalizer's work and keep its memory until then; the record is bytes that the collector drops by itself.
*/
#include "core/record.h"

#include "lua/glue.h"

#define RETIRED_MAX 256 /* as many as usually fly at once */

/* Pushes the table, making it when it is the first time. */
static void push_retired(lua_State *L, int endpoint_index) {
  if (lua_getiuservalue(L, endpoint_index, MR_LUA_ENDPOINT_RETIRED) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, endpoint_index, MR_LUA_ENDPOINT_RETIRED);
}

/* The table does not keep what is in use: a call that nobody waits for any more ends when it is collected. */
struct mr_lua_request *mr_lua_request_renew(lua_State *L, struct mr_lua_endpoint *endpoint,
                                            int endpoint_index) {
  if (endpoint->retired_count == 0) return mr_lua_request_new(L, endpoint, endpoint_index);
  push_retired(L, endpoint_index);
  lua_rawgeti(L, -1, endpoint->retired_count);
  lua_pushnil(L);
  lua_rawseti(L, -3, endpoint->retired_count--);
  lua_remove(L, -2);
  struct mr_lua_request *box = lua_touserdata(L, -1);
  mr_lua_request_fill(L, box, endpoint);
  return box;
}

static void retire(lua_State *L, struct mr_lua_request *box) {
  lua_getiuservalue(L, 1, MR_LUA_REQUEST_ENDPOINT);
  struct mr_lua_endpoint *endpoint = lua_touserdata(L, -1);
  if (endpoint->retired_count < RETIRED_MAX) {
    push_retired(L, lua_gettop(L));
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, endpoint->retired_count + 1);
    endpoint->retired_count++;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  struct mr_request *request = box->request;
  if (box->engine->started == box) box->engine->started = NULL;
  box->request = NULL;
  mr_request_free(request);
}

void mr_lua_request_retire(lua_State *L) {
  struct mr_lua_request *box = lua_touserdata(L, 1);
  size_t size = mr_record_size(box->request);
  if (size == 0) {
    lua_pushvalue(L, 1);
    return;
  }
  struct mr_record *record = lua_newuserdatauv(L, size, 0);
  mr_record_fill(record, box->request);
  luaL_setmetatable(L, MR_LUA_RECORD);
  retire(L, box);
}

/* record:recall(endpoint): the request that it was, finished. */
static int recall(lua_State *L) {
  const struct mr_record *record = mr_lua_self(L, MR_LUA_RECORD);
  struct mr_lua_endpoint *endpoint = luaL_checkudata(L, 2, MR_LUA_ENDPOINT);
  lua_settop(L, 2);
  struct mr_lua_request *box = mr_lua_request_new(L, endpoint, 2);
  if (!mr_record_recall(record, box->request)) return luaL_error(L, "out of memory");
  return 1;
}

void mr_lua_open_record(lua_State *L) {
  static const luaL_Reg metamethods[] = {{NULL, NULL}};
  static const luaL_Reg methods[] = {{"recall", recall}, {NULL, NULL}};
  mr_lua_metatable(L, MR_LUA_RECORD, metamethods, methods);
}
