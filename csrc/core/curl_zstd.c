/*
** zstd, with libzstd. Its functions for an allocator of ours are declared for static linking only, but every
** shared libzstd since 1.4 exports them.
*/
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "curl_coding.h"
#include "memory.h"

#define WINDOW_LOG 23 /* 8 MiB: more is not allowed in HTTP (RFC 9659) */

struct state {
  ZSTD_DStream *stream;
  bool inside; /* of a frame */
};

static void *open_stream(void) {
  struct state *state = mr_alloc_zero(1, sizeof *state);
  if (!state) return NULL;
  state->stream = ZSTD_createDStream_advanced(
      (ZSTD_customMem){.customAlloc = mr_coding_give, .customFree = mr_coding_take});
  if (!state->stream) {
    mr_free(state);
    return NULL;
  }
  ZSTD_DCtx_setParameter(state->stream, ZSTD_d_windowLogMax, WINDOW_LOG);
  return state;
}

static void close_stream(void *context) {
  struct state *state = context;
  ZSTD_freeDStream(state->stream);
  mr_free(state);
}

static enum mr_coding_status fail(struct mr_coding_work *work, const char *reason) {
  work->reason = reason;
  return MR_CODING_BAD;
}

/* The frames of RFC 8878 differ in their first byte from those of older formats, whose decoders a libzstd may
** still have: they know no bound on memory. */
static bool is_frame(unsigned char first) {
  return first == (ZSTD_MAGICNUMBER & 255) || (first & 0xF0) == (ZSTD_MAGIC_SKIPPABLE_START & 255);
}

static enum mr_coding_status decode(void *context, struct mr_coding_work *work) {
  struct state *state = context;
  if (!state->inside && !is_frame(work->input[0])) return fail(work, "damaged data");
  ZSTD_inBuffer input = {work->input, work->input_size, 0};
  ZSTD_outBuffer output = {work->output, work->output_room, 0};
  size_t left = ZSTD_decompressStream(state->stream, &output, &input);
  work->input += input.pos;
  work->input_size -= input.pos;
  work->output += output.pos;
  work->output_room -= output.pos;
  state->inside = left != 0;
  if (left == 0) return MR_CODING_END;
  if (!ZSTD_isError(left)) return MR_CODING_ON;
  bool memory = ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation;
  return fail(work, memory ? "out of memory" : ZSTD_getErrorName(left));
}

const struct mr_coding mr_coding_zstd = {
    .name = "zstd",
    .repeats = true,
    .open = open_stream,
    .close = close_stream,
    .decode = decode,
};
