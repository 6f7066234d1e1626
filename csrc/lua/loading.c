#include "lua/loading.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define HEAD_SIZE   32 /* bytes before the name of the source: header, number of upvalues */
#define NAME_LIMIT  (1 << 14)
#define LANES       4         /* of the hash, so that no multiplication waits for the one before */
#define BLOCK_SIZE  (1 << 14) /* bytes, a multiple of what the lanes take; most sources fit in */
#define HASH_FACTOR UINT64_C(0x9E3779B97F4A7C15)

/* In every Lua. One that does not export it is taken for another release. */
extern const char lua_ident[] __attribute__((weak));

/* {====== Is it the same source ====== */

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * HASH_FACTOR;
  return hash ^ hash >> 32;
}

/* The words of the text take turns in the lanes; what is missing of the last turn is zero. */
static void hash_more(uint64_t lanes[LANES], const char *text, size_t size) {
  for (size_t i = 0; i < size; i += LANES * sizeof *lanes) {
    uint64_t words[LANES] = {0};
    memcpy(words, text + i, size - i < sizeof words ? size - i : sizeof words);
    for (int lane = 0; lane < LANES; lane++)
      lanes[lane] = mix(lanes[lane], words[lane]);
  }
}

/* The next block of a file, or what is left of it; negative when it cannot be read. */
static ssize_t read_block(int file, char block[BLOCK_SIZE]) {
  ssize_t got, size = 0;
  while (size < BLOCK_SIZE && (got = read(file, block + size, (size_t)(BLOCK_SIZE - size))) > 0)
    size += got;
  return got < 0 ? got : size;
}

/* Tells texts apart, not attackers: who can write the source needs no tricks. */
static bool is_source(const struct mr_compiled *module, int file) {
  char block[BLOCK_SIZE];
  uint64_t lanes[LANES] = {0}, hash = 0;
  ssize_t size;
  size_t total = 0;
  do {
    size = read_block(file, block);
    if (size < 0) return false;
    hash_more(lanes, block, (size_t)size);
    total += (size_t)size;
  } while (size == BLOCK_SIZE);
  for (int lane = 0; lane < LANES; lane++)
    hash = mix(hash, lanes[lane]);
  return (hash ^ total) == module->hash;
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

static const struct mr_compiled *find(const struct mr_compiled_set *set, const char *name) {
  for (const struct mr_compiled *module = set->modules; module->name; module++)
    if (strcmp(module->name, name) == 0) return module;
  return NULL;
}

/* Pushes the file that package.path has for the module, and returns its name, when it holds the source of the compiled
** form; else NULL. Looks where Lua's own searcher does, and opens the file once. */
static const char *push_source(lua_State *L, const struct mr_compiled *module) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "path");
  const char *path = lua_tostring(L, -1);
  const char *place = path ? luaL_gsub(L, module->name, ".", LUA_DIRSEP) : NULL;
  const char *next = path ? luaL_gsub(L, path, LUA_PATH_MARK, place) : "";
  while (*next) {
    size_t size = strcspn(next, LUA_PATH_SEP);
    const char *name = lua_pushlstring(L, next, size);
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
      bool good = is_source(module, file);
      close(file);
      return good ? name : NULL;
    }
    lua_pop(L, 1);
    next += size + (next[size] != '\0');
  }
  return NULL;
}

/* A searcher of package.searchers. It finds the files that Lua's own one behind it would, and leaves to that all that it
** has no compiled form of. */
static int search(lua_State *L) {
  const struct mr_compiled *module =
      find(lua_touserdata(L, lua_upvalueindex(1)), luaL_checkstring(L, 1));
  const char *path = module ? push_source(L, module) : NULL;
  if (!path || !undump(L, module, lua_pushfstring(L, "@%s", path))) return 0;
  lua_pushstring(L, path); /* the file, which require passes on */
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

/* Pushes the file in which package.cpath has the module, and returns it; else NULL, and a text that tells where it was
** looked for. */
static const char *push_library(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, LUA_LOADLIBNAME);
  lua_getfield(L, -1, "searchpath");
  lua_pushstring(L, name);
  lua_getfield(L, -3, "cpath");
  lua_call(L, 2, 2);
  bool found = !lua_isnil(L, -2);
  lua_pushvalue(L, found ? -2 : -1);
  lua_replace(L, -5);
  lua_pop(L, 3);
  return found ? lua_tostring(L, -1) : NULL;
}

/* Loads the libraries behind a C module of ours: require would have every symbol in them bound at once, and libcurl
** brings thirty libraries of which a program calls little. What goes wrong here is for require to tell. */
static void load_lazily(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  /* Of the program, as in the static library. */
  bool is_inside = lua_getfield(L, -1, name) != LUA_TNIL;
  lua_pop(L, 2);
  if (is_inside) return;
  const char *path = push_library(L, name);
  if (path) dlopen(path, RTLD_LAZY | RTLD_LOCAL);
  lua_pop(L, 1);
}

void mr_lua_require(lua_State *L, const char *name) {
  load_lazily(L, name);
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}
