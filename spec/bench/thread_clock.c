/* A module of one function: the processor time of the calling thread in seconds. os.clock counts all threads. */
#include <lua.h>
#include <time.h>

static int thread_clock(lua_State *L) {
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  lua_pushnumber(L, (lua_Number)used.tv_sec + (lua_Number)used.tv_nsec * 1e-9);
  return 1;
}

int luaopen_thread_clock(lua_State *L) {
  lua_pushcfunction(L, thread_clock);
  return 1;
}
