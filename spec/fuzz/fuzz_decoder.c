/*
** The first byte chooses the coding and how the rest is cut: fed whole and in pieces, with a pause at each output
** of the pieces, the bytes that come out and the end must be the same.
*/
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/curl_decoder.h"

#define OUTPUT_MAX 1000000 /* then it stops */

struct output {
  struct mr_buffer seen;
  bool pauses, paused;
};

static void check(bool holds) {
  if (!holds) abort();
}

static enum mr_flow take(void *context, const char *bytes, size_t size) {
  struct output *output = context;
  output->paused = output->pauses && !output->paused;
  if (output->paused) return MR_FLOW_PAUSE;
  check(size > 0);
  return mr_buffer_append(&output->seen, bytes, size) ? MR_FLOW_STOP : MR_FLOW_ON;
}

static enum mr_decoder_status decode(struct mr_decoder *decoder, const char *bytes, size_t size,
                                     size_t piece, struct output *output) {
  enum mr_decoder_status status = MR_DECODER_ON;
  for (size_t at = 0; at < size && status == MR_DECODER_ON; at += piece) {
    size_t given = size - at < piece ? size - at : piece;
    do
      status = mr_decoder_feed(decoder, bytes + at, given, take, output);
    while (status == MR_DECODER_PAUSED);
  }
  check((status == MR_DECODER_FAILED) == (mr_decoder_reason(decoder) != NULL));
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const names[] = {"gzip", "deflate", "br", "zstd"};
  if (size == 0) return 0;
  const char *name = names[data[0] & 3];
  const struct mr_coding *coding = mr_decoder_find(name, strlen(name));
  if (!coding) return 0;
  struct mr_decoder *decoders[2];
  struct output outputs[2] = {{.pauses = false}, {.pauses = true}};
  enum mr_decoder_status statuses[2];
  for (int i = 0; i < 2; i++) {
    size_t piece = i == 0 ? size : (size_t)(data[0] >> 2) + 1;
    mr_buffer_init(&outputs[i].seen, OUTPUT_MAX);
    decoders[i] = mr_decoder_open(coding);
    check(decoders[i] != NULL);
    statuses[i] = decode(decoders[i], (const char *)data + 1, size - 1, piece, &outputs[i]);
  }
  check(statuses[0] == statuses[1] || outputs[0].seen.size + 32768 > OUTPUT_MAX);
  if (statuses[0] == MR_DECODER_ON) {
    check(outputs[0].seen.size == outputs[1].seen.size);
    check(outputs[0].seen.size == 0 ||
          memcmp(outputs[0].seen.data, outputs[1].seen.data, outputs[0].seen.size) == 0);
    check(mr_decoder_is_complete(decoders[0]) == mr_decoder_is_complete(decoders[1]));
  }
  for (int i = 0; i < 2; i++) {
    mr_decoder_close(decoders[i]);
    mr_buffer_free(&outputs[i].seen);
  }
  return 0;
}
