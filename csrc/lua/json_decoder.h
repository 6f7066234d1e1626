/*
** A decoder as json_decode.c and json_module.c see it.
*/
#ifndef MR_LUA_JSON_DECODER_H
#define MR_LUA_JSON_DECODER_H

#include "core/json_place.h"
#include "core/json_scan.h"
#include "lua/json.h"
#include "lua/json_build.h"

#define MR_JSON_DECODER "moonrest.json.decoder"

struct mr_json_decoder {
  struct mr_json_options options;
  struct mr_json_scanner scanner;
  struct mr_json_builder builder;
  struct mr_json_place start; /* of the text that is still there */
  struct mr_buffer fed;       /* text that came in pieces, from 'start' on */
  int suspended;              /* Lua values that wait in the user value */
  bool running;               /* stays set when an error leaves a run */
  bool finished;
};

void mr_json_decoder_reset(struct mr_json_decoder *decoder, const struct mr_json_options *options);
void mr_json_decoder_free(struct mr_json_decoder *decoder);

/* Pushes the metatable of decoders, making it if it is not there yet. */
void mr_json_decoder_register(lua_State *L);

/* Text that came in pieces: keeps a copy of it for as long as it is needed. MR_TOO_LARGE: it is
** more than max_size in all. */
enum mr_kind mr_json_decoder_feed(struct mr_json_decoder *decoder, const char *text, size_t size);

/* mr_json_decoder_run on what was fed. */
enum mr_json_state mr_json_decoder_run_fed(lua_State *L, int index, bool more,
                                           const struct mr_json_budget *budget);

/* True when what was used of the text is one whole value. */
bool mr_json_decoder_is_whole(const struct mr_json_decoder *decoder);

#endif
