/* An endpoint userdata: one operation of one client, prepared from a table. */
#include <string.h>

#include "core/memory.h"
#include "lua/glue.h"
#include "lua/secret.h"

#define HINTS_MAX 8192 /* bytes of paths, codes or names */

static int endpoint_gc(lua_State *L) {
  struct mr_lua_endpoint *box = luaL_checkudata(L, 1, MR_LUA_ENDPOINT);
  mr_endpoint_release(box->endpoint);
  box->endpoint = NULL;
  mr_buffer_free(&box->hints.retry_after);
  mr_buffer_free(&box->hints.code);
  mr_buffer_free(&box->hints.final_codes);
  mr_buffer_free(&box->hints.right_codes);
  mr_buffer_free(&box->hints.deprecation);
  mr_free(box->literals);
  box->literals = NULL;
  return 0;
}

static int misuse(lua_State *L, const struct mr_error *error) {
  return luaL_error(L, "%s", error->message);
}

static void read_route(lua_State *L, struct mr_lua_endpoint *box) {
  lua_getfield(L, 1, "route");
  struct mr_lua_route *route = luaL_testudata(L, -1, MR_LUA_ROUTE);
  if (!route) luaL_error(L, "endpoint.route must come from core.route");
  box->endpoint->route = &route->route;
  lua_setiuservalue(L, 2, MR_LUA_ENDPOINT_ROUTE);
}

static void read_label(lua_State *L) {
  lua_getfield(L, 1, "label");
  lua_setiuservalue(L, 2, MR_LUA_ENDPOINT_LABEL);
}

static void read_target(lua_State *L, struct mr_endpoint *endpoint) {
  struct mr_error error = {0};
  size_t size;
  endpoint->insecure_http = mr_lua_field_boolean(L, 1, "insecure_http");
  lua_getfield(L, 1, "method");
  lua_getfield(L, 1, "base");
  const char *base = luaL_checklstring(L, -1, &size);
  if (mr_endpoint_target(endpoint, luaL_checkstring(L, -2), base, size, &error)) misuse(L, &error);
  lua_pop(L, 2);
}

static void read_headers(lua_State *L, struct mr_endpoint *endpoint) {
  struct mr_error error = {0};
  size_t size;
  if (lua_getfield(L, 1, "headers") == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= count; i++) {
      lua_geti(L, -1, i);
      const char *line = luaL_checklstring(L, -1, &size);
      if (mr_endpoint_header(endpoint, line, size, &error)) misuse(L, &error);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void read_credential(lua_State *L, struct mr_endpoint *endpoint) {
  struct mr_error error = {0};
  luaL_checktype(L, -1, LUA_TTABLE);
  int table = lua_gettop(L);
  lua_getfield(L, table, "header");
  lua_getfield(L, table, "query");
  lua_getfield(L, table, "prefix");
  lua_getfield(L, table, "secret");
  if (mr_endpoint_credential(endpoint, lua_tostring(L, -4), lua_tostring(L, -3),
                             lua_tostring(L, -2), mr_lua_check_secret(L, -1), &error))
    misuse(L, &error);
  lua_pop(L, 4);
}

static void read_credentials(lua_State *L, struct mr_endpoint *endpoint) {
  if (lua_getfield(L, 1, "credentials") == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= count; i++) {
      lua_geti(L, -1, i);
      read_credential(L, endpoint);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void read_buckets(lua_State *L, struct mr_endpoint *endpoint) {
  if (lua_getfield(L, 1, "buckets") == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    if (count > MR_TICKET_BUCKETS)
      luaL_error(L, "an operation passes at most %d buckets", MR_TICKET_BUCKETS);
    for (lua_Integer i = 1; i <= count; i++) {
      lua_geti(L, -1, i);
      struct mr_lua_bucket *bucket = luaL_checkudata(L, -1, MR_LUA_BUCKET);
      endpoint->buckets[endpoint->bucket_count++] = mr_bucket_hold(bucket->bucket);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void read_repeat(lua_State *L, struct mr_endpoint *endpoint) {
  static const char *const names[] = {"safe", "idempotent", "gone", "never", NULL};
  lua_getfield(L, 1, "repeatable");
  endpoint->repeat = (enum mr_repeat)luaL_checkoption(L, -1, "never", names);
  lua_pop(L, 1);
}

static void read_statuses(lua_State *L, struct mr_retry_policy *policy) {
  if (lua_getfield(L, 1, "retry_statuses") == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    if (count > MR_RETRY_STATUSES)
      luaL_error(L, "retry_statuses has at most %d entries", MR_RETRY_STATUSES);
    for (lua_Integer i = 0; i < count; i++) {
      lua_geti(L, -1, i + 1);
      policy->statuses[i] = (uint16_t)luaL_checkinteger(L, -1);
      lua_pop(L, 1);
    }
    policy->status_count = (uint32_t)count;
  }
  lua_pop(L, 1);
}

static void read_policy(lua_State *L, struct mr_endpoint *endpoint) {
  lua_Integer number = 0;
  if (mr_lua_field_integer(L, 1, "attempts", 1, &number))
    endpoint->retry.attempts = (uint32_t)(number < MR_NOTES_MAX ? number : MR_NOTES_MAX);
  mr_lua_field_seconds(L, 1, "backoff", &endpoint->retry.base_us);
  mr_lua_field_seconds(L, 1, "max_backoff", &endpoint->retry.cap_us);
  read_statuses(L, &endpoint->retry);
}

static void read_bounds(lua_State *L, struct mr_endpoint *endpoint) {
  lua_Integer number = 0;
  if (mr_lua_field_integer(L, 1, "max_body", 0, &number)) endpoint->max_body = (uint64_t)number;
  if (mr_lua_field_integer(L, 1, "max_redirects", 0, &number))
    endpoint->max_redirects = (uint32_t)(number < MR_NOTES_MAX ? number : MR_NOTES_MAX);
  mr_lua_field_seconds(L, 1, "connect_timeout", &endpoint->connect_timeout_us);
  mr_lua_field_seconds(L, 1, "idle_timeout", &endpoint->idle_timeout_us);
  mr_lua_field_seconds(L, 1, "timeout", &endpoint->timeout_us);
  mr_lua_field_seconds(L, 1, "max_wait", &endpoint->max_wait_us);
}

static void read_hint(lua_State *L, const char *field, struct mr_buffer *out) {
  size_t size;
  if (lua_getfield(L, 1, field) == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= count; i++) {
      lua_geti(L, -1, i);
      const char *text = luaL_checklstring(L, -1, &size);
      enum mr_kind kind = mr_buffer_append(out, text, size + 1);
      if (kind == MR_LIMIT) mr_lua_error(L, "out of memory");
      if (kind) luaL_error(L, "%s holds more than %d bytes", field, HINTS_MAX);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void read_hints(lua_State *L, struct mr_lua_endpoint *box) {
  read_hint(L, "retry_after_paths", &box->hints.retry_after);
  read_hint(L, "code_paths", &box->hints.code);
  read_hint(L, "final", &box->hints.final_codes);
  read_hint(L, "right_codes", &box->hints.right_codes);
  read_hint(L, "deprecation", &box->hints.deprecation);
  box->endpoint->inspects = box->hints.retry_after.size > 0 || box->hints.code.size > 0;
}

static void read_literals(lua_State *L, struct mr_lua_endpoint *box) {
  const struct mr_endpoint *endpoint = box->endpoint;
  if (lua_getfield(L, 1, "literals") == LUA_TTABLE) {
    size_t head, tail;
    lua_geti(L, -1, 1);
    lua_geti(L, -2, 2);
    const char *before = luaL_checklstring(L, -2, &head), *after = luaL_checklstring(L, -1, &tail);
    head += endpoint->base_size;
    if (head + tail > MR_URL_MAX) luaL_error(L, "the path is longer than %d bytes", MR_URL_MAX);
    box->literals = mr_alloc(head + tail + 1);
    if (!box->literals) mr_lua_error(L, "out of memory");
    memcpy(box->literals, endpoint->base, endpoint->base_size);
    memcpy(box->literals + endpoint->base_size, before, head - endpoint->base_size);
    memcpy(box->literals + head, after, tail);
    box->before_size = (uint16_t)head;
    box->after_size = (uint16_t)tail;
    lua_pop(L, 2);
  }
  lua_pop(L, 1);
}

static struct mr_lua_endpoint *push_box(lua_State *L) {
  struct mr_lua_endpoint *box = lua_newuserdatauv(L, sizeof *box, MR_LUA_ENDPOINT_VALUES);
  *box = (struct mr_lua_endpoint){0};
  mr_buffer_init(&box->hints.retry_after, HINTS_MAX);
  mr_buffer_init(&box->hints.code, HINTS_MAX);
  mr_buffer_init(&box->hints.final_codes, HINTS_MAX);
  mr_buffer_init(&box->hints.right_codes, HINTS_MAX);
  mr_buffer_init(&box->hints.deprecation, HINTS_MAX);
  luaL_setmetatable(L, MR_LUA_ENDPOINT);
  return box;
}

static int new_endpoint(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  struct mr_lua_endpoint *box = push_box(L);
  box->endpoint = mr_endpoint_new();
  if (!box->endpoint) return luaL_error(L, "out of memory");
  read_route(L, box);
  read_label(L);
  read_target(L, box->endpoint);
  read_headers(L, box->endpoint);
  read_credentials(L, box->endpoint);
  read_buckets(L, box->endpoint);
  read_repeat(L, box->endpoint);
  read_policy(L, box->endpoint);
  read_bounds(L, box->endpoint);
  read_hints(L, box);
  read_literals(L, box);
  box->engine = mr_lua_engine(L);
  lua_settop(L, 2);
  return 1;
}

int mr_lua_open_endpoint(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", endpoint_gc}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"start", mr_lua_request_start},
                                     {"start_single", mr_lua_request_start_single},
                                     {"await_single", mr_lua_request_await_single},
                                     {NULL, NULL}};
  mr_lua_metatable(L, MR_LUA_ENDPOINT, metamethods, methods);
  lua_pushcfunction(L, new_endpoint);
  return 1;
}
