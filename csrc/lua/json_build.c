/*
** From the tape to Lua values. A table is made when its token comes, with room
** for what the tape says it will hold, and is put into the one around it when
** its end comes: until then it is reachable from the stack alone.
*/
#include "lua/json_build.h"

#include <lauxlib.h>

#include "core/json_text.h"
#include "core/memory.h"
#include "lua/json_workspace.h"
#include "lua/marker.h"

#define FIRST_CAPACITY 32
#define KEPT_CAPACITY  1024

/* Bytes of a value that may be a word of an enumeration. */
#define LONGEST_WORD 16

/* Slots that one token may need: a table, its metatable or a name, and a value. */
#define SLOTS_PER_TOKEN 8

struct build {
  lua_State *L;
  struct mr_json_builder *builder;
  struct mr_json_workspace *workspace;
  int anchors;
  const char *data;
  bool keep_null;
  int marker;
};

void mr_json_builder_reset(struct mr_json_builder *builder) {
  if (builder->capacity > KEPT_CAPACITY) mr_json_builder_free(builder);
  builder->depth = 0;
}

void mr_json_builder_free(struct mr_json_builder *builder) {
  mr_free(builder->indexes);
  *builder = (struct mr_json_builder){0};
}

static bool ensure_level(struct mr_json_builder *builder) {
  if (builder->depth < builder->capacity) return true;
  uint32_t capacity = builder->capacity ? builder->capacity * 2 : FIRST_CAPACITY;
  size_t *indexes = mr_realloc(builder->indexes, capacity * sizeof *indexes);
  if (!indexes) return false;
  builder->indexes = indexes;
  builder->capacity = capacity;
  return true;
}

/* Puts the value on top into the innermost table. */
static inline void attach(struct build *build) {
  struct mr_json_builder *builder = build->builder;
  if (builder->depth == 0) return;
  size_t *index = &builder->indexes[builder->depth - 1];
  if (*index == 0)
    lua_rawset(build->L, -3);
  else
    lua_rawseti(build->L, -2, (lua_Integer)(*index)++);
}

static bool open_table(struct build *build, const struct mr_json_token *token) {
  struct mr_json_builder *builder = build->builder;
  bool is_array = token->kind == MR_JSON_TOKEN_ARRAY;
  if (!lua_checkstack(build->L, SLOTS_PER_TOKEN) || !ensure_level(builder)) return false;
  if (is_array) {
    lua_createtable(build->L, (int)token->size, 0);
    mr_json_push_array_metatable(build->L, build->anchors);
    lua_setmetatable(build->L, -2);
  } else {
    lua_createtable(build->L, 0, (int)token->size);
  }
  builder->indexes[builder->depth++] = is_array ? 1 : 0;
  return true;
}

static void close_table(struct build *build) {
  build->builder->depth--;
  if (build->marker) mr_lua_mark(build->L, build->marker, -1);
  attach(build);
}

/* An absent field still undoes an earlier one of the same name: the last one counts. */
static void add_null(struct build *build) {
  const struct mr_json_builder *builder = build->builder;
  bool is_field = builder->depth > 0 && builder->indexes[builder->depth - 1] == 0;
  if (is_field && !build->keep_null)
    lua_pushnil(build->L);
  else
    lua_pushlightuserdata(build->L, NULL);
  attach(build);
}

static inline void push_cached(struct build *build, const char *text, size_t size) {
  mr_json_push_string(build->L, build->workspace, build->anchors, text, size);
}

/* Only short values come again often enough for the cache. */
static inline void push_value(struct build *build, const char *text, size_t size) {
  if (size <= LONGEST_WORD)
    push_cached(build, text, size);
  else
    lua_pushlstring(build->L, text, size);
}

static bool unescape(struct build *build, const struct mr_json_token *token, size_t *size) {
  struct mr_buffer *scratch = &build->workspace->scratch;
  mr_buffer_clear(scratch);
  if (mr_buffer_reserve(scratch, token->size) != MR_NONE) return false;
  *size = mr_json_unescape(scratch->data, build->data + token->value.offset, token->size);
  return true;
}

static bool add_escaped(struct build *build, const struct mr_json_token *token) {
  size_t size;
  if (!unescape(build, token, &size)) return false;
  push_value(build, build->workspace->scratch.data, size);
  if (token->kind == MR_JSON_TOKEN_ESCAPED_STRING) attach(build);
  return true;
}

static void add_simple(struct build *build, const struct mr_json_token *token) {
  switch (token->kind) {
  case MR_JSON_TOKEN_INTEGER:
    lua_pushinteger(build->L, token->value.integer);
    break;
  case MR_JSON_TOKEN_FLOAT:
    lua_pushnumber(build->L, token->value.real);
    break;
  case MR_JSON_TOKEN_STRING:
    push_value(build, build->data + token->value.offset, token->size);
    break;
  default:
    lua_pushboolean(build->L, token->kind == MR_JSON_TOKEN_TRUE);
  }
  attach(build);
}

static bool add(struct build *build, const struct mr_json_token *token) {
  switch (token->kind) {
  case MR_JSON_TOKEN_KEY:
    push_cached(build, build->data + token->value.offset, token->size);
    return true;
  case MR_JSON_TOKEN_ARRAY:
  case MR_JSON_TOKEN_OBJECT:
    return open_table(build, token);
  case MR_JSON_TOKEN_END:
    close_table(build);
    return true;
  case MR_JSON_TOKEN_NULL:
    add_null(build);
    return true;
  case MR_JSON_TOKEN_ESCAPED_STRING:
  case MR_JSON_TOKEN_ESCAPED_KEY:
    return add_escaped(build, token);
  default:
    add_simple(build, token);
    return true;
  }
}

bool mr_json_build(lua_State *L, struct mr_json_builder *builder,
                   struct mr_json_workspace *workspace, int anchors, const char *data,
                   bool keep_null, int marker) {
  struct build build = {L, builder, workspace, anchors, data, keep_null, marker};
  const struct mr_json_token *token = workspace->tape.tokens;
  const struct mr_json_token *end = token + workspace->tape.count;
  for (; token < end; token++)
    if (!add(&build, token)) return false;
  return true;
}
