/*
** moonrest.h: what a host program calls. Every entry runs a prepared C function under lua_pcall, so that nothing
** of Lua's jumps into the host.
*/
#include "moonrest.h"

#include <lauxlib.h>
#include <lua.h>

#include "core/clock.h"
#include "core/registry.h"
#include "lua/embedded.h"
#include "lua/glue.h"

/* Addresses are the registry's keys. */
static const char half_key = 'l';    /* moonrest.host, false until it is first needed */
static const char message_key = 'm'; /* what a step's message points into, or false */

static const char no_room[] = "the Lua stack is full";
static const char no_words[] = "an error that cannot be told, for want of memory";

/* {====== Opening ====== */

int luaopen_moonrest(lua_State *L) {
  luaL_checkversion(L);
  mr_lua_make_string_box(L);
  mr_registry_seal();
  mr_embedded_install(L);
  lua_pushboolean(L, false);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &half_key);
  lua_pushboolean(L, false);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &message_key);
  mr_embedded_load(L, "moonrest");
  return 1;
}

bool mr_set_allocator(mr_allocator allocator, void *context) {
  return mr_registry_set_allocator(allocator, context);
}

/* }====== */

/* {====== Protected calls ====== */

/* Pushes the function of that name of the library's own half. */
static void push_half(lua_State *L, const char *name) {
  int type = lua_rawgetp(L, LUA_REGISTRYINDEX, &half_key);
  if (type == LUA_TNIL)
    luaL_error(L, "moonrest is not open in this Lua state: call luaopen_moonrest first");
  if (type != LUA_TTABLE) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "moonrest.host");
    lua_call(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &half_key);
  }
  lua_getfield(L, -1, name);
}

/* Calls 'function' with a light userdata. False: its error is on top of the stack. */
static bool run(lua_State *L, lua_CFunction function, void *call) {
  lua_pushcfunction(L, function); /* neither allocates */
  lua_pushlightuserdata(L, call);
  return lua_pcall(L, 1, 0, 0) == LUA_OK;
}

/* For callers who want no message. */
static bool attempt(lua_State *L, lua_CFunction function, void *call) {
  if (!lua_checkstack(L, LUA_MINSTACK)) return false;
  bool good = run(L, function, call);
  if (!good) lua_pop(L, 1);
  return good;
}

/* }====== */

/* {====== Stepping ====== */

struct step {
  int64_t budget_us;
  lua_Integer tasks;
};

static int step_protected(lua_State *L) {
  struct step *step = lua_touserdata(L, 1);
  push_half(L, "step");
  lua_pushnumber(L, (lua_Number)step->budget_us / MR_SECOND);
  lua_call(L, 1, 1);
  step->tasks = lua_tointeger(L, -1);
  return 0;
}

/* What is set aside for the loop, in lua/moonrest/reserve.lua: a step that failed before the loop could give it up
** itself may need it the next time. */
static int give_up_reserve(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &half_key) != LUA_TTABLE) return 0;
  lua_getfield(L, -1, "reserve");
  lua_pushboolean(L, false);
  lua_setfield(L, -2, "held");
  return 0;
}

/* Argument 2: any error object. Its text stays in the registry. */
static int keep_message(lua_State *L) {
  const char **text = lua_touserdata(L, 1);
  *text = luaL_tolstring(L, 2, NULL);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &message_key);
  return 0;
}

/* The error object is on top, and is taken off. */
static const char *take_message(lua_State *L) {
  const char *text = no_words;
  lua_pushcfunction(L, keep_message);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, &text);
  lua_insert(L, -2);
  if (lua_pcall(L, 2, 0, 0) == LUA_OK) return text;
  lua_pop(L, 1);
  return no_words;
}

struct mr_step_result mr_step(lua_State *L, int64_t budget_us) {
  struct mr_step_result result = {.status = MR_STEP_FAILED, .message = no_room};
  struct step step = {.budget_us = budget_us};
  if (!lua_checkstack(L, LUA_MINSTACK)) return result;
  if (!run(L, step_protected, &step)) {
    attempt(L, give_up_reserve, NULL);
    result.message = take_message(L);
    return result;
  }
  result.status = step.tasks > 0 ? MR_STEP_BUSY : MR_STEP_IDLE;
  result.tasks = (uint32_t)step.tasks;
  result.message = NULL;
  return result;
}

/* }====== */

/* {====== Settings ====== */

static int set_blocking_protected(lua_State *L) {
  const bool *allowed = lua_touserdata(L, 1);
  push_half(L, "set_blocking");
  lua_pushboolean(L, *allowed);
  lua_call(L, 1, 0);
  return 0;
}

bool mr_set_blocking(lua_State *L, bool allowed) {
  return attempt(L, set_blocking_protected, &allowed);
}

struct network {
  enum mr_network network;
  bool is_set;
};

static int set_network_protected(lua_State *L) {
  struct network *call = lua_touserdata(L, 1);
  push_half(L, "step"); /* raises when the library is not open, and loads the core */
  struct mr_engine *engine = mr_lua_engine_open(L, mr_lua_engine(L));
  enum mr_io io = call->network == MR_NETWORK_IN_THREAD ? MR_IO_THREAD : MR_IO_INLINE;
  call->is_set = mr_engine_io(engine, io, NULL) == MR_NONE;
  return 0;
}

bool mr_set_network(lua_State *L, enum mr_network network) {
  struct network call = {.network = network};
  return attempt(L, set_network_protected, &call) && call.is_set;
}

static int set_limits_protected(lua_State *L) {
  const struct mr_limits *limits = lua_touserdata(L, 1);
  push_half(L, "step"); /* raises when the library is not open, and loads the core */
  struct mr_lua_engine *engine = mr_lua_engine(L);
  engine->requests_max = limits->requests;
  engine->allowance.limit = limits->memory_bytes;
  return 0;
}

bool mr_set_limits(lua_State *L, const struct mr_limits *limits) {
  struct mr_limits copy = *limits;
  return attempt(L, set_limits_protected, &copy);
}

struct log {
  mr_logger logger;
  void *context;
};

/* Upvalue 1: a struct log. Arguments: the event's name and line. */
static int log_line(lua_State *L) {
  const struct log *log = lua_touserdata(L, lua_upvalueindex(1));
  log->logger(log->context, luaL_checkstring(L, 1), luaL_checkstring(L, 2));
  return 0;
}

static int set_log_protected(lua_State *L) {
  const struct log *log = lua_touserdata(L, 1);
  push_half(L, "log");
  if (log->logger) {
    struct log *kept = lua_newuserdatauv(L, sizeof *kept, 0);
    *kept = *log;
    lua_pushcclosure(L, log_line, 1);
  } else {
    lua_pushnil(L);
  }
  lua_call(L, 1, 0);
  return 0;
}

bool mr_set_log(lua_State *L, mr_logger logger, void *context) {
  struct log log = {logger, context};
  return attempt(L, set_log_protected, &log);
}

/* }====== */
