/* The engine of a lua_State: one, made when first asked for, reached through the registry. */
#include "core/engine.h"

#include "core/registry.h"
#include "lua/glue.h"
#include "lua/loading.h"

static const char engine_key = 'e'; /* addresses are the keys */
static const char handler_key = 'h';

static struct mr_lua_engine *check_engine(lua_State *L) {
  return mr_lua_self(L, MR_LUA_ENGINE);
}

static struct mr_engine *new_engine(lua_State *L) {
  struct mr_error error = {0};
  struct mr_engine *engine = NULL;
  struct mr_engine_config config = {
      .clock = &mr_clock_system,
      .seed = mr_random_seed_from_system(),
      .limiter = mr_registry_limiter(&error),
      .budget = mr_registry_budget(&error),
  };
  if (config.limiter && config.budget) engine = mr_engine_open(&config, &error);
  if (!engine) luaL_error(L, "%s", error.message);
  return engine;
}

/* A child of fork starts afresh. */
struct mr_engine *mr_lua_engine_open(lua_State *L, struct mr_lua_engine *box) {
  struct mr_engine *engine = box->engine;
  if (!engine) luaL_error(L, "attempt to use a closed engine");
  if (mr_engine_is_inherited(engine)) {
    box->engine = new_engine(L);
    mr_engine_succeed(box->engine, engine);
    box->has_news = true;
  }
  return box->engine;
}

struct mr_lua_engine *mr_lua_engine_peek(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &engine_key);
  struct mr_lua_engine *box = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return box;
}

struct mr_lua_engine *mr_lua_engine(lua_State *L) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &engine_key) == LUA_TUSERDATA) return lua_touserdata(L, -1);
  lua_pop(L, 1);
  struct mr_lua_engine *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (struct mr_lua_engine){.work_until_us = MR_NEVER};
  mr_lua_interrupt_init(L, &box->interrupt);
  luaL_setmetatable(L, MR_LUA_ENGINE);
  box->engine = new_engine(L);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &engine_key);
  return box;
}

void mr_lua_engine_connect(lua_State *L, struct mr_lua_engine *box) {
  struct mr_engine *engine = mr_lua_engine_open(L, box);
  if (mr_engine_has_transport(engine)) return;
  mr_lua_require(L, "moonrest.curl");
  lua_getfield(L, -1, "transport");
  const struct mr_transport_type *type = lua_touserdata(L, -1);
  lua_pop(L, 2);
  struct mr_error error = {0};
  if (!type) luaL_error(L, "moonrest.curl brought no transport; is it of the same build?");
  if (mr_engine_transport(engine, type, &error)) luaL_error(L, "%s", error.message);
}

static const char *const event_names[] = {"queue", "retry", "redirect", "throttle",
                                          "pause", "limit", "limiter"};

static void set_text(lua_State *L, const char *field, const char *text) {
  if (text[0] == '\0') return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, field);
}

static void set_number(lua_State *L, const char *field, int64_t number) {
  if (number <= 0) return;
  lua_pushinteger(L, number);
  lua_setfield(L, -2, field);
}

static void push_event(lua_State *L, const struct mr_event *event) {
  lua_createtable(L, 0, 5);
  set_text(L, "bucket", event->bucket);
  set_text(L, "field", event->field);
  set_number(L, "limit", event->limit);
  set_number(L, "server_limit", event->server_limit);
  set_number(L, "tag", (int64_t)event->tag);
  set_number(L, "attempt", event->attempt);
  lua_pushstring(L, event->reason);
  lua_setfield(L, -2, "reason");
  if (event->wait_us >= 0) {
    lua_pushnumber(L, (lua_Number)event->wait_us / MR_SECOND);
    lua_setfield(L, -2, "wait");
  }
  set_number(L, "status", event->status);
}

static void tell_events(lua_State *L, struct mr_lua_engine *box) {
  struct mr_event event;
  while (box->engine && mr_engine_next_event(box->engine, &event)) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &handler_key) == LUA_TFUNCTION) {
      lua_pushstring(L, event_names[event.kind]);
      push_event(L, &event);
      lua_call(L, 2, 0);
      mr_lua_interrupt_begin(L, &box->interrupt);
    } else {
      lua_pop(L, 1);
    }
  }
}

int mr_lua_engine_pump(lua_State *L, struct mr_lua_engine *box, int64_t timeout_us,
                       int64_t spend_us) {
  struct mr_error error = {0};
  struct mr_engine *engine = mr_lua_engine_open(L, box);
  if (box->has_news) {
    box->has_news = false;
    return 1;
  }
  /* Nothing to drive: tasks that sleep. */
  if (!mr_engine_has_transport(engine)) mr_clock_pass(timeout_us);
  mr_engine_bound(engine, spend_us);
  int progress = mr_engine_step(engine, timeout_us, &error);
  if (progress < 0) luaL_error(L, "%s", error.message);
  if (mr_lua_interrupted(L, &box->interrupt)) return -1;
  struct mr_request *request;
  while ((request = mr_engine_next_question(engine))) {
    struct mr_meaning meaning = {.retry_after_us = -1};
    mr_lua_meaning(L, request, &meaning);
    mr_engine_resolve(engine, request, &meaning);
    progress++;
  }
  tell_events(L, box);
  return progress;
}

/* engine:step(timeout, spend): waits at most so many seconds; one that does not wait works for about 'spend' seconds. */
static int engine_step(lua_State *L) {
  struct mr_lua_engine *box = check_engine(L);
  int64_t timeout_us = lua_isnoneornil(L, 2) ? 0 : mr_lua_seconds(L, 2, "timeout");
  int64_t spend_us = lua_isnoneornil(L, 3) ? MR_NEVER : mr_lua_seconds(L, 3, "spend");
  mr_lua_request_forsake(box, 0);
  mr_lua_interrupt_begin(L, &box->interrupt);
  int progress = mr_lua_engine_pump(L, box, timeout_us, spend_us);
  if (progress < 0) return lua_error(L);
  lua_pushinteger(L, progress);
  return 1;
}

/* engine:enter_step(budget, has_tasks): until when on core.clock this step may work; nil when there is nothing to do, or
** when all of the step was the collector's: then it is over. */
static int engine_enter_step(lua_State *L) {
  struct mr_lua_engine *box = check_engine(L);
  int64_t begun_us = mr_clock_now(&mr_clock_system);
  int64_t budget_us = mr_lua_seconds(L, 2, "budget");
  bool is_pending = box->engine && mr_engine_pending(box->engine) > 0;
  if (!lua_toboolean(L, 3) && !is_pending) return 0;
  int64_t share_us = mr_lua_collector_hold(L, &box->collector, budget_us);
  box->finish_us = mr_time_after(begun_us, budget_us);
  if (share_us == MR_NEVER) {
    mr_lua_collector_release(L, &box->collector, &mr_clock_system, box->finish_us);
    return 0;
  }
  box->work_until_us = mr_time_after(begun_us, budget_us - share_us);
  lua_pushnumber(L, (lua_Number)box->work_until_us / MR_SECOND);
  return 1;
}

/* engine:leave_step(): the collector has the rest of the budget. Does nothing outside of a step. The last step for now
** leaves nothing to be freed. */
static int engine_leave_step(lua_State *L) {
  struct mr_lua_engine *box = check_engine(L);
  box->work_until_us = MR_NEVER;
  mr_lua_collector_release(L, &box->collector, &mr_clock_system, box->finish_us);
  if (!box->engine || mr_engine_pending(box->engine) == 0) mr_waste_free(&box->collector.waste);
  return 0;
}

/* engine:io("inline" | "thread"): true, or nil and why it is too late. */
static int engine_io(lua_State *L) {
  static const char *const names[] = {"inline", "thread", NULL};
  struct mr_error error = {0};
  struct mr_engine *engine = mr_lua_engine_open(L, check_engine(L));
  enum mr_io io = luaL_checkoption(L, 2, NULL, names) == 0 ? MR_IO_INLINE : MR_IO_THREAD;
  if (mr_engine_io(engine, io, &error)) return mr_lua_failure(L, &error);
  lua_pushboolean(L, true);
  return 1;
}

static int engine_pending(lua_State *L) {
  lua_pushinteger(L, mr_engine_pending(mr_lua_engine_open(L, check_engine(L))));
  return 1;
}

static int engine_descriptor(lua_State *L) {
  struct mr_lua_engine *box = check_engine(L);
  mr_lua_engine_connect(L, box);
  lua_pushinteger(L, mr_engine_descriptor(box->engine));
  return 1;
}

/* engine:cancel_route(route, why): ends all that go by it, which is all that one client has in flight. */
static int engine_cancel_route(lua_State *L) {
  struct mr_lua_engine *box = check_engine(L);
  const struct mr_lua_route *route = luaL_checkudata(L, 2, MR_LUA_ROUTE);
  mr_engine_cancel_route(mr_lua_engine_open(L, box), &route->route, luaL_checkstring(L, 3));
  return 0;
}

/* Seconds from now until the engine has something to do by itself; nil when it has nothing. */
static int engine_next_timer(lua_State *L) {
  struct mr_engine *engine = mr_lua_engine_open(L, check_engine(L));
  int64_t at_us = mr_engine_next_timer_us(engine);
  int64_t left_us = at_us - mr_clock_now(mr_engine_clock(engine));
  if (at_us == MR_NEVER)
    lua_pushnil(L);
  else
    lua_pushnumber(L, left_us > 0 ? (lua_Number)left_us / MR_SECOND : 0);
  return 1;
}

static int engine_next_told(lua_State *L) {
  uint64_t tag = mr_engine_next_told(mr_lua_engine_open(L, check_engine(L)));
  if (tag == 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, (lua_Integer)tag);
  return 1;
}

/* engine:forsake(task): that task has failed, with the request that it may just have started. */
static int engine_forsake(lua_State *L) {
  mr_lua_request_forsake(check_engine(L), (uint64_t)luaL_checkinteger(L, 2));
  return 0;
}

/* engine:listen(): coroutines that only compute are to hear Ctrl-C too. */
static int engine_listen(lua_State *L) {
  mr_lua_interrupt_listen(L, &check_engine(L)->interrupt);
  return 0;
}

/* engine:waits(): how many requests wait for a slot, the seconds that the longest has waited, and its bucket's key; 0
** when none does. */
static int engine_waits(lua_State *L) {
  struct mr_engine_waits waits = mr_engine_waits(mr_lua_engine_open(L, check_engine(L)));
  lua_pushinteger(L, waits.count);
  if (waits.count == 0) return 1;
  lua_pushnumber(L, (lua_Number)waits.longest_us / MR_SECOND);
  lua_pushstring(L, waits.bucket);
  return 3;
}

static int engine_on_event(lua_State *L) {
  check_engine(L);
  if (!lua_isnoneornil(L, 2)) luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &handler_key);
  return 0;
}

static int engine_random(lua_State *L) {
  struct mr_engine *engine = mr_lua_engine_open(L, check_engine(L));
  lua_pushnumber(L, (lua_Number)(mr_random_next(mr_engine_random(engine)) >> 11) * 0x1p-53);
  return 1;
}

static int engine_close(lua_State *L) {
  struct mr_lua_engine *box = check_engine(L);
  struct mr_engine *engine = box->engine;
  box->engine = NULL;
  mr_engine_close(engine);
  mr_waste_free(&box->collector.waste);
  return 0;
}

static int engine_tostring(lua_State *L) {
  struct mr_lua_engine *box = check_engine(L);
  if (box->engine)
    lua_pushfstring(L, MR_LUA_ENGINE " (%d in flight)", (int)mr_engine_pending(box->engine));
  else
    lua_pushliteral(L, MR_LUA_ENGINE " (closed)");
  return 1;
}

static int default_engine(lua_State *L) {
  mr_lua_engine(L);
  return 1;
}

int mr_lua_open_engine(lua_State *L) {
  static const luaL_Reg metamethods[] = {
      {"__gc", engine_close}, {"__tostring", engine_tostring}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"step", engine_step},
                                     {"enter_step", engine_enter_step},
                                     {"leave_step", engine_leave_step},
                                     {"io", engine_io},
                                     {"pending", engine_pending},
                                     {"descriptor", engine_descriptor},
                                     {"next_timer", engine_next_timer},
                                     {"next_told", engine_next_told},
                                     {"waits", engine_waits},
                                     {"forsake", engine_forsake},
                                     {"listen", engine_listen},
                                     {"on_event", engine_on_event},
                                     {"bucket", mr_lua_bucket_new},
                                     {"random", engine_random},
                                     {"cancel_route", engine_cancel_route},
                                     {NULL, NULL}};
  mr_lua_metatable(L, MR_LUA_ENGINE, metamethods, methods);
  lua_pushcfunction(L, default_engine);
  return 1;
}
