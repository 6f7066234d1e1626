#include "lua/marker.h"

/* Its address is the registry's key, to the table with these. */
static const char shelf_key = 0;
enum { MARKER = 1, HANDLE };

/* Is never called: it has upvalues. */
static int marker(lua_State *L) {
  (void)L;
  return 0;
}

/* The handle is a table with nothing but the marker in it. */
static void make(lua_State *L) {
  lua_createtable(L, 2, 0);
  lua_pushnil(L);
  lua_pushnil(L);
  lua_pushcclosure(L, marker, 2);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, 1);
  lua_rawseti(L, -3, HANDLE);
  lua_rawseti(L, -2, MARKER);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &shelf_key);
}

/* Only a function that was reached itself marks what it is given. The registry is reached before all else, and what it
** has for a metatable, be it for a moment, right after it; what stands in it may be the last, and so is the marker's
** shelf. */
static void hurry(lua_State *L, int shelf) {
  if (!lua_getmetatable(L, LUA_REGISTRYINDEX)) lua_pushnil(L);
  lua_rawgeti(L, shelf, HANDLE);
  lua_setmetatable(L, LUA_REGISTRYINDEX);
  lua_setmetatable(L, LUA_REGISTRYINDEX);
}

static int lead(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &shelf_key) != LUA_TTABLE) make(L);
  int shelf = lua_gettop(L);
  hurry(L, shelf);
  lua_rawgeti(L, shelf, MARKER);
  lua_newuserdatauv(L, 0, 0);
  lua_setupvalue(L, -2, 1);
  return 0;
}

void mr_lua_marker_lead(lua_State *L) {
  if (!lua_checkstack(L, 1)) return;
  lua_pushcfunction(L, lead);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) lua_pop(L, 1);
}

int mr_lua_marker_push(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &shelf_key) != LUA_TTABLE) {
    lua_pop(L, 1);
    return 0;
  }
  lua_rawgeti(L, -1, MARKER);
  lua_remove(L, -2);
  return lua_gettop(L);
}
