/* A bucket of the limiter, as Lua holds it. */
#include "core/registry.h"
#include "lua/glue.h"

static struct mr_lua_bucket *check_bucket(lua_State *L) {
  return luaL_checkudata(L, 1, MR_LUA_BUCKET);
}

static void read_window(lua_State *L, struct mr_window_limit *window) {
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_geti(L, -1, 1);
  lua_geti(L, -2, 2);
  window->count = luaL_checkinteger(L, -2);
  window->period_us = mr_lua_seconds(L, -1, "the period of a limit");
  lua_pop(L, 2);
}

static void read_windows(lua_State *L, int table, struct mr_bucket_limits *limits) {
  if (lua_getfield(L, table, "windows") == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    if (count > MR_BUCKET_WINDOWS)
      luaL_error(L, "a bucket has at most %d windows", MR_BUCKET_WINDOWS);
    for (lua_Integer i = 1; i <= count; i++) {
      lua_geti(L, -1, i);
      read_window(L, &limits->windows[limits->window_count++]);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

/* engine:bucket(key, { windows = { { count, seconds }, ... }, concurrent =, strict =, burst =, renewing = }) */
int mr_lua_bucket_new(lua_State *L) {
  lua_remove(L, 1);
  const char *key = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  struct mr_bucket_limits limits = {0};
  lua_Integer number = 0;
  read_windows(L, 2, &limits);
  if (mr_lua_field_integer(L, 2, "concurrent", 1, &number)) limits.concurrent = (uint32_t)number;
  if (mr_lua_field_integer(L, 2, "burst", 1, &number)) limits.burst = number;
  limits.strict = mr_lua_field_boolean(L, 2, "strict");
  limits.renewing = mr_lua_field_boolean(L, 2, "renewing");
  struct mr_error error = {0};
  struct mr_lua_bucket *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->bucket = NULL;
  luaL_setmetatable(L, MR_LUA_BUCKET);
  struct mr_limiter *limiter = mr_registry_limiter(&error);
  if (!limiter || mr_limiter_bucket(limiter, key, &limits, &box->bucket, &error))
    return luaL_error(L, "limit of '%s': %s", key, error.message);
  return 1;
}

static void push_seconds(lua_State *L, const char *field, int64_t value_us) {
  lua_pushnumber(L, (lua_Number)value_us / MR_SECOND);
  lua_setfield(L, -2, field);
}

static void push_integer(lua_State *L, const char *field, int64_t value) {
  lua_pushinteger(L, value);
  lua_setfield(L, -2, field);
}

static void push_windows(lua_State *L, const struct mr_bucket_view *view) {
  lua_createtable(L, (int)view->limits.window_count, 0);
  for (uint32_t i = 0; i < view->limits.window_count; i++) {
    lua_createtable(L, 0, 4);
    push_integer(L, "limit", view->limits.windows[i].count);
    push_seconds(L, "period", view->limits.windows[i].period_us);
    push_integer(L, "remaining", view->remaining[i]);
    push_seconds(L, "reset", view->reset_us[i]);
    lua_seti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "windows");
}

static int bucket_look(lua_State *L) {
  struct mr_bucket_view view = {0};
  mr_bucket_look(check_bucket(L)->bucket, &view);
  lua_createtable(L, 0, 12);
  push_windows(L, &view);
  push_seconds(L, "paused", view.paused_us);
  push_seconds(L, "waited", view.waited_us);
  push_integer(L, "running", view.running);
  push_integer(L, "queued", view.queued);
  push_integer(L, "granted", (int64_t)view.granted);
  push_integer(L, "refused", (int64_t)view.refused_429);
  if (view.limits.concurrent) push_integer(L, "concurrent", view.limits.concurrent);
  if (view.server_limit >= 0) push_integer(L, "server_limit", view.server_limit);
  if (view.server_remaining >= 0) push_integer(L, "server_remaining", view.server_remaining);
  if (view.server_reset_us >= 0) push_seconds(L, "server_reset", view.server_reset_us);
  return 1;
}

/* bucket:pass(seconds): as if so much time had gone by. */
static int bucket_pass(lua_State *L) {
  struct mr_lua_bucket *box = check_bucket(L);
  struct mr_engine *engine = mr_lua_engine_open(L, mr_lua_engine(L));
  mr_engine_pass(engine, box->bucket, mr_lua_seconds(L, 2, "the time that passes"));
  return 0;
}

static enum mr_kind share(lua_State *L, struct mr_limiter *limiter, struct mr_error *error) {
  static const char *const words[] = {"local", "shared", "fleet", NULL};
  static const enum mr_sharing meanings[] = {MR_SHARING_PROCESS, MR_SHARING_USER, MR_SHARING_FLEET};
  enum mr_sharing sharing = meanings[luaL_checkoption(L, 1, NULL, words)];
  if (sharing != MR_SHARING_FLEET) return mr_limiter_share(limiter, sharing, error);
  luaL_checktype(L, 2, LUA_TLIGHTUSERDATA);
  return mr_limiter_share_by(limiter, lua_touserdata(L, 2), luaL_checkstring(L, 3), error);
}

/* core.share("local" | "shared" | "fleet", keeper, url): who shares the buckets, before there are any. 'keeper' comes
** from a module such as moonrest.redis. true | nil, kind, message */
int mr_lua_share(lua_State *L) {
  struct mr_error error = {0};
  struct mr_limiter *limiter = mr_registry_limiter(&error);
  if (!limiter || share(L, limiter, &error)) return mr_lua_failure(L, &error);
  lua_pushboolean(L, 1);
  return 1;
}

static int bucket_gc(lua_State *L) {
  struct mr_lua_bucket *box = check_bucket(L);
  if (box->bucket) mr_bucket_release(box->bucket);
  box->bucket = NULL;
  return 0;
}

void mr_lua_open_bucket(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", bucket_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"look", bucket_look}, {"pass", bucket_pass}, {NULL, NULL}};
  mr_lua_metatable(L, MR_LUA_BUCKET, metamethods, methods);
}
