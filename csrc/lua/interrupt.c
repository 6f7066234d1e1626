/*
** Ctrl-C while C code waits. The handler that lua5.4 has for SIGINT, like that of many hosts, sets a hook in the main
** thread of its lua_State, and the hook raises an error at the next instruction there. While a C function waits there is
** none, and while a coroutine waits none comes before it has what it waits for: so whoever waits looks for a new hook
** itself, and runs it.
*/
#include "lua/glue.h"

static void note(struct mr_lua_engine *box) {
  box->hook = lua_gethook(box->main);
}

void mr_lua_interrupt_begin(lua_State *L, struct mr_lua_engine *box) {
  if (L == box->main) note(box);
}

/* As Lua does it, but for the event's line, which C code has none of. */
static int run_hook(lua_State *L) {
  const struct mr_lua_engine *box = lua_touserdata(L, 1);
  lua_Hook hook = lua_gethook(box->main);
  lua_Debug here;
  if (!hook || !lua_getstack(L, 0, &here)) return 0;
  here.event = LUA_HOOKCOUNT;
  here.currentline = -1;
  hook(L, &here);
  return 0;
}

/* One that raises is done with: it must not raise once more when the main thread, which may be another, goes on. */
static bool raises(lua_State *L, struct mr_lua_engine *box) {
  lua_Hook hook = lua_gethook(box->main);
  lua_pushcfunction(L, run_hook);
  lua_pushlightuserdata(L, box);
  bool is_raised = lua_pcall(L, 1, 0, 0) != LUA_OK;
  if (is_raised && lua_gethook(box->main) == hook) lua_sethook(box->main, NULL, 0, 0);
  note(box);
  return is_raised;
}

static bool is_new(const struct mr_lua_engine *box) {
  return lua_gethook(box->main) != box->hook;
}

bool mr_lua_interrupted(lua_State *L, struct mr_lua_engine *box) {
  return is_new(box) && raises(L, box);
}

/* A new object, which nobody has, with the metatable on top. */
static void expose(lua_State *L, struct mr_lua_engine *box) {
  struct mr_lua_engine **listener = lua_newuserdatauv(L, sizeof *listener, 0);
  *listener = box;
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

/* The finalizer of an object that nobody has: the collector calls it once in each of its cycles, in the thread that runs.
** There a new hook of the main thread is put too. The next cycle gets an object of its own: a generational collector
** looks at young ones only. */
static int listen_in(lua_State *L) {
  struct mr_lua_engine *box = *(struct mr_lua_engine **)lua_touserdata(L, 1);
  lua_Hook hook = lua_gethook(box->main);
  if (L != box->main && hook && is_new(box) && !lua_gethook(L))
    lua_sethook(L, hook, lua_gethookmask(box->main), lua_gethookcount(box->main));
  lua_getmetatable(L, 1);
  expose(L, box);
  return 0;
}

void mr_lua_interrupt_listen(lua_State *L, struct mr_lua_engine *box) {
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "moonrest.listener");
  lua_setfield(L, -2, "__name");
  lua_pushcfunction(L, listen_in);
  lua_setfield(L, -2, "__gc");
  expose(L, box);
}
