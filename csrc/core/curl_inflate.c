/*
** gzip and deflate, with zlib. Both look back 32 KiB at most.
**
** A gzip body may have several members (RFC 1952 section 2.2). Of what follows a whole one and does not begin as
** another does, the RFC says nothing: padding, or a line break that some script printed. It is passed over, as gzip(1)
** and the browsers do: the member before it has its checksum and its size. What does begin as a member must be one.
*/
#include <limits.h>
#include <stdbool.h>
#include <zlib.h>

#include "curl_coding.h"
#include "memory.h"

#define GZIP_ONLY (16 + MAX_WBITS)
#define BARE      (-MAX_WBITS)

struct inflater {
  z_stream stream; /* first: the state is either */
  bool follows;    /* a member was whole */
  bool passes;     /* over what is behind the last one */
};

/* zlib's counts are ints. Whatever is left comes with the next call. */
static uInt bound(size_t size) {
  return size < UINT_MAX ? (uInt)size : UINT_MAX;
}

static voidpf give(voidpf context, uInt count, uInt size) {
  (void)context;
  return mr_alloc_zero(count, size);
}

static void *open_format(int format) {
  struct inflater *inflater = mr_alloc_zero(1, sizeof *inflater);
  if (!inflater) return NULL;
  inflater->stream.zalloc = give;
  inflater->stream.zfree = mr_coding_take;
  if (inflateInit2(&inflater->stream, format) == Z_OK) return inflater;
  mr_free(inflater);
  return NULL;
}

static void *open_gzip(void) {
  return open_format(GZIP_ONLY);
}

static void *open_deflate(void) {
  return open_format(MAX_WBITS);
}

static void close_stream(void *state) {
  inflateEnd(state);
  mr_free(state);
}

static enum mr_coding_status fail(struct mr_coding_work *work, const char *reason) {
  work->reason = reason;
  return MR_CODING_BAD;
}

static enum mr_coding_status decode(void *state, struct mr_coding_work *work) {
  z_stream *stream = state;
  stream->next_in = (Bytef *)work->input;
  stream->avail_in = bound(work->input_size);
  stream->next_out = work->output;
  stream->avail_out = bound(work->output_room);
  int code = inflate(stream, Z_NO_FLUSH);
  work->input_size -= (size_t)(stream->next_in - work->input);
  work->input = stream->next_in;
  work->output_room -= (size_t)(stream->next_out - work->output);
  work->output = stream->next_out;
  if (code == Z_STREAM_END) {
    inflateReset(stream);
    return MR_CODING_END;
  }
  if (code == Z_OK || code == Z_BUF_ERROR) return MR_CODING_ON;
  if (code == Z_MEM_ERROR) return fail(work, "out of memory");
  return fail(work, stream->msg ? stream->msg : "damaged data");
}

static enum mr_coding_status pass_over(struct mr_coding_work *work) {
  work->input += work->input_size;
  work->input_size = 0;
  return MR_CODING_END;
}

/* The first two bytes of a member tell it; zlib refuses others when it has read both. */
static enum mr_coding_status decode_members(void *state, struct mr_coding_work *work) {
  struct inflater *inflater = state;
  bool begins = inflater->follows && inflater->stream.total_in == 0;
  if (inflater->passes || (begins && work->input_size > 0 && work->input[0] != 0x1f)) {
    inflater->passes = true;
    return pass_over(work);
  }
  enum mr_coding_status status = decode(state, work);
  if (status == MR_CODING_END) inflater->follows = true;
  if (status != MR_CODING_BAD || !inflater->follows || inflater->stream.total_in > 2) return status;
  inflater->passes = true;
  return pass_over(work);
}

/* The first byte of RFC 1950 ends in an 8. In RFC 1951 that would be a stored block with bits set in its
** padding, which no encoder writes. */
static bool is_bare(const z_stream *stream, const struct mr_coding_work *work) {
  return stream->total_in == 0 && work->input_size > 0 && (work->input[0] & 15) != 8;
}

static enum mr_coding_status decode_deflate(void *state, struct mr_coding_work *work) {
  if (is_bare(state, work)) inflateReset2(state, BARE);
  return decode(state, work);
}

const struct mr_coding mr_coding_gzip = {
    .name = "gzip",
    .alias = "x-gzip",
    .repeats = true,
    .open = open_gzip,
    .close = close_stream,
    .decode = decode_members,
};

const struct mr_coding mr_coding_deflate = {
    .name = "deflate",
    .open = open_deflate,
    .close = close_stream,
    .decode = decode_deflate,
};
