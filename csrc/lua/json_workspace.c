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
    workspace->names[i] = (struct mr_json_name){NULL, UINT32_MAX};
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

/* 'size' is a constant wherever this is called. */
static inline uint64_t load(const char *text, size_t size) {
  uint64_t word = 0;
  memcpy(&word, text, size);
  return word;
}

static inline uint64_t ends_of(const char *text, size_t size) {
  if (size >= 8) {
    uint64_t last = load(text + size - 8, 8);
    return load(text, 8) ^ (last << 23 | last >> 41);
  }
  if (size >= 4) return load(text, 4) << 32 | load(text + size - 4, 4);
  if (size == 0) return 0;
  return load(text, 1) << 16 | load(text + size / 2, 1) << 8 | load(text + size - 1, 1);
}

/* The first and the last eight bytes and the length tell the names of one API apart. */
static inline unsigned slot_of(const char *text, size_t size) {
  uint64_t mixed = (ends_of(text, size) ^ size) * UINT64_C(0x9e3779b97f4a7c15);
  return (unsigned)(mixed >> 32) & (MR_JSON_NAMES - 1);
}

static void push_uncached(lua_State *L, struct mr_json_name *name, int anchors, int anchor,
                          const char *text, size_t size) {
  lua_pushlstring(L, text, size);
  lua_pushvalue(L, -1);
  lua_rawseti(L, anchors, anchor);
  name->text = lua_tostring(L, -1);
  name->size = (uint32_t)size;
}

void mr_json_push_name(lua_State *L, struct mr_json_workspace *workspace, int anchors,
                       const char *text, size_t size) {
  if (size > MR_JSON_NAME_MAX) {
    lua_pushlstring(L, text, size);
    return;
  }
  unsigned slot = slot_of(text, size);
  struct mr_json_name *name = &workspace->names[slot];
  if (name->size == size && memcmp(name->text, text, size) == 0)
    lua_rawgeti(L, anchors, (int)slot + 1);
  else
    push_uncached(L, name, anchors, (int)slot + 1, text, size);
}
