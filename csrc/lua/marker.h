/*
** Two pieces of a cycle of Lua's incremental collector grow with what a program did meanwhile, and Lua does not divide
** them. The marker keeps them short, by means of the upvalues of one function of its own:
**
** - When all is marked, sweeping begins with everything younger than the youngest object that lives: a large answer
**   that was dropped since is freed at once, object by object. So there is a young object which lives.
** - Before that, all that was put meanwhile into tables which had been marked is looked at again with all that is in it.
**   So what a decoder builds meanwhile is marked when it is put there: storing it in an upvalue of a marked function
**   does that.
**
** The price: what is marked so is freed by the next cycle at the earliest. Not for the generational collector, which
** would take all of it for old.
*/
#ifndef MR_LUA_MARKER_H
#define MR_LUA_MARKER_H

#include <lua.h>

/* Makes an object that lives the youngest of all. Raises nothing; does nothing for want of memory. */
void mr_lua_marker_lead(lua_State *L);

/* Pushes the marker, once it has led, and returns its index; or returns 0. */
int mr_lua_marker_push(lua_State *L);

/* What stands at 'index' is reached by this cycle, in one of its next pieces. */
static inline void mr_lua_mark(lua_State *L, int marker, int index) {
  lua_pushvalue(L, index);
  lua_setupvalue(L, marker, 2);
}

/* Keeps nothing alive any longer. */
static inline void mr_lua_marker_forget(lua_State *L, int marker) {
  lua_pushnil(L);
  lua_setupvalue(L, marker, 2);
}

#endif
