/*
** What the codec keeps per lua_State between two calls: memory that is grown
** once, and recent short strings.
*/
#ifndef MR_LUA_JSON_WORKSPACE_H
#define MR_LUA_JSON_WORKSPACE_H

#include "core/buffer.h"
#include "core/json_scan.h"
#include "lua/json_decoder.h"
#include "lua/json_nest.h"

#define MR_JSON_TAPE   512 /* tokens: small enough to stay in the first-level cache */
#define MR_JSON_CACHED 256 /* strings; a power of two */

/* Longer strings are not cached: Lua does not intern them, so there is nothing to save. */
#define MR_JSON_CACHED_SIZE 40

/* A string that came more than once: the names of fields, the words of enumerations. It stands in
** the anchors under its slot + 1. */
struct mr_json_cached {
  uint64_t first; /* its first and its last bytes, which most often are all of it */
  uint64_t last;
  const char *text;
  uint32_t size; /* UINT32_MAX: free */
  uint32_t seen; /* a hash of the last string that did not find itself here */
};

struct mr_json_workspace {
  bool busy; /* in use; stays set when a call is left by an error */
  const void *array_metatable;
  struct mr_buffer scratch;       /* a string without its escapes */
  struct mr_buffer text;          /* what json.encode makes */
  struct mr_json_decoder decoder; /* for texts that are decoded at one go */
  struct mr_json_nest nest;       /* what the encoder is inside of */
  struct mr_json_tape tape;       /* of the tokens below */
  struct mr_json_cached cached[MR_JSON_CACHED];
  struct mr_json_token tokens[MR_JSON_TAPE];
};

/* Pushes the workspace and its table of anchors. A finalizer that decodes in the midst of a decode
** gets one of its own, and so does the first call after one that an error left. */
struct mr_json_workspace *mr_json_workspace_take(lua_State *L);

/* Ends its use, and lets go of what an unusually large text made it grow. Pops nothing. */
void mr_json_workspace_give(struct mr_json_workspace *workspace);

/* Pushes the text as a string. 'anchors' is the index of the table of anchors. */
void mr_json_push_string(lua_State *L, struct mr_json_workspace *workspace, int anchors,
                         const char *text, size_t size);

/* Pushes the metatable of arrays. */
void mr_json_push_array_metatable(lua_State *L, int anchors);

/* mr_json_encode in a workspace that the caller has taken. */
int mr_json_encode_with(lua_State *L, int index, struct mr_buffer *out,
                        const struct mr_json_encode_options *options,
                        struct mr_json_workspace *workspace);

#endif
