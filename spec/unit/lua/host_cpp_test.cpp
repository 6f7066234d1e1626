// moonrest.h from C++: compiles without a warning, links, opens and steps.
#include <cstdio>

#include <lua.hpp>

#include "moonrest.h"

int main() {
  lua_State *L = luaL_newstate();
  if (!L) return 1;
  luaL_openlibs(L);
  luaL_requiref(L, "moonrest", luaopen_moonrest, 1);
  mr_limits limits = {1000000, 10};
  bool is_set = mr_set_limits(L, &limits) && mr_set_blocking(L, false);
  mr_step_result step = mr_step(L, 1000);
  if (step.message) std::fprintf(stderr, "%s\n", step.message);
  lua_close(L);
  return is_set && step.status == MR_STEP_IDLE ? 0 : 1;
}
