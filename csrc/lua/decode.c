/* The methods of a request that make Lua values of a JSON body: at one go, or in slices that keep to a time. */
#include <string.h>

#include "lua/glue.h"
#include "lua/json.h"
#include "lua/marker.h"

/* Between two looks at the clock. The first piece of a frame finds nothing in the processor's caches and takes up to a
** hundred times as long as the same in the middle of a body; twice as much follows what was quick. */
#define LEAST_PIECE_BYTES 256
#define MOST_PIECE_BYTES  4096
#define QUICK_US          8

/* In one turn of a task: a large body must not keep the small ones that came with it waiting. */
#define TURN_BYTES 16384

/* So little is not worth a decoder that can stop, when there is time for it; and in no case. */
#define SMALL_BYTES 8192
#define LEAST_BYTES 2048

/* What decoding is reckoned with until it is over, and what the task does with the value then: most often it asks for
** the next one. */
#define BYTES_PER_US  60
#define AFTERWARDS_US 80

/* The message is on top. For want of memory the kind stands behind it. */
static int push_problem(lua_State *L) {
  lua_pushnil(L);
  lua_insert(L, -2);
  if (strcmp(lua_tostring(L, -1), MR_JSON_NO_MEMORY) != 0) return 2;
  lua_pop(L, 1);
  lua_pushliteral(
      L, "the values of the answer do not fit into the memory of this Lua state; ask for less at a "
         "time, or write it to a file with { to = path }");
  lua_pushstring(L, mr_kind_name(MR_TOO_LARGE));
  return 3;
}

/*
** Calls a function with a light userdata and the request, and leaves its one result. What raises is Lua's want of
** memory: by then what was built is garbage, and there is room again for the message that takes its place.
*/
static bool run_protected(lua_State *L, struct mr_lua_request *box, lua_CFunction function,
                          void *work) {
  lua_pushcfunction(L, function); /* neither allocates */
  lua_pushlightuserdata(L, work);
  lua_pushvalue(L, 1);
  box->busy = true; /* a finalizer that runs meanwhile must not close it */
  int status = lua_pcall(L, 2, 1, 0);
  box->busy = false;
  if (status == LUA_OK) return true;
  if (status != LUA_ERRMEM) lua_error(L);
  lua_pop(L, 1);
  lua_pushliteral(L, MR_JSON_NO_MEMORY);
  return false;
}

/* White space alone is no JSON text, and nothing that could be meant as one: no body, then. */
static bool is_blank(const struct mr_buffer *answer) {
  size_t at = 0;
  while (at < answer->size && strchr(" \t\r\n", answer->data[at]) && answer->data[at])
    at++;
  return at == answer->size;
}

struct whole {
  const struct mr_buffer *answer;
  struct mr_json_options options;
  bool good;
};

static int decode_protected(lua_State *L) {
  struct whole *whole = lua_touserdata(L, 1);
  whole->good = mr_json_decode(L, whole->answer->data, whole->answer->size, &whole->options);
  return 1;
}

/* The value on top, for the collector. */
static void mark(lua_State *L) {
  int marker = mr_lua_marker_push(L);
  if (marker == 0) return;
  mr_lua_mark(L, marker, -2);
  mr_lua_marker_forget(L, marker);
  lua_pop(L, 1);
}

static int decode_at_once(lua_State *L, struct mr_lua_request *box, bool keep_null) {
  struct whole whole = {.answer = &box->request->answer, .options = mr_json_defaults};
  whole.options.keep_null = keep_null;
  if (is_blank(whole.answer)) {
    lua_pushnil(L);
    lua_pushnil(L);
    return 2;
  }
  bool ran = run_protected(L, box, decode_protected, &whole);
  if (!ran || !whole.good) return push_problem(L);
  if (mr_lua_collector_is_marking(&box->engine->collector)) mark(L);
  return 1;
}

/* Whether a body is to be decoded at one go: in a step with a budget a small one that fits into what is left. */
static bool is_small(const struct mr_lua_request *box, int64_t until_us) {
  size_t size = box->request->answer.size;
  if (size <= LEAST_BYTES || size > SMALL_BYTES || until_us == MR_NEVER) return size <= SMALL_BYTES;
  return mr_clock_now(&mr_clock_system) + (int64_t)size / BYTES_PER_US + AFTERWARDS_US <= until_us;
}

bool mr_lua_decode_small(lua_State *L, struct mr_lua_request *box) {
  if (box->request->answer.size == 0 || !is_small(box, box->engine->work_until_us)) return false;
  return decode_at_once(L, box, false) == 1 && lua_toboolean(L, -1);
}

/* The value; or nil and a message, which is nil for an empty or blank body, and the kind of what went wrong when it is
** another than "decode". */
int mr_lua_request_decode(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  bool keep_null = lua_toboolean(L, 2);
  lua_settop(L, 1);
  return decode_at_once(L, box, keep_null);
}

struct slices {
  const struct mr_buffer *answer;
  bool keep_null;
  int64_t deadline_us;
  int64_t seen_us, longest_us; /* the end of the last piece, and what one took at most */
  struct mr_json_budget budget;
  enum mr_json_state state;
  size_t left; /* bytes, when there is more to do */
};

/* The request at index 2 keeps the decoder while it is at work. True when it is a new one. */
static bool push_decoder(lua_State *L, bool keep_null) {
  if (lua_getiuservalue(L, 2, MR_LUA_REQUEST_DECODER) == LUA_TUSERDATA) return false;
  struct mr_json_options options = mr_json_defaults;
  options.keep_null = keep_null;
  lua_pop(L, 1);
  mr_json_decoder_new(L, &options);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 2, MR_LUA_REQUEST_DECODER);
  return true;
}

/* Whether another piece would probably be too late. */
static bool is_late(void *context) {
  struct slices *slices = context;
  int64_t now_us = mr_clock_now(&mr_clock_system);
  int64_t took_us = now_us - slices->seen_us;
  slices->seen_us = now_us;
  if (took_us > slices->longest_us) slices->longest_us = took_us;
  if (took_us < QUICK_US && slices->budget.piece < MOST_PIECE_BYTES) slices->budget.piece *= 2;
  return now_us + slices->longest_us >= slices->deadline_us;
}

/* Leaves the value or the message, or nil when there is more to do. */
static int slices_protected(lua_State *L) {
  struct slices *slices = lua_touserdata(L, 1);
  const struct mr_buffer *answer = slices->answer;
  bool only_begun = push_decoder(L, slices->keep_null) && answer->size > TURN_BYTES;
  slices->state = MR_JSON_AGAIN;
  if (!only_begun)
    slices->state = mr_json_decoder_run(L, 3, answer->data, answer->size, false, &slices->budget);
  slices->left = answer->size - mr_json_decoder_used(lua_touserdata(L, 3));
  if (slices->state == MR_JSON_AGAIN) lua_pushnil(L);
  return 1;
}

/* The value or the message is on top. */
static int finish_slices(lua_State *L, bool good) {
  lua_pushnil(L);
  lua_setiuservalue(L, 1, MR_LUA_REQUEST_DECODER);
  lua_pushboolean(L, true);
  lua_insert(L, -2);
  return 1 + (good ? 1 : push_problem(L));
}

/* request:decode_until(deadline, keep_null): true and what decode returns, or false when the time on core.clock or
** what one turn may take was used up, and how many bytes are left; then call it again. The first call for a body of
** more than one turn only tells its size; all others get a bit further. */
int mr_lua_request_decode_until(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  struct slices slices = {.answer = &box->request->answer, .keep_null = lua_toboolean(L, 3)};
  slices.budget = (struct mr_json_budget){
      .bytes = TURN_BYTES,
      .piece = LEAST_PIECE_BYTES,
      .marks = mr_lua_collector_is_marking(&box->engine->collector),
      .is_spent = is_late,
      .context = &slices,
  };
  slices.deadline_us = mr_lua_seconds(L, 2, "deadline");
  slices.seen_us = mr_clock_now(&mr_clock_system);
  lua_settop(L, 1);
  bool has_begun = lua_getiuservalue(L, 1, MR_LUA_REQUEST_DECODER) == LUA_TUSERDATA;
  lua_settop(L, 1);
  if (!has_begun && (is_small(box, slices.deadline_us) || is_blank(slices.answer))) {
    lua_pushboolean(L, true);
    return 1 + decode_at_once(L, box, slices.keep_null);
  }
  if (!run_protected(L, box, slices_protected, &slices)) return finish_slices(L, false);
  if (slices.state != MR_JSON_AGAIN) return finish_slices(L, slices.state == MR_JSON_DONE);
  lua_pushboolean(L, false);
  lua_pushinteger(L, (lua_Integer)slices.left);
  return 2;
}
