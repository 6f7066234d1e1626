/* moonrest.redis: limits that machines share. The only module that needs hiredis and libssl. */
#include "core/limiter_redis.h"
#include "lua/glue.h"

__attribute__((visibility("default"))) int luaopen_moonrest_redis(lua_State *L) {
  luaL_checkversion(L);
  lua_createtable(L, 0, 2);
  lua_pushlightuserdata(L, (void *)&mr_keeper_redis);
  lua_setfield(L, -2, "keeper");
  lua_pushstring(L, mr_redis_script); /* for whoever wants to read it, or to try it */
  lua_setfield(L, -2, "script");
  return 1;
}
