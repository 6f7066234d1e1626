/*
** Ctrl-C while C code waits. The handler that lua5.4 has for SIGINT, like that of many hosts, sets a hook in the main
** thread of its lua_State, and the hook raises an error at the next instruction there. While a C function waits there is
** none, and while a coroutine waits none comes before it has what it waits for: so whoever waits looks for a new hook
** itself, and runs it.
*/
#include "lua/glue.h"

void mr_lua_interrupt_begin(struct mr_lua_engine *box) {
  box->hook = lua_gethook(box->main);
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
  mr_lua_interrupt_begin(box);
  return is_raised;
}

bool mr_lua_interrupted(lua_State *L, struct mr_lua_engine *box) {
  return lua_gethook(box->main) != box->hook && raises(L, box);
}
