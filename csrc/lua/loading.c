#include "lua/loading.h"

#include <dlfcn.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define HEAD_SIZE   32 /* bytes before the name of the source: header, number of upvalues */
#define NAME_LIMIT  (1 << 14)
#define BLOCK_SIZE  8192 /* bytes, a multiple of 8 */
#define HASH_FACTOR UINT64_C(0x9E3779B97F4A7C15)

/* In every Lua. One that does not export it is taken for another release. */
extern const char lua_ident[] __attribute__((weak));

/* {====== Is it the same source ====== */

static uint64_t hash_more(uint64_t hash, const char *text, size_t size) {
  for (size_t i = 0; i < size; i += 8) {
    uint64_t word = 0;
    memcpy(&word, text + i, size - i < 8 ? size - i : 8);
    hash = (hash ^ word) * HASH_FACTOR;
    hash ^= hash >> 32;
  }
  return hash;
}

/* Tells texts apart, not attackers: who can write the source needs no tricks. False when the file cannot be read. */
static bool hash_file(const char *path, uint64_t *hash) {
  char block[BLOCK_SIZE];
  size_t size, total = 0;
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  setvbuf(file, NULL, _IONBF, 0);
  *hash = 0;
  while ((size = fread(block, 1, sizeof block, file)) > 0) {
    *hash = hash_more(*hash, block, size);
    total += size;
  }
  bool good = !ferror(file);
  fclose(file);
  *hash ^= total;
  return good;
}

static bool is_source(const struct mr_compiled *module, const char *path) {
  uint64_t hash;
  return hash_file(path, &hash) && hash == module->hash;
}

/* }====== */

/* {====== Compiled Lua ====== */

struct pieces {
  struct {
    const void *bytes;
    size_t size;
  } piece[4];
  int next;
};

static const char *next_piece(lua_State *L, void *context, size_t *size) {
  struct pieces *pieces = context;
  (void)L;
  if (pieces->next == 4) return NULL;
  *size = pieces->piece[pieces->next].size;
  return pieces->piece[pieces->next++].bytes;
}

/* Pushes the function of a module under the name that its source has here. In a chunk, a text follows its size plus one
** in groups of seven bits, the last of them marked. */
static bool undump(lua_State *L, const struct mr_compiled *module, const char *chunk_name) {
  size_t size = strlen(chunk_name);
  if (size + 1 >= NAME_LIMIT) return false;
  unsigned char length[2] = {(unsigned char)((size + 1) >> 7),
                             (unsigned char)(((size + 1) & 0x7f) | 0x80)};
  struct pieces pieces = {{{module->chunk, HEAD_SIZE},
                           {length, sizeof length},
                           {chunk_name, size},
                           {module->chunk + HEAD_SIZE, module->size - HEAD_SIZE}},
                          0};
  if (lua_load(L, next_piece, &pieces, chunk_name, "b") == LUA_OK) return true;
  lua_pop(L, 1);
  return false;
}

/* Pushes the file in which package.path or package.cpath ('where') has the module, and returns it; else NULL, and a text
** that tells where it was looked for. */
static const char *push_path(lua_State *L, const char *name, const char *where) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "searchpath");
  lua_pushstring(L, name);
  lua_getfield(L, -3, where);
  lua_call(L, 2, 2);
  bool found = !lua_isnil(L, -2);
  lua_pushvalue(L, found ? -2 : -1);
  lua_replace(L, -5);
  lua_pop(L, 3);
  return found ? lua_tostring(L, -1) : NULL;
}

static const struct mr_compiled *find(const struct mr_compiled_set *set, const char *name) {
  for (const struct mr_compiled *module = set->modules; module->name; module++)
    if (strcmp(module->name, name) == 0) return module;
  return NULL;
}

/* A searcher of package.searchers. It finds the files that Lua's own one behind it would, and leaves to that all that it
** has no compiled form of. */
static int search(lua_State *L) {
  const struct mr_compiled *module =
      find(lua_touserdata(L, lua_upvalueindex(1)), luaL_checkstring(L, 1));
  const char *path = module ? push_path(L, module->name, "path") : NULL;
  if (!path) return 0;
  const char *chunk_name = lua_pushfstring(L, "@%s", path);
  if (!is_source(module, path) || !undump(L, module, chunk_name)) return 0;
  lua_pushvalue(L, -3); /* the file, which require passes on */
  return 2;
}

/* The list of searchers is on top, the new one below it. What is preloaded still comes first. */
static void insert_searcher(lua_State *L) {
  for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
    lua_geti(L, -1, i);
    lua_seti(L, -2, i + 1);
  }
  lua_pushvalue(L, -2);
  lua_seti(L, -2, 2);
}

void mr_lua_install_compiled(lua_State *L, const struct mr_compiled_set *set) {
  if (!lua_ident || !strstr(lua_ident, set->compiler)) return;
  int top = lua_gettop(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, set) == LUA_TNIL) {
    lua_pushlightuserdata(L, (void *)set);
    lua_pushcclosure(L, search, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, LUA_LOADLIBNAME) == LUA_TTABLE &&
        lua_getfield(L, -1, "searchers") == LUA_TTABLE) {
      lua_pushvalue(L, top + 2);
      lua_insert(L, -2);
      insert_searcher(L);
    }
    lua_pushboolean(L, true);
    lua_rawsetp(L, LUA_REGISTRYINDEX, set);
  }
  lua_settop(L, top);
}

/* }====== */

void mr_lua_load_lazily(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  bool is_inside =
      lua_getfield(L, -1, name) != LUA_TNIL; /* of the program, as in the static library */
  lua_pop(L, 2);
  if (is_inside) return;
  const char *path = push_path(L, name, "cpath");
  if (path) dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  lua_pop(L, 1);
}
