/*
** Ctrl-C while C code waits. The handler that lua5.4 has for SIGINT, like that of many hosts, sets a hook in the main
** thread of its lua_State, and the hook raises an error at the next instruction there. While a C function waits there is
** none, and while a coroutine waits none comes before it has what it waits for: so whoever waits looks for a new hook
** itself, and runs it.
*/
#include "lua/interrupt.h"

static void note(struct mr_lua_interrupt *interrupt) {
  interrupt->hook = lua_gethook(interrupt->main);
}

void mr_lua_interrupt_init(lua_State *L, struct mr_lua_interrupt *interrupt) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  interrupt->main = lua_tothread(L, -1);
  lua_pop(L, 1);
  interrupt->hook = NULL;
}

void mr_lua_interrupt_begin(lua_State *L, struct mr_lua_interrupt *interrupt) {
  if (L == interrupt->main) note(interrupt);
}

/* As Lua does it, but for the event's line, which C code has none of. */
static int run_hook(lua_State *L) {
  const struct mr_lua_interrupt *interrupt = lua_touserdata(L, 1);
  lua_Hook hook = lua_gethook(interrupt->main);
  lua_Debug here;
  if (!hook || !lua_getstack(L, 0, &here)) return 0;
  here.event = LUA_HOOKCOUNT;
  here.currentline = -1;
  hook(L, &here);
  return 0;
}

/* One that raises is done with: it must not raise once more when the main thread, which may be another, goes on. */
static bool raises(lua_State *L, struct mr_lua_interrupt *interrupt) {
  lua_Hook hook = lua_gethook(interrupt->main);
  lua_pushcfunction(L, run_hook);
  lua_pushlightuserdata(L, interrupt);
  bool is_raised = lua_pcall(L, 1, 0, 0) != LUA_OK;
  if (is_raised && lua_gethook(interrupt->main) == hook) lua_sethook(interrupt->main, NULL, 0, 0);
  note(interrupt);
  return is_raised;
}

bool mr_lua_interrupt_is_new(const struct mr_lua_interrupt *interrupt) {
  return lua_gethook(interrupt->main) != interrupt->hook;
}

bool mr_lua_interrupted(lua_State *L, struct mr_lua_interrupt *interrupt) {
  return mr_lua_interrupt_is_new(interrupt) && raises(L, interrupt);
}

/* A new object, which nobody has, with the metatable on top. */
static void expose(lua_State *L, struct mr_lua_interrupt *interrupt) {
  struct mr_lua_interrupt **listener = lua_newuserdatauv(L, sizeof *listener, 0);
  *listener = interrupt;
  lua_insert(L, -2);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
}

/* The finalizer of an object that nobody has: the collector calls it once in each of its cycles, in the thread that runs.
** There a new hook of the main thread is put too. The next cycle gets an object of its own: a generational collector
** looks at young ones only. Where there is no memory for that, this one stays. */
static int listen_in(lua_State *L) {
  struct mr_lua_interrupt *interrupt = *(struct mr_lua_interrupt **)lua_touserdata(L, 1);
  lua_Hook hook = lua_gethook(interrupt->main);
  if (L != interrupt->main && hook && mr_lua_interrupt_is_new(interrupt) && !lua_gethook(L))
    lua_sethook(L, hook, lua_gethookmask(interrupt->main), lua_gethookcount(interrupt->main));
  lua_getmetatable(L, 1);
  lua_pushvalue(L, -1);
  lua_setmetatable(L, 1); /* to be finalized once more */
  expose(L, interrupt);
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  return 0;
}

void mr_lua_interrupt_listen(lua_State *L, struct mr_lua_interrupt *interrupt) {
  lua_createtable(L, 0, 2);
  lua_pushliteral(L, "moonrest.listener");
  lua_setfield(L, -2, "__name");
  lua_pushcfunction(L, listen_in);
  lua_setfield(L, -2, "__gc");
  expose(L, interrupt);
}
