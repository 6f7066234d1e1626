/* package.preload for the modules inside the static library. */
#include "lua/embedded.h"
#include "lua/glue.h"
#include "lua/loading.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int luaopen_moonrest_core(lua_State *L);
int luaopen_moonrest_curl(lua_State *L);
int luaopen_moonrest_digest(lua_State *L);
int luaopen_moonrest_redis(lua_State *L);
int luaopen_moonrest_sandbox_server(lua_State *L);

static int open_embedded(lua_State *L);

static const luaL_Reg c_modules[] = {
    {"moonrest.core", luaopen_moonrest_core},
    {"moonrest.curl", luaopen_moonrest_curl},
    {"moonrest.digest", luaopen_moonrest_digest},
#ifdef MOONREST_WITH_REDIS
    {"moonrest.redis", luaopen_moonrest_redis},
#endif
#ifdef MOONREST_WITH_SANDBOX
    {"moonrest.sandbox_server", luaopen_moonrest_sandbox_server},
#endif
    /* For a state that this library opens beside the host's. */
    {"moonrest.embedded", open_embedded},
    {NULL, NULL},
};

/* The sources are inside the program already, and of the compiled ones it needs no copy. */
static const struct mr_compiled no_modules[] = {{NULL, 0, NULL, 0}};
const struct mr_compiled_set mr_compiled_set = {"", no_modules};

static int compare(const void *name, const void *module) {
  return strcmp(name, ((const struct mr_embedded *)module)->name);
}

void mr_embedded_load(lua_State *L, const char *name) {
  const struct mr_embedded *module =
      bsearch(name, mr_embedded, mr_embedded_count, sizeof *module, compare);
  if (!module) mr_lua_error(L, "moonrest has no module '%s' inside", name);
  const char *text = (const char *)module->text;
  if (luaL_loadbufferx(L, text, module->size, module->chunk, "t") != LUA_OK) lua_error(L);
  lua_pushstring(L, name);
  lua_pushstring(L, module->chunk);
  lua_call(L, 2, 1);
}

/* The loader of every Lua module: require gives the name. */
static int load(lua_State *L) {
  mr_embedded_load(L, luaL_checkstring(L, 1));
  return 1;
}

/* The table of preloaded modules is on top. */
static void add(lua_State *L, const char *name, lua_CFunction loader) {
  if (lua_getfield(L, -1, name) == LUA_TNIL) {
    lua_pushcfunction(L, loader);
    lua_setfield(L, -3, name);
  }
  lua_pop(L, 1);
}

void mr_embedded_install(lua_State *L) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (lua_getfield(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE) != LUA_TTABLE)
    luaL_error(L, "moonrest needs the package library: call luaL_openlibs first");
  for (const luaL_Reg *module = c_modules; module->name; module++)
    add(L, module->name, module->func);
  for (size_t i = 0; i < mr_embedded_count; i++)
    add(L, mr_embedded[i].name, load);
  lua_pop(L, 1);
}

static int open_embedded(lua_State *L) {
  mr_embedded_install(L);
  lua_pushboolean(L, true);
  return 1;
}
