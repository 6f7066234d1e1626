/*
** The input is a text to decode. Decoded at one go and in pieces it must give
** the same; what comes out must be encodable, and must come out the same a
** second time. As a Lua string the input must be refused or read back.
*/
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#include "lua/json.h"

static void check(bool holds) {
  if (!holds) abort();
}

/* The value on top as text, which replaces it. */
static void encode(lua_State *L) {
  struct mr_buffer out;
  struct mr_json_encode_options options = mr_json_encode_defaults;
  options.sorted = true;
  mr_buffer_init(&out, SIZE_MAX);
  check(mr_json_encode(L, -1, &out, &options));
  lua_pushlstring(L, out.data, out.size);
  lua_replace(L, -2);
  mr_buffer_free(&out);
}

/* Pushes what the text gives, in pieces that each end with their block. */
static bool decode_in_pieces(lua_State *L, const char *text, size_t size, size_t step,
                             const struct mr_json_options *options) {
  const struct mr_json_budget budget = {.bytes = 1};
  enum mr_json_state state = MR_JSON_STARVED;
  size_t end = 0;
  mr_json_decoder_new(L, options);
  int decoder = lua_gettop(L);
  while (state == MR_JSON_AGAIN || state == MR_JSON_STARVED) {
    if (state == MR_JSON_STARVED) end = size - end > step ? end + step : size;
    char *piece = malloc(end + 1);
    memcpy(piece + 1, text, end);
    state = mr_json_decoder_run(L, decoder, piece + 1, end, end < size, &budget);
    free(piece);
  }
  lua_remove(L, decoder);
  return state == MR_JSON_DONE;
}

static void check_text(lua_State *L, const char *text, size_t size,
                       const struct mr_json_options *options) {
  bool good = mr_json_decode(L, text, size, options);
  size_t step = 1 + size % 7;
  if (size / step > 500) step = size / 500;
  check(decode_in_pieces(L, text, size, step, options) == good);
  if (good) {
    encode(L);
    lua_insert(L, -2);
    encode(L);
    check(lua_rawequal(L, -1, -2));
  }
  if (good && !options->big_as_string) { /* a large float is written as an integer */
    size_t length;
    const char *encoded = lua_tolstring(L, -1, &length);
    check(mr_json_decode(L, encoded, length, options));
    encode(L);
    check(lua_rawequal(L, -1, -2));
  }
  lua_settop(L, 0);
}

static void check_string(lua_State *L, const char *text, size_t size) {
  struct mr_buffer out;
  mr_buffer_init(&out, SIZE_MAX);
  lua_pushlstring(L, text, size);
  if (mr_json_encode(L, -1, &out, NULL)) {
    check(mr_json_decode(L, out.data, out.size, NULL));
    check(lua_rawequal(L, -1, -2));
  }
  mr_buffer_free(&out);
  lua_settop(L, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  struct mr_json_options options = mr_json_defaults;
  lua_State *L = luaL_newstate();
  if (!L) return 0;
  check_text(L, text, size, &options);
  options.keep_null = options.big_as_string = true;
  options.max_string = 100;
  options.max_depth = 10;
  check_text(L, text, size, &options);
  check_string(L, text, size);
  lua_close(L);
  return 0;
}
