/*
** JSON (RFC 8259) between text and Lua values, for the rest of ring 2. Text is
** checked in full both ways, UTF-8 included. Integers of 64 bits stay exact.
** null is the light userdata NULL; an array from JSON carries the metatable
** MR_JSON_ARRAY and is written as [] even when empty.
**
** Nothing here recurses on the C stack per level of nesting, and nothing runs
** Lua code but finalizers that the collector starts.
*/
#ifndef MR_LUA_JSON_H
#define MR_LUA_JSON_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffer.h"

#define MR_JSON_ARRAY "moonrest.array"

/* The whole message of a decoding that found no memory outside of Lua. */
#define MR_JSON_NO_MEMORY "cannot decode JSON: not enough memory"

/* No option may go above these: the Lua stack holds two slots for each level. */
#define MR_JSON_DEPTH_CEILING  100000
#define MR_JSON_STRING_CEILING UINT32_MAX

struct mr_json_options {
  bool keep_null;      /* a null field is the light userdata NULL, not an absent field */
  bool big_as_string;  /* an integer beyond 64 bits is a string, not a float */
  uint32_t max_depth;  /* arrays and objects within each other */
  uint32_t max_string; /* bytes of one string */
  size_t max_size;     /* bytes of the whole text */
};
extern const struct mr_json_options mr_json_defaults;

struct mr_json_encode_options {
  bool sorted;         /* fields in the order of their names' bytes */
  bool refuse_secrets; /* a moonrest.secret is an error: the text goes where secrets must not */
  uint32_t max_depth;
  const char *root; /* what messages call the value: "body" gives body.users[3] */
};
extern const struct mr_json_encode_options mr_json_encode_defaults;

int mr_lua_open_json(lua_State *L); /* pushes the module's table */

/* Returns 1 and pushes the value (null gives the light userdata NULL), or returns 0 and pushes a
** message with line, column, byte and a snippet. Raises only when Lua has no memory, and leaks
** nothing then. 'data' is the caller's and must survive a longjmp. NULL options: the defaults. */
int mr_json_decode(lua_State *L, const char *data, size_t size,
                   const struct mr_json_options *options);

/* A decoder that stops and goes on. */

enum mr_json_state {
  MR_JSON_AGAIN,   /* the budget is spent */
  MR_JSON_STARVED, /* all there is of the text is used, and there is more to come */
  MR_JSON_DONE,    /* pushed the value */
  MR_JSON_ERROR    /* pushed a message */
};

/* Bounds one run. Work is done in pieces of at most MR_JSON_PIECE bytes, or 'piece' if that is less,
** and is_spent is asked between two of them; a number that is cut in two makes one longer. What is not cut into pieces:
** making one Lua string of a long string, and growing the table of a long array. */
#define MR_JSON_PIECE 16384
struct mr_json_budget {
  size_t bytes;                    /* 0: not bounded so */
  size_t piece;                    /* 0: MR_JSON_PIECE; is_spent may change it */
  bool marks;                      /* what is built is marked for the collector: lua/marker.h */
  bool (*is_spent)(void *context); /* NULL: not bounded so */
  void *context;
};

struct mr_json_decoder;

struct mr_json_decoder *mr_json_decoder_new(lua_State *L, const struct mr_json_options *options);

/* Goes on with the decoder at 'index'. 'data' is the text from its first byte on; it may have grown
** and moved since the last run. 'more' says that it does not end there. NULL budget: no bound.
** After DONE and ERROR the decoder is used up, and so it is when Lua had no memory for it. */
enum mr_json_state mr_json_decoder_run(lua_State *L, int index, const char *data, size_t size,
                                       bool more, const struct mr_json_budget *budget);

/* Bytes of the text that are used. */
size_t mr_json_decoder_used(const struct mr_json_decoder *decoder);

/* Appends the value at 'index' to 'out', which belongs to a userdata of the caller's. Returns 1, or
** returns 0, leaves 'out' as long as it was and pushes a message with the path of the culprit.
** Values of type moonrest.secret are written into 'out' without passing Lua, and mark it secret.
** NULL options: the defaults. */
int mr_json_encode(lua_State *L, int index, struct mr_buffer *out,
                   const struct mr_json_encode_options *options);

#endif
