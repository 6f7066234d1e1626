/*
** Text is scanned on to the tape and built from there, piece by piece. Between
** two pieces the tape is empty, so that is where a run can stop: what is then
** on the Lua stack moves into a table that the decoder holds.
*/
#include <lauxlib.h>
#include <string.h>

#include "core/json_number.h"
#include "lua/json_decoder.h"
#include "lua/json_workspace.h"
#include "lua/marker.h"

/* Enough for the longest number: a piece that ends inside one is read again from its first digit. */
#define LONG_PIECE ((size_t)2 * MR_JSON_NUMBER_MAX)

#define MESSAGE_PREFIX "cannot decode JSON: "

const struct mr_json_options mr_json_defaults = {
    .max_depth = 1000,
    .max_string = 256u << 20,
    .max_size = 1u << 30,
};

/* One run of a decoder. */
struct run {
  lua_State *L;
  struct mr_json_decoder *decoder;
  struct mr_json_workspace *workspace;
  int anchors;
  int marker; /* or 0 */
  const char *data;
  size_t size;
  bool more;
  const struct mr_json_budget *budget; /* or NULL */
  size_t begin;                        /* the position at which the run began */
};

void mr_json_decoder_reset(struct mr_json_decoder *decoder, const struct mr_json_options *options) {
  struct mr_json_limits limits = {
      .max_depth = options->max_depth,
      .max_string = options->max_string,
      .count_nulls = options->keep_null,
      .big_as_string = options->big_as_string,
  };
  decoder->options = *options;
  mr_json_scanner_reset(&decoder->scanner, limits);
  mr_json_builder_reset(&decoder->builder);
}

void mr_json_decoder_free(struct mr_json_decoder *decoder) {
  mr_json_scanner_free(&decoder->scanner);
  mr_json_builder_free(&decoder->builder);
  mr_buffer_free(&decoder->fed);
}

static enum mr_json_state fail(struct run *run, const char *problem) {
  lua_pushfstring(run->L, MESSAGE_PREFIX "%s", problem);
  return MR_JSON_ERROR;
}

static enum mr_json_state fail_memory(struct run *run) {
  lua_pushliteral(run->L, MR_JSON_NO_MEMORY);
  return MR_JSON_ERROR;
}

static enum mr_json_state fail_at_place(struct run *run) {
  const struct mr_json_scanner *scanner = &run->decoder->scanner;
  char message[MR_JSON_MESSAGE_ROOM];
  mr_json_describe(message, scanner->problem, run->decoder->start, run->data, run->size,
                   scanner->position);
  return fail(run, message);
}

/* {====== The loop ====== */

/* How much of the text the next piece may see. The one before was 'too_short' when nothing of it could be used. */
static size_t piece_end(const struct run *run, bool too_short) {
  size_t left = run->size - run->decoder->scanner.position;
  size_t most = MR_JSON_PIECE;
  if (!run->budget) return run->size;
  if (run->budget->bytes > 0 && run->budget->bytes < most) most = run->budget->bytes;
  if (run->budget->piece > 0 && run->budget->piece < most) most = run->budget->piece;
  if (too_short && most < LONG_PIECE) most = LONG_PIECE;
  return run->decoder->scanner.position + (left < most ? left : most);
}

static bool is_spent(const struct run *run) {
  const struct mr_json_budget *budget = run->budget;
  if (!budget) return false;
  size_t used = run->decoder->scanner.position - run->begin;
  if (budget->bytes > 0 && used >= budget->bytes) return true;
  return budget->is_spent && budget->is_spent(budget->context);
}

/* True when the run ends with this piece, in '*state'. */
static bool ends(struct run *run, enum mr_json_scan_state scanned, bool was_last,
                 enum mr_json_state *state) {
  switch (scanned) {
  case MR_JSON_SCAN_DONE:
    *state = MR_JSON_DONE;
    return true;
  case MR_JSON_SCAN_FAILED:
    *state = fail_at_place(run);
    return true;
  case MR_JSON_SCAN_NO_MEMORY:
    *state = fail_memory(run);
    return true;
  default:
    break;
  }
  bool is_starved = scanned == MR_JSON_SCAN_STARVED && was_last;
  *state = is_starved ? MR_JSON_STARVED : MR_JSON_AGAIN;
  return is_starved || is_spent(run);
}

static enum mr_json_state run_pieces(struct run *run) {
  struct mr_json_decoder *decoder = run->decoder;
  struct mr_json_workspace *workspace = run->workspace;
  bool too_short = false;
  for (;;) {
    enum mr_json_state state;
    size_t before = decoder->scanner.position;
    size_t end = piece_end(run, too_short);
    bool was_last = end == run->size;
    enum mr_json_scan_state scanned =
        mr_json_scan(&decoder->scanner, run->data, end, run->more || !was_last, &workspace->tape);
    if (scanned != MR_JSON_SCAN_FAILED &&
        !mr_json_build(run->L, &decoder->builder, workspace, run->anchors, run->data,
                       decoder->options.keep_null, run->marker))
      return fail_memory(run);
    too_short = scanned == MR_JSON_SCAN_STARVED && !was_last && decoder->scanner.position == before;
    if (!too_short && ends(run, scanned, was_last, &state)) return state;
  }
}

static enum mr_json_state run_decoder(struct run *run) {
  if (run->size > run->decoder->options.max_size - run->decoder->start.offset)
    return fail(run, "the text is larger than max_size allows");
  return run_pieces(run);
}

/* }====== */

int mr_json_decode(lua_State *L, const char *data, size_t size,
                   const struct mr_json_options *options) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  int bottom = lua_gettop(L);
  struct mr_json_workspace *workspace = mr_json_workspace_take(L);
  struct run run = {
      .L = L,
      .decoder = &workspace->decoder,
      .workspace = workspace,
      .anchors = lua_gettop(L),
      .data = size > 0 ? data : "",
      .size = size,
  };
  mr_json_decoder_reset(run.decoder, options ? options : &mr_json_defaults);
  enum mr_json_state state = run_decoder(&run);
  mr_json_workspace_give(workspace);
  lua_replace(L, bottom + 1);
  lua_settop(L, bottom + 1);
  return state == MR_JSON_DONE;
}

/* {====== Decoders that stop and go on ====== */

static int decoder_gc(lua_State *L) {
  mr_json_decoder_free(lua_touserdata(L, 1));
  return 0;
}

void mr_json_decoder_register(lua_State *L) {
  if (luaL_newmetatable(L, MR_JSON_DECODER)) {
    lua_pushcfunction(L, decoder_gc);
    lua_setfield(L, -2, "__gc");
  }
}

struct mr_json_decoder *mr_json_decoder_new(lua_State *L, const struct mr_json_options *options) {
  struct mr_json_decoder *decoder = lua_newuserdatauv(L, sizeof *decoder, 1);
  memset(decoder, 0, sizeof *decoder);
  mr_buffer_init(&decoder->fed, SIZE_MAX);
  mr_json_decoder_reset(decoder, options ? options : &mr_json_defaults);
  mr_json_decoder_register(L);
  lua_setmetatable(L, -2);
  return decoder;
}

/* Moves what is above 'bottom' into the decoder's table. */
static void suspend(struct run *run, int index, int bottom) {
  lua_State *L = run->L;
  int count = lua_gettop(L) - bottom;
  lua_createtable(L, count, 0);
  lua_insert(L, bottom + 1);
  for (int i = count; i > 0; i--)
    lua_rawseti(L, bottom + 1, i);
  lua_setiuservalue(L, index, 1);
  run->decoder->suspended = count;
}

static bool resume(struct run *run, int index) {
  lua_State *L = run->L;
  int count = run->decoder->suspended;
  if (count == 0) return true;
  if (!lua_checkstack(L, count + LUA_MINSTACK)) return false;
  lua_getiuservalue(L, index, 1);
  int table = lua_gettop(L);
  for (int i = 1; i <= count; i++)
    lua_rawgeti(L, table, i);
  lua_remove(L, table);
  return true;
}

/* Leaves only the value or the message, if there is one, above 'bottom'. */
static void finish(struct run *run, int index, int bottom) {
  lua_State *L = run->L;
  run->decoder->finished = true;
  lua_replace(L, bottom + 1);
  lua_settop(L, bottom + 1);
  lua_pushnil(L);
  lua_setiuservalue(L, index, 1);
  mr_json_decoder_free(run->decoder);
}

static enum mr_json_state run_resumed(struct run *run, int index, int bottom) {
  enum mr_json_state state = resume(run, index) ? run_decoder(run) : fail_memory(run);
  mr_json_workspace_give(run->workspace);
  if (run->marker) mr_lua_marker_forget(run->L, run->marker);
  if (state == MR_JSON_DONE || state == MR_JSON_ERROR) {
    finish(run, index, bottom);
  } else {
    suspend(run, index, run->anchors);
    lua_settop(run->L, bottom);
  }
  run->decoder->running = false;
  return state;
}

enum mr_json_state mr_json_decoder_run(lua_State *L, int index, const char *data, size_t size,
                                       bool more, const struct mr_json_budget *budget) {
  struct mr_json_decoder *decoder = lua_touserdata(L, index);
  struct run run = {
      .L = L,
      .decoder = decoder,
      .data = size > 0 ? data : "",
      .size = size,
      .more = more,
      .budget = budget,
      .begin = decoder->scanner.position,
  };
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  index = lua_absindex(L, index);
  int bottom = lua_gettop(L);
  if (decoder->running || decoder->finished)
    return fail(&run, "this decoder is used up: make a new one");
  decoder->running = true;
  if (budget && budget->marks) run.marker = mr_lua_marker_push(L);
  run.workspace = mr_json_workspace_take(L);
  run.anchors = lua_gettop(L);
  return run_resumed(&run, index, bottom);
}

size_t mr_json_decoder_used(const struct mr_json_decoder *decoder) {
  return decoder->scanner.position;
}

/* What was used is dropped only when that is half of the text, so that each byte is moved once. */
static void drop_used(struct mr_json_decoder *decoder) {
  struct mr_buffer *fed = &decoder->fed;
  size_t used = mr_json_scanner_needed(&decoder->scanner);
  if (used < fed->size - used || used == 0) return;
  mr_json_place_advance(&decoder->start, fed->data, used);
  mr_json_scanner_drop(&decoder->scanner, used);
  memmove(fed->data, fed->data + used, fed->size - used);
  fed->size -= used;
  fed->data[fed->size] = '\0';
}

enum mr_kind mr_json_decoder_feed(struct mr_json_decoder *decoder, const char *text, size_t size) {
  drop_used(decoder);
  size_t known = decoder->start.offset + decoder->fed.size;
  if (known > decoder->options.max_size || size > decoder->options.max_size - known)
    return MR_TOO_LARGE;
  return mr_buffer_append(&decoder->fed, text, size);
}

enum mr_json_state mr_json_decoder_run_fed(lua_State *L, int index, bool more,
                                           const struct mr_json_budget *budget) {
  const struct mr_json_decoder *decoder = lua_touserdata(L, index);
  return mr_json_decoder_run(L, index, decoder->fed.data, decoder->fed.size, more, budget);
}

bool mr_json_decoder_is_whole(const struct mr_json_decoder *decoder) {
  return decoder->scanner.expected == MR_JSON_EXPECT_NOTHING;
}

/* }====== */
