#include "lua/json_nest.h"

#include <lauxlib.h>
#include <stdio.h>

#include "core/ascii.h"
#include "core/json_place.h"
#include "core/memory.h"

#define FIRST_CAPACITY 32
#define KEPT_CAPACITY  1024

/* A path shows this many levels at its beginning and at its end, and this much of each name. */
#define SHOWN_LEVELS ((size_t)8)
#define SHOWN_NAME   40

void mr_json_nest_free(struct mr_json_nest *nest) {
  mr_free(nest->frames);
  mr_free(nest->sorted);
  *nest = (struct mr_json_nest){0};
}

void mr_json_nest_trim(struct mr_json_nest *nest) {
  if (nest->capacity > KEPT_CAPACITY || nest->sorted_capacity > KEPT_CAPACITY)
    mr_json_nest_free(nest);
  nest->depth = nest->sorted_count = 0;
}

struct mr_json_frame *mr_json_nest_push(struct mr_json_nest *nest) {
  if (nest->depth == nest->capacity) {
    size_t capacity = nest->capacity ? nest->capacity * 2 : FIRST_CAPACITY;
    struct mr_json_frame *frames = mr_realloc(nest->frames, capacity * sizeof *frames);
    if (!frames) return NULL;
    nest->frames = frames;
    nest->capacity = capacity;
  }
  struct mr_json_frame *frame = &nest->frames[nest->depth++];
  *frame = (struct mr_json_frame){.first = nest->sorted_count};
  return frame;
}

void mr_json_nest_pop(struct mr_json_nest *nest) {
  nest->sorted_count = nest->frames[--nest->depth].first;
}

struct mr_json_sorted *mr_json_nest_add_name(struct mr_json_nest *nest) {
  if (nest->sorted_count == nest->sorted_capacity) {
    size_t capacity = nest->sorted_capacity ? nest->sorted_capacity * 2 : FIRST_CAPACITY;
    struct mr_json_sorted *sorted = mr_realloc(nest->sorted, capacity * sizeof *sorted);
    if (!sorted) return NULL;
    nest->sorted = sorted;
    nest->sorted_capacity = capacity;
  }
  return &nest->sorted[nest->sorted_count++];
}

/* {====== Paths ====== */

static bool is_identifier(const char *name, size_t size) {
  if (size == 0 || size > SHOWN_NAME || mr_ascii_is_digit(name[0])) return false;
  for (size_t i = 0; i < size; i++)
    if (name[i] != '_' && !mr_ascii_is_alpha(name[i]) && !mr_ascii_is_digit(name[i])) return false;
  return true;
}

static void add_name(luaL_Buffer *path, const char *name, size_t size) {
  if (is_identifier(name, size)) {
    luaL_addchar(path, '.');
    luaL_addlstring(path, name, size);
    return;
  }
  char shown[SHOWN_NAME * MR_JSON_ESCAPED];
  bool is_cut = size > SHOWN_NAME;
  size_t length = mr_json_printable(shown, name, is_cut ? SHOWN_NAME : size);
  luaL_addstring(path, "[\"");
  luaL_addlstring(path, shown, length);
  luaL_addstring(path, is_cut ? "...\"]" : "\"]");
}

static void add_index(luaL_Buffer *path, size_t index) {
  char text[24];
  int length = snprintf(text, sizeof text, "[%zu]", index);
  luaL_addlstring(path, text, (size_t)length);
}

static void add_level(lua_State *L, luaL_Buffer *path, const struct mr_json_nest *nest,
                      size_t level, int bottom) {
  const struct mr_json_frame *frame = &nest->frames[level];
  size_t size;
  if (frame->kind == MR_JSON_LEVEL_OBJECT) {
    const char *name = lua_tolstring(L, bottom + 2 * (int)level + 2, &size);
    add_name(path, name, size);
  } else if (frame->kind == MR_JSON_LEVEL_SORTED) {
    const struct mr_json_sorted *sorted = &nest->sorted[frame->first + frame->index - 1];
    add_name(path, sorted->text, sorted->size);
  } else {
    add_index(path, frame->index);
  }
}

void mr_json_nest_push_path(lua_State *L, const struct mr_json_nest *nest, size_t levels,
                            int bottom, const char *root) {
  luaL_Buffer path;
  luaL_buffinit(L, &path);
  luaL_addstring(&path, root);
  for (size_t i = 0; i < levels; i++) {
    if (i == SHOWN_LEVELS && levels > 2 * SHOWN_LEVELS) {
      luaL_addstring(&path, "...");
      i = levels - SHOWN_LEVELS;
    }
    add_level(L, &path, nest, i, bottom);
  }
  luaL_pushresult(&path);
}

/* }====== */
