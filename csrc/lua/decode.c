/* The methods of a request that make Lua values of a JSON body: at one go, or in slices that keep to a time. */
#include "lua/glue.h"
#include "lua/json.h"

/* Between two looks at the clock: 0.03 to 0.1 ms of work. */
#define PIECE_BYTES 4096

/* In one turn of a task: a large body must not keep the small ones that came with it waiting. */
#define TURN_BYTES (4 * PIECE_BYTES)

/* So little is not worth a decoder that can stop. */
#define SMALL_BYTES (2 * PIECE_BYTES)

static struct mr_lua_request *check_box(lua_State *L) {
  struct mr_lua_request *box = luaL_checkudata(L, 1, MR_LUA_REQUEST);
  if (!box->request) luaL_error(L, "attempt to use a closed request");
  return box;
}

static int push_problem(lua_State *L) {
  lua_pushnil(L);
  lua_insert(L, -2);
  return 2;
}

static int decode_at_once(lua_State *L, struct mr_lua_request *box, bool keep_null) {
  const struct mr_buffer *answer = &box->request->answer;
  struct mr_json_options options = mr_json_defaults;
  options.keep_null = keep_null;
  if (answer->size == 0) {
    lua_pushnil(L);
    lua_pushnil(L);
    return 2;
  }
  box->busy = true; /* a finalizer that runs meanwhile must not close it */
  int good = mr_json_decode(L, answer->data, answer->size, &options);
  box->busy = false;
  return good ? 1 : push_problem(L);
}

/* The value; or nil and a message, which is nil for an empty body. */
int mr_lua_request_decode(lua_State *L) {
  struct mr_lua_request *box = check_box(L);
  bool keep_null = lua_toboolean(L, 2);
  lua_settop(L, 1);
  return decode_at_once(L, box, keep_null);
}

/* The request keeps the decoder while it is at work. */
static int push_decoder(lua_State *L, bool keep_null) {
  if (lua_getiuservalue(L, 1, MR_LUA_REQUEST_DECODER) == LUA_TUSERDATA) return lua_gettop(L);
  struct mr_json_options options = mr_json_defaults;
  options.keep_null = keep_null;
  lua_pop(L, 1);
  mr_json_decoder_new(L, &options);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, MR_LUA_REQUEST_DECODER);
  return lua_gettop(L);
}

static enum mr_json_state run_slices(lua_State *L, const struct mr_lua_request *box, int decoder,
                                     int64_t deadline_us) {
  const struct mr_json_budget budget = {.bytes = PIECE_BYTES};
  const struct mr_buffer *answer = &box->request->answer;
  enum mr_json_state state;
  int left = TURN_BYTES / PIECE_BYTES;
  do {
    state = mr_json_decoder_run(L, decoder, answer->data, answer->size, false, &budget);
  } while (state == MR_JSON_AGAIN && --left > 0 && mr_clock_now(&mr_clock_system) < deadline_us);
  return state;
}

/* request:decode_until(deadline, keep_null): true and what decode returns, or false when the time on core.clock or
** what one turn may take was used up; then call it again. Always gets a bit further. */
int mr_lua_request_decode_until(lua_State *L) {
  struct mr_lua_request *box = check_box(L);
  int64_t deadline_us = mr_lua_seconds(L, 2, "deadline");
  bool keep_null = lua_toboolean(L, 3);
  lua_settop(L, 1);
  if (box->request->answer.size <= SMALL_BYTES) {
    lua_pushboolean(L, true);
    return 1 + decode_at_once(L, box, keep_null);
  }
  int decoder = push_decoder(L, keep_null);
  box->busy = true;
  enum mr_json_state state = run_slices(L, box, decoder, deadline_us);
  box->busy = false;
  bool is_done = state == MR_JSON_DONE || state == MR_JSON_ERROR;
  lua_pushboolean(L, is_done);
  if (!is_done) return 1;
  lua_pushnil(L);
  lua_setiuservalue(L, 1, MR_LUA_REQUEST_DECODER);
  lua_insert(L, -2);
  return 1 + (state == MR_JSON_DONE ? 1 : push_problem(L));
}
