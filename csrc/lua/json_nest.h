/*
** The arrays and objects that the encoder is inside of: its stack, and the path
** that messages give. Level i has two slots of the Lua stack from 'bottom' on:
** the table, and below it what its kind says.
*/
#ifndef MR_LUA_JSON_NEST_H
#define MR_LUA_JSON_NEST_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mr_json_level_kind {
  MR_JSON_LEVEL_OBJECT, /* the second slot holds the current field's name */
  MR_JSON_LEVEL_SORTED, /* the second slot holds the table of names */
  MR_JSON_LEVEL_ARRAY,  /* the second slot holds the current index, as lua_next wants it */
  MR_JSON_LEVEL_INDEXED /* an array that lua_next gives out of order: read by index */
};

struct mr_json_frame {
  enum mr_json_level_kind kind;
  size_t index; /* of the current entry, from 1 */
  size_t count; /* of entries, if SORTED or INDEXED */
  size_t first; /* of its names among those of all frames, if SORTED */
};

struct mr_json_sorted {
  const char *text;
  size_t size;
  lua_Integer index; /* in the table of names */
};

struct mr_json_nest {
  struct mr_json_frame *frames;
  size_t capacity;
  size_t depth;
  struct mr_json_sorted *sorted;
  size_t sorted_capacity;
  size_t sorted_count;
};

void mr_json_nest_free(struct mr_json_nest *nest);
void mr_json_nest_trim(struct mr_json_nest *nest); /* empties it, keeping a little memory */

/* NULL: no memory. */
struct mr_json_frame *mr_json_nest_push(struct mr_json_nest *nest);
void mr_json_nest_pop(struct mr_json_nest *nest);
struct mr_json_sorted *mr_json_nest_add_name(struct mr_json_nest *nest);

/* Pushes the path of the current entry of the first 'levels' levels, e.g. body.users[3]. */
void mr_json_nest_push_path(lua_State *L, const struct mr_json_nest *nest, size_t levels,
                            int bottom, const char *root);

#endif
