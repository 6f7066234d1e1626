/* What servers say about limits: in the JSON body of a refusal, and in header fields. */
#include <string.h>

#include "lua/glue.h"
#include "lua/json.h"

/* Follows "a.b.c" from the table on top; pushes the value or nil in its place. */
static void follow_path(lua_State *L, const char *path) {
  for (;;) {
    size_t size = strcspn(path, ".");
    if (!lua_istable(L, -1)) {
      lua_pop(L, 1);
      lua_pushnil(L);
      return;
    }
    lua_pushlstring(L, path, size);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (path[size] == '\0') return;
    path += size + 1;
  }
}

/* The first of the zero-ended paths that leads to something; pushes it or nil. 'body' is an index. */
static void push_first(lua_State *L, int body, const struct mr_buffer *paths) {
  for (size_t at = 0; at < paths->size; at += strlen(paths->data + at) + 1) {
    lua_pushvalue(L, body);
    follow_path(L, paths->data + at);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
  }
  lua_pushnil(L);
}

static bool is_listed(const struct mr_buffer *codes, const char *code) {
  for (size_t at = 0; code && at < codes->size; at += strlen(codes->data + at) + 1)
    if (strcmp(codes->data + at, code) == 0) return true;
  return false;
}

static void read_meaning(lua_State *L, const struct mr_lua_hints *hints,
                         struct mr_meaning *meaning) {
  int body = lua_gettop(L);
  push_first(L, body, &hints->retry_after);
  int is_number;
  lua_Number seconds = lua_tonumberx(L, -1, &is_number);
  if (is_number && seconds >= 0 && seconds <= 366 * 86400.0)
    meaning->retry_after_us = mr_time_from_seconds(seconds);
  push_first(L, body, &hints->code);
  const char *code = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  meaning->final = is_listed(&hints->final_codes, code);
  meaning->credential_good = is_listed(&hints->right_codes, code);
}

struct question {
  const struct mr_request *request;
  struct mr_meaning *meaning;
};

static int meaning_protected(lua_State *L) {
  const struct question *question = lua_touserdata(L, 1);
  const struct mr_buffer *answer = &question->request->answer;
  const struct mr_lua_request *box = question->request->owner;
  if (mr_json_decode(L, answer->data, answer->size, &mr_json_defaults))
    read_meaning(L, box->hints, question->meaning);
  return 0;
}

/* A body that is no JSON has no meaning, and neither has one that Lua has no memory for. */
void mr_lua_meaning(lua_State *L, struct mr_request *request, struct mr_meaning *meaning) {
  struct mr_lua_request *box = request->owner;
  struct question question = {request, meaning};
  int top = lua_gettop(L);
  lua_pushcfunction(L, meaning_protected); /* neither allocates */
  lua_pushlightuserdata(L, &question);
  box->busy = true;
  lua_pcall(L, 1, 0, 0);
  box->busy = false;
  lua_settop(L, top);
}

static void set_count(lua_State *L, const struct mr_headers *headers, const char *field,
                      const char *name, const char *other) {
  int64_t value;
  struct mr_slice text = mr_headers_get(headers, name);
  if (!text.data) text = mr_headers_get(headers, other);
  if (!text.data || !mr_header_count(text, &value)) return;
  lua_pushinteger(L, value);
  lua_setfield(L, -2, field);
}

static int64_t server_now_us(const struct mr_request *request) {
  int64_t now_us = mr_clock_system.wall_us(mr_clock_system.context);
  mr_header_date(mr_headers_get(&request->headers, "Date"), &now_us);
  return now_us;
}

/* X-RateLimit-Reset is a moment, RateLimit-Reset a delay; a small X- value can only be a delay. */
static void set_reset(lua_State *L, const struct mr_request *request) {
  int64_t value;
  struct mr_slice moment = mr_headers_get(&request->headers, "X-RateLimit-Reset");
  struct mr_slice delay = mr_headers_get(&request->headers, "RateLimit-Reset");
  struct mr_slice text = moment.data ? moment : delay;
  if (!text.data || !mr_header_count(text, &value)) return;
  lua_Number seconds = (lua_Number)value;
  if (moment.data && value > 366 * 86400) seconds -= (lua_Number)server_now_us(request) / MR_SECOND;
  lua_pushnumber(L, seconds > 0 ? seconds : 0);
  lua_setfield(L, -2, "reset");
}

/* { limit=, remaining=, reset= (seconds from now), retry_after= } as far as the response told. */
int mr_lua_request_limits(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  const struct mr_headers *headers = &box->request->headers;
  int64_t wait_us;
  lua_createtable(L, 0, 4);
  set_count(L, headers, "limit", "X-RateLimit-Limit", "RateLimit-Limit");
  set_count(L, headers, "remaining", "X-RateLimit-Remaining", "RateLimit-Remaining");
  set_reset(L, box->request);
  struct mr_slice retry = mr_headers_get(headers, "Retry-After");
  if (retry.data && mr_header_retry_after(retry, server_now_us(box->request), &wait_us)) {
    lua_pushnumber(L, (lua_Number)wait_us / MR_SECOND);
    lua_setfield(L, -2, "retry_after");
  }
  lua_pushnil(L);
  if (lua_next(L, -2) == 0) return 0;
  lua_pop(L, 2);
  return 1;
}
