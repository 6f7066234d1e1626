#include "lua/json_workspace.h"

#include <lauxlib.h>
#include <string.h>

#include "lua/json.h"

#define WORKSPACE "moonrest.json.workspace"

/* What a buffer may keep between two calls. */
#define KEPT_BYTES 65536

#define ARRAY_METATABLE_ANCHOR (MR_JSON_NAMES + 1)

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

/* The anchors, with the metatable of arrays behind the places of the names. */
static void push_anchors(lua_State *L) {
  lua_createtable(L, MR_JSON_NAMES + 1, 0);
  for (int i = 1; i <= MR_JSON_NAMES; i++) {
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, i);
  }
  luaL_newmetatable(L, MR_JSON_ARRAY);
  lua_rawseti(L, -2, ARRAY_METATABLE_ANCHOR);
}

static struct mr_json_workspace *push_new(lua_State *L) {
  struct mr_json_workspace *workspace = lua_newuserdatauv(L, sizeof *workspace, 1);
  memset(workspace, 0, offsetof(struct mr_json_workspace, names));
  workspace->tape = (struct mr_json_tape){workspace->tokens, MR_JSON_TAPE, 0};
  mr_buffer_init(&workspace->scratch, SIZE_MAX);
  mr_buffer_init(&workspace->text, SIZE_MAX);
  for (int i = 0; i < MR_JSON_NAMES; i++)
    workspace->names[i].size = UINT32_MAX;
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
    workspace = push_new(L);
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
  workspace->busy = false;
}

void mr_json_push_array_metatable(lua_State *L, int anchors) {
  lua_rawgeti(L, anchors, ARRAY_METATABLE_ANCHOR);
}

/* {====== Names ====== */

/* 'size' is a constant wherever this is called. */
static inline uint64_t load(const char *text, size_t size) {
  uint64_t word = 0;
  memcpy(&word, text, size);
  return word;
}

/* Up to 16 bytes are wholly in the two words, which may overlap. */
static inline void load_ends(struct mr_json_name *name) {
  const char *text = name->text;
  size_t size = name->size;
  name->last = 0;
  if (size >= 8) {
    name->first = load(text, 8);
    name->last = load(text + size - 8, 8);
  } else if (size >= 4) {
    name->first = load(text, 4) | load(text + size - 4, 4) << 32;
  } else if (size > 0) {
    name->first = load(text, 1) | load(text + size / 2, 1) << 8 | load(text + size - 1, 1) << 16;
  } else {
    name->first = 0;
  }
}

static inline unsigned slot_of(const struct mr_json_name *name) {
  uint64_t mixed = name->first ^ (name->last << 23 | name->last >> 41) ^ name->size;
  return (unsigned)(mixed * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (MR_JSON_NAMES - 1);
}

static inline bool is_same(const struct mr_json_name *a, const struct mr_json_name *b) {
  if (a->size != b->size || a->first != b->first || a->last != b->last) return false;
  return a->size <= 16 || memcmp(a->text + 8, b->text + 8, a->size - 16) == 0;
}

/* The string in the anchors keeps the text in its place. */
static void push_new_name(lua_State *L, struct mr_json_name *place, int anchors, int anchor,
                          const struct mr_json_name *name) {
  lua_pushlstring(L, name->text, name->size);
  lua_pushvalue(L, -1);
  lua_rawseti(L, anchors, anchor);
  *place = *name;
  place->text = lua_tostring(L, -1);
}

void mr_json_push_name(lua_State *L, struct mr_json_workspace *workspace, int anchors,
                       const char *text, size_t size) {
  if (size > MR_JSON_NAME_MAX) {
    lua_pushlstring(L, text, size);
    return;
  }
  struct mr_json_name name = {.text = text, .size = (uint32_t)size};
  load_ends(&name);
  unsigned slot = slot_of(&name);
  if (is_same(&workspace->names[slot], &name))
    lua_rawgeti(L, anchors, (int)slot + 1);
  else {
    uint64_t print = (name.first ^ (name.last << 23 | name.last >> 41) ^ name.size)* UINT64_C(0x9e3779b97f4a7c15);
    if (workspace->seen[slot] == print)
    push_new_name(L, &workspace->names[slot], anchors, (int)slot + 1, &name);
    else { workspace->seen[slot] = print; lua_pushlstring(L, text, size); }
  }
}

/* }====== */
