#include "curl_decoder.h"

#include <string.h>

#include "ascii.h"
#include "curl_coding.h"
#include "memory.h"

#define WINDOW 32768 /* bytes of output at a time */

struct mr_decoder {
  const struct mr_coding *coding;
  void *state;    /* the coding's */
  bool inside;    /* of a member or frame */
  bool ended;     /* at least one did */
  bool full;      /* the coding may hold more output */
  size_t waiting; /* bytes in 'window' */
  size_t taken;   /* of the input that comes again */
  const char *reason;
  unsigned char window[WINDOW];
};

/* ---- which coding ---- */

static const struct mr_coding *const codings[] = {
    &mr_coding_gzip,
    &mr_coding_deflate,
#ifdef MOONREST_WITH_BROTLI
    &mr_coding_brotli,
#endif
#ifdef MOONREST_WITH_ZSTD
    &mr_coding_zstd,
#endif
};

static bool is_name(const char *name, const char *value, size_t size) {
  return name && mr_ascii_same(value, size, name, strlen(name));
}

const struct mr_coding *mr_decoder_find(const char *value, size_t size) {
  for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
    if (is_name(codings[i]->name, value, size) || is_name(codings[i]->alias, value, size))
      return codings[i];
  return NULL;
}

/* ---- one body ---- */

struct mr_decoder *mr_decoder_open(const struct mr_coding *coding) {
  struct mr_decoder *decoder = mr_alloc(sizeof *decoder);
  if (!decoder) return NULL;
  memset(decoder, 0, offsetof(struct mr_decoder, window));
  decoder->coding = coding;
  decoder->state = coding->open();
  if (decoder->state) return decoder;
  mr_free(decoder);
  return NULL;
}

void mr_decoder_close(struct mr_decoder *decoder) {
  if (!decoder) return;
  decoder->coding->close(decoder->state);
  mr_free(decoder);
}

static enum mr_decoder_status hand_over(struct mr_decoder *decoder, mr_decoder_output output,
                                        void *context) {
  if (decoder->waiting == 0) return MR_DECODER_ON;
  enum mr_flow flow = output(context, (const char *)decoder->window, decoder->waiting);
  if (flow == MR_FLOW_PAUSE) return MR_DECODER_PAUSED;
  if (flow == MR_FLOW_STOP) return MR_DECODER_STOPPED;
  decoder->waiting = 0;
  return MR_DECODER_ON;
}

static enum mr_decoder_status fail(struct mr_decoder *decoder, const char *reason) {
  decoder->reason = reason;
  return MR_DECODER_FAILED;
}

/* Fills the window once. */
static enum mr_decoder_status decode_some(struct mr_decoder *decoder, struct mr_coding_work *work) {
  if (decoder->ended && !decoder->inside && !decoder->coding->repeats)
    return fail(decoder, "there is more behind its end");
  work->output = decoder->window;
  work->output_room = WINDOW;
  enum mr_coding_status status = decoder->coding->decode(decoder->state, work);
  decoder->waiting = WINDOW - work->output_room;
  decoder->inside = status != MR_CODING_END;
  decoder->ended |= status == MR_CODING_END;
  decoder->full = decoder->inside && work->output_room == 0;
  return status == MR_CODING_BAD ? fail(decoder, work->reason) : MR_DECODER_ON;
}

static enum mr_decoder_status run(struct mr_decoder *decoder, struct mr_coding_work *work,
                                  mr_decoder_output output, void *context) {
  enum mr_decoder_status status = hand_over(decoder, output, context);
  while (!status && (work->input_size > 0 || decoder->full)) {
    status = decode_some(decoder, work);
    if (!status) status = hand_over(decoder, output, context);
  }
  return status;
}

enum mr_decoder_status mr_decoder_feed(struct mr_decoder *decoder, const char *bytes, size_t size,
                                       mr_decoder_output output, void *context) {
  size_t skip = decoder->taken < size ? decoder->taken : size;
  struct mr_coding_work work = {.input = (const unsigned char *)bytes + skip,
                                .input_size = size - skip};
  enum mr_decoder_status status = run(decoder, &work, output, context);
  size_t used = size - work.input_size;
  if (status != MR_DECODER_PAUSED)
    decoder->taken -= skip;
  else if (used > decoder->taken)
    decoder->taken = used;
  return status;
}

bool mr_decoder_is_complete(const struct mr_decoder *decoder) {
  return !decoder->inside && decoder->waiting == 0;
}

const char *mr_decoder_reason(const struct mr_decoder *decoder) {
  return decoder->reason;
}
