/*
** moonrest.json as Lua sees it: decode, encode, decoder, array, is_array, null.
*/
#include <lauxlib.h>
#include <string.h>

#include "lua/json.h"
#include "lua/json_decoder.h"
#include "lua/json_workspace.h"

/* Most bytes that json.encode makes: tables that hold each other in many places grow without end. */
#define ENCODE_MAX_SIZE ((lua_Integer)1 << 30)

/* {====== Options ====== */

static int bad_option(lua_State *L, int argument, const char *name, const char *demand) {
  return luaL_argerror(L, argument, lua_pushfstring(L, "option '%s' %s", name, demand));
}

/* The value on top, an integer from 1 to 'most'. */
static lua_Integer count_option(lua_State *L, int argument, const char *name, lua_Integer most) {
  int is_integer;
  lua_Integer value = lua_tointegerx(L, -1, &is_integer);
  if (lua_type(L, -1) != LUA_TNUMBER || !is_integer || value < 1 || value > most)
    bad_option(L, argument, name,
               lua_pushfstring(L, "must be an integer from 1 to %I", (LUAI_UACINT)most));
  return value;
}

/* The value on top: true for 'yes', false for 'no'. */
static bool word_option(lua_State *L, int argument, const char *name, const char *yes,
                        const char *no) {
  const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
  bool is_yes = strcmp(word, yes) == 0;
  if (!is_yes && strcmp(word, no) != 0)
    bad_option(L, argument, name, lua_pushfstring(L, "must be \"%s\" or \"%s\"", yes, no));
  return is_yes;
}

static void set_decode_option(lua_State *L, int argument, const char *name,
                              struct mr_json_options *options) {
  if (strcmp(name, "null") == 0)
    options->keep_null = word_option(L, argument, name, "keep", "drop");
  else if (strcmp(name, "big") == 0)
    options->big_as_string = word_option(L, argument, name, "string", "float");
  else if (strcmp(name, "max_depth") == 0)
    options->max_depth = (uint32_t)count_option(L, argument, name, MR_JSON_DEPTH_CEILING);
  else if (strcmp(name, "max_string") == 0)
    options->max_string = (uint32_t)count_option(L, argument, name, MR_JSON_STRING_CEILING);
  else if (strcmp(name, "max_size") == 0)
    options->max_size = (size_t)count_option(L, argument, name, LUA_MAXINTEGER);
  else
    bad_option(L, argument, name,
               "does not exist: there are null, big, max_depth, max_string, max_size");
}

/* The name of the option whose value is on top. */
static const char *option_name(lua_State *L, int argument) {
  if (lua_type(L, -2) != LUA_TSTRING)
    luaL_argerror(L, argument, "the names of options must be strings");
  return lua_tostring(L, -2);
}

/* json.encode(client.apps:get(id)) hands over what a call returns beside its data: a response, an err, or the reason why
** a list ended. */
static void check_options_table(lua_State *L, int argument) {
  bool is_named = luaL_getmetafield(L, argument, "__name") != LUA_TNIL;
  if (is_named || lua_type(L, argument) == LUA_TSTRING)
    luaL_argerror(
        L, argument,
        "options are needed, a plain table; around a call, which has more than one value, "
        "write parentheses: encode((call()))");
  luaL_checktype(L, argument, LUA_TTABLE);
}

static void check_decode_options(lua_State *L, int argument, struct mr_json_options *options) {
  *options = mr_json_defaults;
  if (lua_isnoneornil(L, argument)) return;
  check_options_table(L, argument);
  for (lua_pushnil(L); lua_next(L, argument); lua_pop(L, 1))
    set_decode_option(L, argument, option_name(L, argument), options);
}

struct encode_call {
  struct mr_json_encode_options options;
  size_t max_size;
};

static void set_encode_option(lua_State *L, const char *name, struct encode_call *call) {
  if (strcmp(name, "sorted") == 0) {
    if (!lua_isboolean(L, -1)) bad_option(L, 2, name, "must be a boolean");
    call->options.sorted = lua_toboolean(L, -1);
  } else if (strcmp(name, "max_depth") == 0) {
    call->options.max_depth = (uint32_t)count_option(L, 2, name, MR_JSON_DEPTH_CEILING);
  } else if (strcmp(name, "max_size") == 0) {
    call->max_size = (size_t)count_option(L, 2, name, LUA_MAXINTEGER);
  } else {
    bad_option(L, 2, name, "does not exist: there are sorted, max_depth, max_size");
  }
}

static void check_encode_options(lua_State *L, struct encode_call *call) {
  *call = (struct encode_call){mr_json_encode_defaults, ENCODE_MAX_SIZE};
  call->options.refuse_secrets = true;
  if (lua_isnoneornil(L, 2)) return;
  check_options_table(L, 2);
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1))
    set_encode_option(L, option_name(L, 2), call);
}

/* }====== */

/* nil and the message on top. */
static int push_failure(lua_State *L) {
  luaL_pushfail(L);
  lua_insert(L, -2);
  return 2;
}

/* json.decode(text [, options]) -> value | nil, message. JSON's null gives json.null. */
static int json_decode(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  struct mr_json_options options;
  check_decode_options(L, 2, &options);
  return mr_json_decode(L, text, size, &options) ? 1 : push_failure(L);
}

/* A buffer that is larger than its new limit is given up: the limit would not be looked at. */
static struct mr_buffer *fresh_text(struct mr_json_workspace *workspace, size_t limit) {
  struct mr_buffer *text = &workspace->text;
  if (text->capacity > limit) mr_buffer_free(text);
  mr_buffer_clear(text);
  text->limit = limit;
  return text;
}

/* json.encode(value [, options]) -> text | nil, message. */
static int json_encode(lua_State *L) {
  struct encode_call call;
  luaL_checkany(L, 1);
  check_encode_options(L, &call);
  struct mr_json_workspace *workspace = mr_json_workspace_take(L);
  struct mr_buffer *text = fresh_text(workspace, call.max_size);
  int good = mr_json_encode_with(L, 1, text, &call.options, workspace);
  if (good) lua_pushlstring(L, mr_buffer_string(text), text->size);
  mr_json_workspace_give(workspace);
  return good ? 1 : push_failure(L);
}

/* {====== Arrays ====== */

/* json.array([t]) -> t, which encodes as an array even when it is empty. */
static int json_array(lua_State *L) {
  if (lua_isnoneornil(L, 1)) {
    lua_settop(L, 0);
    lua_newtable(L);
  }
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_newmetatable(L, MR_JSON_ARRAY);
  if (lua_getmetatable(L, 1)) {
    luaL_argcheck(L, lua_rawequal(L, -1, -2), 1, "the table has a metatable of its own");
    lua_pop(L, 1);
  }
  lua_setmetatable(L, 1);
  lua_settop(L, 1);
  return 1;
}

/* json.is_array(value): was it decoded from an array, or made one by json.array? */
static int json_is_array(lua_State *L) {
  bool is_array = false;
  luaL_checkany(L, 1);
  if (lua_type(L, 1) == LUA_TTABLE && lua_getmetatable(L, 1)) {
    luaL_getmetatable(L, MR_JSON_ARRAY);
    is_array = lua_rawequal(L, -1, -2);
  }
  lua_pushboolean(L, is_array);
  return 1;
}

/* }====== */

/* {====== Decoders ====== */

static struct mr_json_decoder *check_decoder(lua_State *L) {
  return luaL_checkudata(L, 1, MR_JSON_DECODER);
}

static struct mr_json_decoder *to_decoder(lua_State *L) {
  struct mr_json_decoder *decoder = check_decoder(L);
  luaL_argcheck(L, !decoder->finished && !decoder->running, 1,
                "this decoder is used up: make a new one");
  return decoder;
}

/* json.decoder([options]) -> a decoder that takes its text in pieces and stops at a budget. */
static int json_decoder(lua_State *L) {
  struct mr_json_options options;
  check_decode_options(L, 1, &options);
  mr_json_decoder_new(L, &options);
  return 1;
}

/* decoder:feed(text) -> true | nil, message. Nothing is decoded yet. */
static int decoder_feed(lua_State *L) {
  struct mr_json_decoder *decoder = to_decoder(L);
  size_t size;
  const char *text = luaL_checklstring(L, 2, &size);
  enum mr_kind kind = mr_json_decoder_feed(decoder, text, size);
  if (kind != MR_NONE) {
    lua_pushstring(L, kind == MR_TOO_LARGE
                          ? "cannot decode JSON: the text is larger than max_size allows"
                          : "cannot decode JSON: not enough memory");
    return push_failure(L);
  }
  lua_pushboolean(L, 1);
  return 1;
}

/* decoder:step([bytes]) -> true when all that was fed is used and makes a whole value, else false
** and what it waits for, "step" or "feed" | nil, message. Takes about so many bytes;
** without a number all there is. */
static int decoder_step(lua_State *L) {
  struct mr_json_decoder *decoder = to_decoder(L);
  lua_Integer bytes = luaL_optinteger(L, 2, 0);
  luaL_argcheck(L, lua_isnoneornil(L, 2) || bytes > 0, 2, "a number of bytes must be above 0");
  struct mr_json_budget budget = {.bytes = (size_t)bytes};
  enum mr_json_state state = mr_json_decoder_run_fed(L, 1, true, bytes > 0 ? &budget : NULL);
  if (state == MR_JSON_ERROR) return push_failure(L);
  bool is_whole = state == MR_JSON_STARVED && mr_json_decoder_is_whole(decoder);
  lua_pushboolean(L, is_whole);
  if (is_whole) return 1;
  lua_pushstring(L, state == MR_JSON_AGAIN ? "step" : "feed");
  return 2;
}

/* decoder:finish() -> value | nil, message. The text ends here; what is left of it is decoded. */
static int decoder_finish(lua_State *L) {
  to_decoder(L);
  enum mr_json_state state = mr_json_decoder_run_fed(L, 1, false, NULL);
  return state == MR_JSON_DONE ? 1 : push_failure(L);
}

static const luaL_Reg decoder_methods[] = {
    {"feed", decoder_feed},
    {"step", decoder_step},
    {"finish", decoder_finish},
    {NULL, NULL},
};

/* }====== */

static const luaL_Reg functions[] = {
    {"decode", json_decode}, {"encode", json_encode},     {"decoder", json_decoder},
    {"array", json_array},   {"is_array", json_is_array}, {NULL, NULL},
};

int mr_lua_open_json(lua_State *L) {
  mr_json_decoder_register(L);
  luaL_newlibtable(L, decoder_methods);
  luaL_setfuncs(L, decoder_methods, 0);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  return 1;
}
