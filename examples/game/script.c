#include "script.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <moonrest.h>
#include <stdio.h>

#include "canvas_lua.h"

/* Names in the registry. */
#define BROWSER "game.browser"
#define CANVAS  "game.canvas"

static int explain(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/* Like lua_pcall; an error goes to stderr. */
static bool call(lua_State *L, int arguments, int results) {
  int base = lua_gettop(L) - arguments;
  lua_pushcfunction(L, explain);
  lua_insert(L, base);
  bool good = lua_pcall(L, arguments, results, base) == LUA_OK;
  if (!good) {
    fprintf(stderr, "game: %s\n", lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  lua_remove(L, base);
  return good;
}

static void push_function(lua_State *L, const char *name) {
  lua_getfield(L, LUA_REGISTRYINDEX, BROWSER);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

/* {====== Opening ====== */

static void tell(void *context, const char *event, const char *line) {
  (void)context;
  fprintf(stderr, "game: %s: %s\n", event, line);
}

static void find_files_beside(lua_State *L) {
  lua_getglobal(L, "package");
  lua_pushliteral(L, GAME_DIRECTORY "/?.lua");
  lua_setfield(L, -2, "path");
  lua_pop(L, 1);
}

static void push_options(lua_State *L, const struct script_options *options) {
  lua_createtable(L, 0, 3);
  lua_pushstring(L, options->relay);
  lua_setfield(L, -2, "relay");
  lua_pushboolean(L, options->use_account);
  lua_setfield(L, -2, "account");
  lua_pushboolean(L, options->is_scripted);
  lua_setfield(L, -2, "scripted");
}

/* Arguments: the canvas, the options. What may raise is done under call. */
static int prepare(lua_State *L) {
  struct canvas *canvas = lua_touserdata(L, 1);
  luaL_openlibs(L);
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  find_files_beside(L);
  canvas_push(L, canvas);
  lua_setfield(L, LUA_REGISTRYINDEX, CANVAS);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "browser");
  lua_call(L, 1, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, BROWSER);
  lua_getfield(L, -1, "start");
  push_options(L, lua_touserdata(L, 2));
  lua_call(L, 1, 0);
  return 0;
}

lua_State *script_open(struct canvas *canvas, const struct script_options *options) {
  lua_State *L = luaL_newstate();
  if (!L) {
    fputs("game: no memory for Lua\n", stderr);
    return NULL;
  }
  struct script_options copy = *options;
  lua_pushcfunction(L, prepare);
  lua_pushlightuserdata(L, canvas);
  lua_pushlightuserdata(L, &copy);
  if (!call(L, 2, 0)) {
    script_close(L);
    return NULL;
  }
  mr_set_log(L, tell, NULL);
  mr_set_blocking(L, false); /* from here on a call that would hold up a frame is an error */
  return L;
}

void script_close(lua_State *L) {
  lua_close(L);
}

/* }====== */

bool script_key(lua_State *L, const char *name) {
  push_function(L, "key");
  lua_pushstring(L, name);
  return call(L, 1, 0);
}

bool script_draw(lua_State *L, double now) {
  push_function(L, "draw");
  lua_getfield(L, LUA_REGISTRYINDEX, CANVAS);
  lua_pushnumber(L, now);
  return call(L, 2, 0);
}

bool script_is_over(lua_State *L) {
  push_function(L, "is_over");
  bool is_over = call(L, 0, 1) && lua_toboolean(L, -1);
  lua_settop(L, 0);
  return is_over;
}
