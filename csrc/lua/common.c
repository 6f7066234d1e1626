#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "lua/glue.h"

void mr_lua_error(lua_State *L, const char *format, ...) {
  va_list arguments;
  luaL_where(L, 1);
  va_start(arguments, format);
  lua_pushvfstring(L, format, arguments);
  va_end(arguments);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

/*
** Lua (5.4.3 to 5.4.8) makes the metatable of its box for long strings in two pieces, when it first needs one. Where
** memory ends between the two, no string longer than a buffer can be made in that state any more: "variable '(C
** temporary)' got a non-closable value". So the box is made now, and what an earlier want of memory left is forgotten.
*/
void mr_lua_make_string_box(lua_State *L) {
  static const char box[] = "_UBOX*";
  luaL_Buffer buffer;
  int top = lua_gettop(L);
  if (luaL_getmetatable(L, box) == LUA_TTABLE && lua_getfield(L, -1, "__close") == LUA_TNIL) {
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, box);
  }
  lua_settop(L, top);
  luaL_buffinitsize(L, &buffer, 2 * LUAL_BUFFERSIZE);
  luaL_pushresultsize(&buffer, 0);
  lua_settop(L, top);
}

int64_t mr_lua_seconds(lua_State *L, int index, const char *field) {
  int is_number;
  lua_Number seconds = lua_tonumberx(L, index, &is_number);
  if (!is_number || isnan(seconds) || seconds < 0)
    luaL_error(L, "%s must be a time in seconds, not %s", field, luaL_tolstring(L, index, NULL));
  return mr_time_from_seconds(seconds);
}

bool mr_lua_field_seconds(lua_State *L, int table, const char *field, int64_t *out_us) {
  bool present = lua_getfield(L, table, field) != LUA_TNIL;
  if (present) *out_us = mr_lua_seconds(L, -1, field);
  lua_pop(L, 1);
  return present;
}

bool mr_lua_field_integer(lua_State *L, int table, const char *field, lua_Integer least,
                          lua_Integer *out) {
  bool present = lua_getfield(L, table, field) != LUA_TNIL;
  int is_integer = 1;
  if (present) *out = lua_tointegerx(L, -1, &is_integer);
  if (present && (!is_integer || *out < least))
    luaL_error(L, "%s must be an integer of at least %I, not %s", field, (LUAI_UACINT)least,
               luaL_tolstring(L, -1, NULL));
  lua_pop(L, 1);
  return present;
}

bool mr_lua_field_boolean(lua_State *L, int table, const char *field) {
  lua_getfield(L, table, field);
  bool value = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

int mr_lua_failure(lua_State *L, const struct mr_error *error) {
  luaL_pushfail(L);
  lua_pushstring(L, mr_kind_name(error->kind));
  lua_pushstring(L, error->message);
  return 3;
}

/* As luaL_checkudata, without the look-up by name: a third of the time, in each of a call's half dozen. */
void *mr_lua_self(lua_State *L, const char *name) {
  void *box = lua_touserdata(L, 1);
  if (box && lua_getmetatable(L, 1)) {
    bool mine = lua_rawequal(L, -1, lua_upvalueindex(1));
    lua_pop(L, 1);
    if (mine) return box;
  }
  return luaL_checkudata(L, 1, name);
}

void mr_lua_metatable(lua_State *L, const char *name, const luaL_Reg *metamethods,
                      const luaL_Reg *methods) {
  luaL_newmetatable(L, name);
  lua_pushvalue(L, -1);
  luaL_setfuncs(L, metamethods, 1);
  lua_newtable(L);
  lua_pushvalue(L, -2);
  luaL_setfuncs(L, methods, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}
