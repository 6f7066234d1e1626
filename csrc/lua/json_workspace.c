#include "lua/json_workspace.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/json.h"

#define WORKSPACE "moonrest.json.workspace"

/* What a buffer may keep between two calls. */
#define KEPT_BYTES 65536

#define ARRAY_METATABLE_ANCHOR (MR_JSON_CACHED + 1)

/* Its address is the registry's key. */
static const char workspace_key = 0;

static int workspace_gc(lua_State *L) {
  struct mr_json_workspace *workspace = lua_touserdata(L, 1);
  mr_buffer_free(&workspace->scratch);
  mr_buffer_free(&workspace->text);
  mr_json_decoder_free(&workspace->decoder);
  mr_json_nest_free(&workspace->nest);
  return 0;
}

static void set_metatable(lua_State *L) {
  if (luaL_newmetatable(L, WORKSPACE)) {
    lua_pushcfunction(L, workspace_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
}

/* The anchors, with the metatable of arrays behind the places of the strings. */
static void push_anchors(lua_State *L) {
  lua_createtable(L, MR_JSON_CACHED + 1, 0);
  for (int i = 1; i <= MR_JSON_CACHED; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i);
  }
  luaL_newmetatable(L, MR_JSON_ARRAY);
  lua_rawseti(L, -2, ARRAY_METATABLE_ANCHOR);
}

static struct mr_json_workspace *push_workspace(lua_State *L) {
  struct mr_json_workspace *workspace = lua_newuserdatauv(L, sizeof *workspace, 1);
  memset(workspace, 0, offsetof(struct mr_json_workspace, cached));
  workspace->tape = (struct mr_json_tape){workspace->tokens, MR_JSON_TAPE, 0};
  mr_buffer_init(&workspace->scratch, SIZE_MAX);
  mr_buffer_init(&workspace->text, SIZE_MAX);
  for (int i = 0; i < MR_JSON_CACHED; i++)
    workspace->cached[i] = (struct mr_json_cached){.size = UINT32_MAX};
  set_metatable(L);
  push_anchors(L);
  lua_rawgeti(L, -1, ARRAY_METATABLE_ANCHOR);
  workspace->array_metatable = lua_topointer(L, -1);
  lua_pop(L, 1);
  lua_setiuservalue(L, -2, 1);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &workspace_key);
  return workspace;
}

struct mr_json_workspace *mr_json_workspace_take(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &workspace_key);
  struct mr_json_workspace *workspace = lua_touserdata(L, -1);
  if (!workspace || workspace->busy) {
    lua_pop(L, 1);
    workspace = push_workspace(L);
  }
  lua_getiuservalue(L, -1, 1);
  workspace->busy = true;
  return workspace;
}

static void trim(struct mr_buffer *buffer) {
  if (buffer->secret || buffer->capacity > KEPT_BYTES) {
    mr_buffer_free(buffer);
    buffer->secret = false;
  }
}

void mr_json_workspace_give(struct mr_json_workspace *workspace) {
  trim(&workspace->scratch);
  trim(&workspace->text);
  mr_json_nest_trim(&workspace->nest);
  mr_json_decoder_reset(&workspace->decoder, &mr_json_defaults);
  workspace->busy = false;
}

void mr_json_push_array_metatable(lua_State *L, int anchors) {
  lua_rawgeti(L, anchors, ARRAY_METATABLE_ANCHOR);
}

/* {====== Strings ====== */

/* 'size' is a constant wherever this is called. */
static inline uint64_t load(const char *text, size_t size) {
  uint64_t word = 0;
  memcpy(&word, text, size);
  return word;
}

/* Up to 16 bytes are wholly in the two words, which may overlap. */
static inline void load_ends(struct mr_json_cached *string) {
  const char *text = string->text;
  size_t size = string->size;
  string->first = string->last = 0;
  if (size >= 8) {
    string->first = load(text, 8);
    string->last = load(text + size - 8, 8);
  } else if (size >= 4) {
    string->first = load(text, 4) | load(text + size - 4, 4) << 32;
  } else if (size > 0) {
    string->first = load(text, 1) | load(text + size / 2, 1) << 8 | load(text + size - 1, 1) << 16;
  }
}

static inline uint32_t hash_of(const struct mr_json_cached *string) {
  uint64_t mixed = string->first ^ (string->last << 23 | string->last >> 41) ^ string->size;
  return (uint32_t)(mixed * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

static inline bool is_same(const struct mr_json_cached *a, const struct mr_json_cached *b) {
  if (a->size != b->size || a->first != b->first || a->last != b->last) return false;
  return a->size <= 16 || memcmp(a->text + 8, b->text + 8, a->size - 16) == 0;
}

/* The string takes the place of another only when it comes a second time: most values never do.
** In the anchors it keeps its text where it is. */
static void push_new(lua_State *L, struct mr_json_cached *place, int anchors, int anchor,
                     const struct mr_json_cached *string) {
  lua_pushlstring(L, string->text, string->size);
  uint32_t seen = place->seen;
  place->seen = string->seen;
  if (seen != string->seen) return;
  lua_pushvalue(L, -1);
  lua_rawseti(L, anchors, anchor);
  *place = *string;
  place->text = lua_tostring(L, -1);
}

void mr_json_push_string(lua_State *L, struct mr_json_workspace *workspace, int anchors,
                         const char *text, size_t size) {
  if (size > MR_JSON_CACHED_SIZE) {
    lua_pushlstring(L, text, size);
    return;
  }
  struct mr_json_cached string = {.text = text, .size = (uint32_t)size};
  load_ends(&string);
  string.seen = hash_of(&string);
  unsigned slot = string.seen & (MR_JSON_CACHED - 1);
  if (is_same(&workspace->cached[slot], &string))
    lua_rawgeti(L, anchors, (int)slot + 1);
  else
    push_new(L, &workspace->cached[slot], anchors, (int)slot + 1, &string);
}

/* }====== */
