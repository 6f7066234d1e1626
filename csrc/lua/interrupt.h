/* Ctrl-C, which a hook of the main thread tells, in C functions that wait and in coroutines that compute. */
#ifndef MR_LUA_INTERRUPT_H
#define MR_LUA_INTERRUPT_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

struct mr_lua_interrupt {
  lua_State *main; /* the main thread of the state */
  lua_Hook hook;   /* its hook when C code last had nothing to hear of it */
};

void mr_lua_interrupt_init(lua_State *L, struct mr_lua_interrupt *interrupt);
/* Functions that wait begin so: what came before is the main thread's to hear, if it is what runs. */
void mr_lua_interrupt_begin(lua_State *L, struct mr_lua_interrupt *interrupt);
/* Whether a hook came since then, which may be that of Ctrl-C. Changes nothing. */
bool mr_lua_interrupt_is_new(const struct mr_lua_interrupt *interrupt);
/* Whether Ctrl-C came since then. Pushes the error that its hook raised. */
bool mr_lua_interrupted(lua_State *L, struct mr_lua_interrupt *interrupt);
/* From now on coroutines that allocate hear Ctrl-C too, within one cycle of the collector. It costs nothing else: a hook
** of their own, the other way to interrupt what only computes, would take part in every instruction. 'interrupt' lives as
** long as the state. */
void mr_lua_interrupt_listen(lua_State *L, struct mr_lua_interrupt *interrupt);

#endif
