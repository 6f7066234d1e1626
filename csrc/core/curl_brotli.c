/*
** br, with libbrotlidec. It looks back 16 MiB at most and takes memory as the body grows; the larger windows
** of its own tools are no part of the coding and refused.
*/
#include <brotli/decode.h>

#include "curl_coding.h"

static void *open_decoder(void) {
  return BrotliDecoderCreateInstance(mr_coding_give, mr_coding_take, NULL);
}

static void close_decoder(void *state) {
  BrotliDecoderDestroyInstance(state);
}

static const char *reason(const BrotliDecoderState *state) {
  BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(state);
  bool memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
                code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
  return memory ? "out of memory" : "damaged data";
}

static enum mr_coding_status decode(void *state, struct mr_coding_work *work) {
  BrotliDecoderResult result = BrotliDecoderDecompressStream(
      state, &work->input_size, &work->input, &work->output_room, &work->output, NULL);
  if (result == BROTLI_DECODER_RESULT_SUCCESS) return MR_CODING_END;
  if (result != BROTLI_DECODER_RESULT_ERROR) return MR_CODING_ON;
  work->reason = reason(state);
  return MR_CODING_BAD;
}

const struct mr_coding mr_coding_brotli = {
    .name = "br",
    .open = open_decoder,
    .close = close_decoder,
    .decode = decode,
};
