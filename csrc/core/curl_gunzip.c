#include "curl_gunzip.h"

#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "memory.h"

#define WINDOW    32768 /* bytes of output at a time: as many as deflate looks back */
#define GZIP_ONLY (16 + MAX_WBITS)

struct mr_gunzip {
  z_stream stream;
  bool inside;    /* of a member */
  bool full;      /* zlib may hold more output */
  size_t waiting; /* bytes in 'window' */
  size_t taken;   /* of the input that comes again */
  const char *reason;
  unsigned char window[WINDOW];
};

static voidpf give(voidpf context, uInt count, uInt size) {
  (void)context;
  return mr_alloc_zero(count, size);
}

static void take_back(voidpf context, voidpf block) {
  (void)context;
  mr_free(block);
}

struct mr_gunzip *mr_gunzip_open(void) {
  struct mr_gunzip *gunzip = mr_alloc(sizeof *gunzip);
  if (!gunzip) return NULL;
  memset(gunzip, 0, offsetof(struct mr_gunzip, window));
  gunzip->stream.zalloc = give;
  gunzip->stream.zfree = take_back;
  if (inflateInit2(&gunzip->stream, GZIP_ONLY) == Z_OK) return gunzip;
  mr_free(gunzip);
  return NULL;
}

void mr_gunzip_close(struct mr_gunzip *gunzip) {
  if (!gunzip) return;
  inflateEnd(&gunzip->stream);
  mr_free(gunzip);
}

static enum mr_gunzip_status hand_over(struct mr_gunzip *gunzip, mr_gunzip_output output,
                                       void *context) {
  if (gunzip->waiting == 0) return MR_GUNZIP_ON;
  enum mr_flow flow = output(context, (const char *)gunzip->window, gunzip->waiting);
  if (flow == MR_FLOW_PAUSE) return MR_GUNZIP_PAUSED;
  if (flow == MR_FLOW_STOP) return MR_GUNZIP_STOPPED;
  gunzip->waiting = 0;
  return MR_GUNZIP_ON;
}

static enum mr_gunzip_status fail(struct mr_gunzip *gunzip, const char *reason) {
  gunzip->reason = reason;
  return MR_GUNZIP_FAILED;
}

/* Fills the window once. */
static enum mr_gunzip_status inflate_some(struct mr_gunzip *gunzip) {
  z_stream *stream = &gunzip->stream;
  stream->next_out = gunzip->window;
  stream->avail_out = WINDOW;
  gunzip->inside = true;
  int code = inflate(stream, Z_NO_FLUSH);
  gunzip->waiting = WINDOW - stream->avail_out;
  gunzip->full = stream->avail_out == 0;
  if (code == Z_MEM_ERROR) return fail(gunzip, "out of memory");
  if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
    return fail(gunzip, stream->msg ? stream->msg : "damaged gzip data");
  if (code == Z_STREAM_END) {
    gunzip->inside = gunzip->full = false;
    inflateReset(stream);
  }
  return MR_GUNZIP_ON;
}

static enum mr_gunzip_status run(struct mr_gunzip *gunzip, mr_gunzip_output output, void *context) {
  enum mr_gunzip_status status = hand_over(gunzip, output, context);
  while (!status && (gunzip->stream.avail_in > 0 || gunzip->full)) {
    status = inflate_some(gunzip);
    if (!status) status = hand_over(gunzip, output, context);
  }
  return status;
}

enum mr_gunzip_status mr_gunzip_feed(struct mr_gunzip *gunzip, const char *bytes, size_t size,
                                     mr_gunzip_output output, void *context) {
  size_t skip = gunzip->taken < size ? gunzip->taken : size;
  if (size - skip > UINT_MAX) return fail(gunzip, "too much at a time");
  gunzip->stream.next_in = (Bytef *)(bytes + skip);
  gunzip->stream.avail_in = (uInt)(size - skip);
  enum mr_gunzip_status status = run(gunzip, output, context);
  size_t used = size - gunzip->stream.avail_in;
  if (status != MR_GUNZIP_PAUSED)
    gunzip->taken -= skip;
  else if (used > gunzip->taken)
    gunzip->taken = used;
  return status;
}

bool mr_gunzip_is_complete(const struct mr_gunzip *gunzip) {
  return !gunzip->inside && gunzip->waiting == 0;
}

const char *mr_gunzip_reason(const struct mr_gunzip *gunzip) {
  return gunzip->reason;
}
