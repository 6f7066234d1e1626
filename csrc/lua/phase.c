#include "lua/phase.h"

#define KIB 1024

/* Of 16 bytes each: more than pieces of marking free otherwise, and nothing to speak of. */
#define STRETCH_SLOTS 2048
#define SIGN_BYTES    (16 * KIB)

/* Its address is the registry's key, to the table with weak values. */
static const char cage_key = 0;

int64_t mr_lua_bytes_in_use(lua_State *L) {
  return (int64_t)lua_gc(L, LUA_GCCOUNT) * KIB + lua_gc(L, LUA_GCCOUNTB);
}

static void make_cage(lua_State *L) {
  lua_createtable(L, 1, 0);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &cage_key);
}

/* The stack is free to shrink when this has returned. */
static int begin(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cage_key) != LUA_TTABLE) make_cage(L);
  lua_newuserdatauv(L, 0, 0);
  lua_rawseti(L, -2, 1);
  bool is_main = lua_pushthread(L);
  if (is_main) lua_checkstack(L, STRETCH_SLOTS);
  return 0;
}

void mr_lua_phase_begin(lua_State *L, struct mr_lua_phase *phase) {
  *phase = (struct mr_lua_phase){.has_marked = true};
  if (!lua_checkstack(L, 1)) return;
  int64_t before = mr_lua_bytes_in_use(L);
  lua_pushcfunction(L, begin);
  if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
    lua_pop(L, 1);
    return;
  }
  phase->has_marked = false;
  phase->tells = mr_lua_bytes_in_use(L) - before >= SIGN_BYTES;
}

static bool is_caged(lua_State *L) {
  int top = lua_gettop(L);
  bool is = lua_checkstack(L, 2) && lua_rawgetp(L, LUA_REGISTRYINDEX, &cage_key) == LUA_TTABLE &&
            lua_rawgeti(L, -1, 1) == LUA_TUSERDATA;
  lua_settop(L, top);
  return is;
}

void mr_lua_phase_look(lua_State *L, struct mr_lua_phase *phase, int64_t bytes_before) {
  if (phase->has_marked) return;
  phase->has_marked = !is_caged(L);
  phase->nears = !phase->has_marked && phase->tells &&
                 (phase->nears || bytes_before - mr_lua_bytes_in_use(L) >= SIGN_BYTES);
}
