/*
** How far a cycle of Lua's incremental collector is, which Lua tells nobody: whether it nears the end of marking, and
** whether it is past it. That end is one piece which Lua does not divide: all that lives in stacks, and in tables that
** are being filled, is looked at once more.
**
** The main thread is what a cycle reaches first and looks into last of all, and a stack that is much larger than need be
** shrinks when it is looked into. So it is made larger as a cycle begins: so much memory is free again right before the
** end. Behind the end an object that nobody has is gone from a table with weak values.
*/
#ifndef MR_LUA_PHASE_H
#define MR_LUA_PHASE_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct mr_lua_phase {
  bool tells;      /* that the end nears: not in a coroutine, nor without memory */
  bool nears;      /* the end of marking */
  bool has_marked; /* it is past that */
};

int64_t mr_lua_bytes_in_use(lua_State *L);

/* At the begin of a cycle. Raises nothing; nothing is known for want of memory. */
void mr_lua_phase_begin(lua_State *L, struct mr_lua_phase *phase);

/* After a piece, before which so many bytes were in use. */
void mr_lua_phase_look(lua_State *L, struct mr_lua_phase *phase, int64_t bytes_before);

#endif
