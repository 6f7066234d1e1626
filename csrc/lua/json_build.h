/*
** The half of a decoder that makes Lua values.
*/
#ifndef MR_LUA_JSON_BUILD_H
#define MR_LUA_JSON_BUILD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_json_workspace;

/* The arrays and objects that are being filled. Each is on the Lua stack, an object with the name
** of the field that comes next above it. */
struct mr_json_builder {
  size_t *indexes; /* of the next element of each array; 0 for an object */
  uint32_t capacity;
  uint32_t depth;
};

/* A builder of zeros is ready for use. Resetting keeps the memory, freeing does not. */
void mr_json_builder_reset(struct mr_json_builder *builder);
void mr_json_builder_free(struct mr_json_builder *builder);

/* Goes on with what is on top of the stack, by what the workspace's tape says about 'data'.
** 'anchors' is the index of the workspace's table. False: no memory outside of Lua, or the Lua
** stack is full. 'marker' is the index of the collector's (lua/marker.h), or 0. */
bool mr_json_build(lua_State *L, struct mr_json_builder *builder,
                   struct mr_json_workspace *workspace, int anchors, const char *data,
                   bool keep_null, int marker);

#endif
