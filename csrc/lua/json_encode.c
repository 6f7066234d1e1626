/*
** One loop, no recursion: the tables that are open are on the Lua stack, what
** else is known of them in the nest. Reads tables raw, so that nothing runs
** Lua code; a field is written as soon as lua_next gives it.
*/
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_number.h"
#include "core/json_text.h"
#include "core/memory.h"
#include "core/secret.h"
#include "lua/json.h"
#include "lua/json_workspace.h"
#include "lua/secret.h"

/* A level's two, a value, and a few to look at things with. */
#define SLOTS_PER_LEVEL 10

#define ENCODE_ERROR "cannot encode "

const struct mr_json_encode_options mr_json_encode_defaults = {.max_depth = 1000, .root = "value"};

struct encoder {
  lua_State *L;
  struct mr_buffer *out;
  const struct mr_json_encode_options *options;
  struct mr_json_nest *nest;
  const void *array_metatable;
  int bottom;
};

/* What a step of the loop left on the stack: a value to write, nothing, or a message. */
enum step { VALUE, NOTHING, FAILED };

/* {====== Messages ====== */

/* Pushes "cannot encode 'what' at 'path''hint'". 'levels' of the nest make the path. */
static enum step fail(struct encoder *encoder, size_t levels, const char *what, const char *hint) {
  lua_State *L = encoder->L;
  mr_json_nest_push_path(L, encoder->nest, levels, encoder->bottom, encoder->options->root);
  lua_pushfstring(L, ENCODE_ERROR "%s at %s%s", what, lua_tostring(L, -1), hint);
  return FAILED;
}

/* The culprit is the value on top. */
static enum step fail_value(struct encoder *encoder, const char *what, const char *hint) {
  return fail(encoder, encoder->nest->depth, what, hint);
}

/* The culprit is the innermost open table. */
static enum step fail_table(struct encoder *encoder, const char *what, const char *hint) {
  return fail(encoder, encoder->nest->depth - 1, what, hint);
}

static enum step fail_write(struct encoder *encoder, enum mr_kind kind, const char *what) {
  if (kind == MR_DECODE) return fail_value(encoder, what, ": it is not valid UTF-8");
  lua_pushstring(encoder->L, kind == MR_TOO_LARGE ? ENCODE_ERROR "JSON: the text is too large"
                                                  : ENCODE_ERROR "JSON: not enough memory");
  return FAILED;
}

static enum step no_memory(struct encoder *encoder) {
  return fail_write(encoder, MR_LIMIT, NULL);
}

/* }====== */

/* {====== Writing ====== */

static inline enum mr_kind put(struct mr_buffer *out, const char *text, size_t size) {
  if (out->capacity - out->size <= size) return mr_buffer_append(out, text, size);
  memcpy(out->data + out->size, text, size);
  out->size += size;
  return MR_NONE;
}

/* The value on top has been written, if 'kind' says so. */
static inline enum step written(struct encoder *encoder, enum mr_kind kind) {
  if (kind != MR_NONE) return fail_write(encoder, kind, "a string");
  lua_pop(encoder->L, 1);
  return NOTHING;
}

static enum step write_number(struct encoder *encoder) {
  char text[MR_JSON_NUMBER_ROOM];
  size_t size;
  if (lua_isinteger(encoder->L, -1)) {
    size = mr_json_write_integer(text, lua_tointeger(encoder->L, -1));
  } else {
    double value = lua_tonumber(encoder->L, -1);
    if (isnan(value)) return fail_value(encoder, "NaN", "");
    if (isinf(value)) return fail_value(encoder, "an infinite number", "");
    size = mr_json_write_double(text, value);
  }
  return written(encoder, put(encoder->out, text, size));
}

static enum step write_text(struct encoder *encoder) {
  size_t size;
  const char *text = lua_tolstring(encoder->L, -1, &size);
  return written(encoder, mr_json_write_string(encoder->out, text, size));
}

/* The plain bytes stay in a buffer of their own, which is wiped, for as long as they are escaped. */
static enum mr_kind append_secret(struct mr_secret *secret, struct mr_buffer *out) {
  struct mr_buffer plain;
  mr_buffer_init(&plain, MR_SECRET_MAX);
  enum mr_kind kind = mr_secret_append(secret, "", &plain);
  plain.secret = out->secret = true;
  if (kind == MR_NONE) kind = mr_json_write_string(out, mr_buffer_string(&plain), plain.size);
  mr_buffer_free(&plain);
  return kind;
}

static enum step write_userdata(struct encoder *encoder) {
  struct mr_secret *secret = mr_lua_test_secret(encoder->L, -1);
  if (!secret) return fail_value(encoder, "userdata", "");
  if (encoder->options->refuse_secrets)
    return fail_value(encoder, "a secret", ": it may stand in a request, but not in a Lua string");
  return written(encoder, append_secret(secret, encoder->out));
}

/* }====== */

/* {====== lua-cjson's marks ====== */

/* Is what is at 'index' the field of the lua-cjson that is loaded, if any is? */
static bool is_cjson_mark(lua_State *L, int index, const char *field) {
  int top = lua_gettop(L);
  bool is_mark = false;
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushliteral(L, "cjson");
  if (lua_istable(L, -2) && lua_rawget(L, -2) == LUA_TTABLE) {
    lua_pushstring(L, field);
    is_mark = lua_rawget(L, -2) != LUA_TNIL && lua_rawequal(L, -1, index);
  }
  lua_settop(L, top);
  return is_mark;
}

static enum step write_light_userdata(struct encoder *encoder) {
  if (!lua_touserdata(encoder->L, -1)) return written(encoder, put(encoder->out, "null", 4));
  if (is_cjson_mark(encoder->L, lua_gettop(encoder->L), "empty_array"))
    return written(encoder, put(encoder->out, "[]", 2));
  return fail_value(encoder, "light userdata", "");
}

/* The metatable of an array, ours or lua-cjson's, makes an array of a table without elements. */
static bool is_marked_array(struct encoder *encoder, int table, bool is_empty) {
  lua_State *L = encoder->L;
  if (!lua_getmetatable(L, table)) return false;
  int metatable = lua_gettop(L);
  bool is_marked = lua_topointer(L, metatable) == encoder->array_metatable ||
                   is_cjson_mark(L, metatable, "array_mt") ||
                   (is_empty && is_cjson_mark(L, metatable, "empty_array_mt"));
  lua_pop(L, 1);
  return is_marked;
}

/* }====== */

/* {====== Names ====== */

/* Writes the name at 'index', a comma before it unless it is the first, and the colon. */
static enum step write_name(struct encoder *encoder, int index, bool is_first) {
  size_t size;
  const char *name = lua_tolstring(encoder->L, index, &size);
  struct mr_buffer *out = encoder->out;
  enum mr_kind kind = is_first ? MR_NONE : put(out, ",", 1);
  if (kind == MR_NONE) kind = mr_json_write_string(out, name, size);
  if (kind == MR_NONE) kind = put(out, ":", 1);
  return kind == MR_NONE ? VALUE : fail_write(encoder, kind, "a field name");
}

/* The key at 'index' cannot be in the innermost table, which has others. 'mixed' is the type of key
** that means an object among elements, or the reverse. */
static enum step fail_key(struct encoder *encoder, int index, int mixed) {
  lua_State *L = encoder->L;
  int type = lua_type(L, index);
  if (type == mixed) return fail_table(encoder, "a table that mixes elements and fields", "");
  lua_pushvalue(L, index);
  lua_pushfstring(L, "a table with the key %s",
                  type == LUA_TNUMBER ? lua_tostring(L, -1) : lua_typename(L, type));
  return fail_table(encoder, lua_tostring(L, -1),
                    ": an array has the keys 1 to n, an object only strings");
}

static int compare_names(const void *left, const void *right) {
  const struct mr_json_sorted *a = left, *b = right;
  int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
  return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

/* Collects the names of the innermost table, whose first name is in the second slot with its value
** above it, into a table that takes that slot. */
static enum step sort_names(struct encoder *encoder, struct mr_json_frame *frame) {
  lua_State *L = encoder->L;
  int table = lua_gettop(L) - 2, names = table + 1;
  lua_settop(L, table);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, table); lua_settop(L, names + 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) return fail_key(encoder, names + 1, LUA_TNUMBER);
    struct mr_json_sorted *sorted = mr_json_nest_add_name(encoder->nest);
    if (!sorted) return no_memory(encoder);
    sorted->text = lua_tolstring(L, -2, &sorted->size);
    sorted->index = (lua_Integer)++frame->count;
    lua_pushvalue(L, -2);
    lua_rawseti(L, names, sorted->index);
  }
  qsort(encoder->nest->sorted + frame->first, frame->count, sizeof(struct mr_json_sorted),
        compare_names);
  frame->kind = MR_JSON_LEVEL_SORTED;
  return NOTHING;
}

/* }====== */

/* {====== Next entries ====== */

static enum step next_field(struct encoder *encoder, struct mr_json_frame *frame) {
  lua_State *L = encoder->L;
  int name = lua_gettop(L);
  if (!lua_next(L, name - 1)) {
    lua_pushnil(L); /* takes the slot again */
    return NOTHING;
  }
  if (lua_type(L, name) != LUA_TSTRING) return fail_key(encoder, name, LUA_TNUMBER);
  return write_name(encoder, name, frame->index++ == 0);
}

static enum step next_sorted(struct encoder *encoder, struct mr_json_frame *frame) {
  lua_State *L = encoder->L;
  int names = lua_gettop(L);
  if (frame->index == frame->count) return NOTHING;
  const struct mr_json_sorted *sorted = &encoder->nest->sorted[frame->first + frame->index++];
  lua_rawgeti(L, names, sorted->index);
  if (write_name(encoder, names + 1, frame->index == 1) == FAILED) return FAILED;
  lua_rawget(L, names - 1);
  return VALUE;
}

static enum step next_indexed(struct encoder *encoder, struct mr_json_frame *frame) {
  if (frame->index == frame->count) return NOTHING;
  enum mr_kind kind = frame->index > 0 ? put(encoder->out, ",", 1) : MR_NONE;
  if (kind != MR_NONE) return fail_write(encoder, kind, NULL);
  lua_rawgeti(encoder->L, -2, (lua_Integer)++frame->index);
  return VALUE;
}

/* lua_next gave an index out of order, or no index. When all keys are 1 to n, the array is read by
** index from here on. The key is in the second slot of the level, its value above it. */
static enum step reorder(struct encoder *encoder, struct mr_json_frame *frame) {
  lua_State *L = encoder->L;
  int key = lua_gettop(L) - 1;
  lua_Integer largest = 0;
  lua_settop(L, key - 1);
  for (lua_pushnil(L); lua_next(L, key - 1); lua_settop(L, key)) {
    lua_Integer index = lua_isinteger(L, key) ? lua_tointeger(L, key) : 0;
    if (index < 1) return fail_key(encoder, key, LUA_TSTRING);
    if (index > largest) largest = index;
    frame->count++;
  }
  lua_pushnil(L);
  if ((size_t)largest != frame->count)
    return fail_table(encoder, "an array with holes", ": put moonrest.null where nothing is");
  frame->kind = MR_JSON_LEVEL_INDEXED;
  return next_indexed(encoder, frame);
}

static enum step next_element(struct encoder *encoder, struct mr_json_frame *frame) {
  lua_State *L = encoder->L;
  int key = lua_gettop(L);
  if (!lua_next(L, key - 1)) {
    lua_pushnil(L); /* takes the slot again */
    return NOTHING;
  }
  if (!lua_isinteger(L, key) || lua_tointeger(L, key) != (lua_Integer)frame->index + 1)
    return reorder(encoder, frame);
  frame->index++;
  enum mr_kind kind = frame->index > 1 ? put(encoder->out, ",", 1) : MR_NONE;
  return kind == MR_NONE ? VALUE : fail_write(encoder, kind, NULL);
}

static enum step next_entry(struct encoder *encoder, struct mr_json_frame *frame) {
  switch (frame->kind) {
  case MR_JSON_LEVEL_OBJECT:
    return next_field(encoder, frame);
  case MR_JSON_LEVEL_SORTED:
    return next_sorted(encoder, frame);
  case MR_JSON_LEVEL_ARRAY:
    return next_element(encoder, frame);
  default:
    return next_indexed(encoder, frame);
  }
}

/* }====== */

/* {====== Tables ====== */

static bool is_array_frame(const struct mr_json_frame *frame) {
  return frame->kind == MR_JSON_LEVEL_ARRAY || frame->kind == MR_JSON_LEVEL_INDEXED;
}

/* A table that comes twice on the way down is where a cycle closes. */
static enum step fail_depth(struct encoder *encoder) {
  lua_State *L = encoder->L;
  const void *table = lua_topointer(L, -1);
  size_t depth = encoder->nest->depth, seen = 0;
  for (size_t level = 0; level <= depth; level++)
    if (lua_topointer(L, encoder->bottom + 2 * (int)level + 1) == table && ++seen == 2)
      return fail(encoder, level, "a table that contains itself", "");
  return fail(encoder, depth, "tables nested deeper than max_depth allows", "");
}

/* The first key, in the second slot of the new level, tells arrays from objects. */
static enum step choose_kind(struct encoder *encoder, struct mr_json_frame *frame) {
  lua_State *L = encoder->L;
  int table = lua_gettop(L) - 2;
  if (lua_type(L, table + 1) == LUA_TNUMBER) {
    frame->kind = MR_JSON_LEVEL_ARRAY;
    return NOTHING;
  }
  if (is_marked_array(encoder, table, false))
    return fail_table(encoder, "an array that has fields", "");
  frame->kind = MR_JSON_LEVEL_OBJECT;
  return encoder->options->sorted ? sort_names(encoder, frame) : NOTHING;
}

/* Fields are read without metamethods, which may raise or wait: one that stands for others has none of its own. */
static enum step write_empty(struct encoder *encoder) {
  lua_State *L = encoder->L;
  if (luaL_getmetafield(L, -1, "__pairs") != LUA_TNIL) {
    lua_pop(L, 1);
    return fail_value(encoder, "a table whose fields come from __pairs",
                      ": copy them into a plain one");
  }
  bool is_array = is_marked_array(encoder, lua_gettop(L), true);
  return written(encoder, put(encoder->out, is_array ? "[]" : "{}", 2));
}

/* Starts on the table on top. Its first entry comes with the next turn of the loop. */
static enum step open_table(struct encoder *encoder) {
  lua_State *L = encoder->L;
  if (encoder->nest->depth >= encoder->options->max_depth) return fail_depth(encoder);
  if (!lua_checkstack(L, SLOTS_PER_LEVEL)) return no_memory(encoder);
  int table = lua_gettop(L);
  lua_pushnil(L);
  if (!lua_next(L, table)) return write_empty(encoder);
  struct mr_json_frame *frame = mr_json_nest_push(encoder->nest);
  if (!frame) return no_memory(encoder);
  if (choose_kind(encoder, frame) == FAILED) return FAILED;
  if (frame->kind != MR_JSON_LEVEL_SORTED) {
    lua_settop(L, table);
    lua_pushnil(L);
  }
  enum mr_kind kind = put(encoder->out, is_array_frame(frame) ? "[" : "{", 1);
  return kind == MR_NONE ? NOTHING : fail_write(encoder, kind, NULL);
}

static enum step close_table(struct encoder *encoder, const struct mr_json_frame *frame) {
  enum mr_kind kind = put(encoder->out, is_array_frame(frame) ? "]" : "}", 1);
  if (kind != MR_NONE) return fail_write(encoder, kind, NULL);
  lua_pop(encoder->L, 2);
  mr_json_nest_pop(encoder->nest);
  return NOTHING;
}

/* }====== */

/* Writes or opens the value on top. */
static enum step write_value(struct encoder *encoder) {
  lua_State *L = encoder->L;
  switch (lua_type(L, -1)) {
  case LUA_TSTRING:
    return write_text(encoder);
  case LUA_TNUMBER:
    return write_number(encoder);
  case LUA_TBOOLEAN:
    return written(encoder, lua_toboolean(L, -1) ? put(encoder->out, "true", 4)
                                                 : put(encoder->out, "false", 5));
  case LUA_TTABLE:
    return open_table(encoder);
  case LUA_TNIL:
    return written(encoder, put(encoder->out, "null", 4));
  case LUA_TLIGHTUSERDATA:
    return write_light_userdata(encoder);
  case LUA_TUSERDATA:
    return write_userdata(encoder);
  default:
    return fail_value(encoder, luaL_typename(L, -1), "");
  }
}

static enum step run(struct encoder *encoder) {
  enum step step = write_value(encoder);
  while (step == NOTHING && encoder->nest->depth > 0) {
    struct mr_json_frame *frame = &encoder->nest->frames[encoder->nest->depth - 1];
    step = next_entry(encoder, frame);
    if (step == VALUE)
      step = write_value(encoder);
    else if (step == NOTHING)
      step = close_table(encoder, frame);
  }
  return step;
}

/* What was written of a value that failed is taken back; of a secret nothing stays. */
static void take_back(struct mr_buffer *out, size_t size) {
  if (out->secret && out->size > size) mr_wipe(out->data + size, out->size - size);
  out->size = size;
}

int mr_json_encode_with(lua_State *L, int index, struct mr_buffer *out,
                        const struct mr_json_encode_options *options,
                        struct mr_json_workspace *workspace) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  index = lua_absindex(L, index);
  size_t size = out->size;
  struct encoder encoder = {
      .L = L,
      .out = out,
      .options = options ? options : &mr_json_encode_defaults,
      .nest = &workspace->nest,
      .array_metatable = workspace->array_metatable,
      .bottom = lua_gettop(L),
  };
  lua_pushvalue(L, index);
  bool good = run(&encoder) != FAILED;
  if (!good) {
    take_back(out, size);
    lua_replace(L, encoder.bottom + 1);
  }
  if (out->data) out->data[out->size] = '\0';
  lua_settop(L, encoder.bottom + !good);
  return good;
}

int mr_json_encode(lua_State *L, int index, struct mr_buffer *out,
                   const struct mr_json_encode_options *options) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  index = lua_absindex(L, index);
  int bottom = lua_gettop(L);
  struct mr_json_workspace *workspace = mr_json_workspace_take(L);
  int good = mr_json_encode_with(L, index, out, options, workspace);
  mr_json_workspace_give(workspace);
  if (!good) lua_replace(L, bottom + 1);
  lua_settop(L, bottom + !good);
  return good;
}
