/*
** The codings' own encoders, as servers use them: each appends one member, frame or stream to 'out' and returns its size.
*/
#ifndef PACKERS_H
#define PACKERS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>
#ifdef MOONREST_WITH_BROTLI
#include <brotli/encode.h>
#endif
#ifdef MOONREST_WITH_ZSTD
#include <zstd.h>
#endif

static inline size_t deflate_to(int format, char *out, size_t room, const char *bytes,
                                size_t size) {
  z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)size, .next_out = (Bytef *)out};
  stream.avail_out = (uInt)room;
  assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY), Z_OK);
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  deflateEnd(&stream);
  return room - stream.avail_out;
}

static inline size_t pack_gzip(char *out, size_t room, const char *bytes, size_t size) {
  return deflate_to(16 + MAX_WBITS, out, room, bytes, size);
}

static inline size_t pack_deflate(char *out, size_t room, const char *bytes, size_t size) {
  return deflate_to(MAX_WBITS, out, room, bytes, size);
}

static inline size_t pack_bare(char *out, size_t room, const char *bytes, size_t size) {
  return deflate_to(-MAX_WBITS, out, room, bytes, size);
}

#ifdef MOONREST_WITH_BROTLI
static inline size_t brotli_to(int window_log, char *out, size_t room, const char *bytes,
                               size_t size) {
  BrotliEncoderState *encoder = BrotliEncoderCreateInstance(NULL, NULL, NULL);
  const uint8_t *next_in = (const uint8_t *)bytes;
  uint8_t *next_out = (uint8_t *)out;
  BrotliEncoderSetParameter(encoder, BROTLI_PARAM_QUALITY, 5);
  BrotliEncoderSetParameter(encoder, BROTLI_PARAM_LARGE_WINDOW, window_log > 24);
  BrotliEncoderSetParameter(encoder, BROTLI_PARAM_LGWIN, (uint32_t)window_log);
  size_t left = room;
  assert_true(BrotliEncoderCompressStream(encoder, BROTLI_OPERATION_FINISH, &size, &next_in, &left,
                                          &next_out, NULL));
  assert_true(BrotliEncoderIsFinished(encoder));
  BrotliEncoderDestroyInstance(encoder);
  return room - left;
}

static inline size_t pack_brotli(char *out, size_t room, const char *bytes, size_t size) {
  return brotli_to(22, out, room, bytes, size);
}
#endif

#ifdef MOONREST_WITH_ZSTD
/* In two halves, as a server does that does not know the size: the frame names its window. */
static inline size_t zstd_to(int window_log, char *out, size_t room, const char *bytes,
                             size_t size) {
  ZSTD_CCtx *encoder = ZSTD_createCCtx();
  ZSTD_inBuffer input = {bytes, size / 2, 0};
  ZSTD_outBuffer output = {out, room, 0};
  ZSTD_CCtx_setParameter(encoder, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(encoder, ZSTD_c_windowLog, window_log);
  while (input.pos < input.size)
    assert_false(ZSTD_isError(ZSTD_compressStream2(encoder, &output, &input, ZSTD_e_continue)));
  input.size = size;
  assert_int_equal(ZSTD_compressStream2(encoder, &output, &input, ZSTD_e_end), 0);
  ZSTD_freeCCtx(encoder);
  return output.pos;
}

static inline size_t pack_zstd(char *out, size_t room, const char *bytes, size_t size) {
  return zstd_to(21, out, room, bytes, size);
}
#endif

/* The beginning of a body, as far as a server sends it that waits for what comes next. */

static inline size_t flush_gzip(char *out, size_t room, const char *bytes, size_t size) {
  z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)size, .next_out = (Bytef *)out};
  stream.avail_out = (uInt)room;
  deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  assert_int_equal(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
  deflateEnd(&stream);
  return room - stream.avail_out;
}

#ifdef MOONREST_WITH_BROTLI
static inline size_t flush_brotli(char *out, size_t room, const char *bytes, size_t size) {
  BrotliEncoderState *encoder = BrotliEncoderCreateInstance(NULL, NULL, NULL);
  const uint8_t *next_in = (const uint8_t *)bytes;
  uint8_t *next_out = (uint8_t *)out;
  size_t left = room;
  assert_true(BrotliEncoderCompressStream(encoder, BROTLI_OPERATION_FLUSH, &size, &next_in, &left,
                                          &next_out, NULL));
  BrotliEncoderDestroyInstance(encoder);
  return room - left;
}
#endif

#ifdef MOONREST_WITH_ZSTD
static inline size_t flush_zstd(char *out, size_t room, const char *bytes, size_t size) {
  ZSTD_CCtx *encoder = ZSTD_createCCtx();
  ZSTD_inBuffer input = {bytes, size, 0};
  ZSTD_outBuffer output = {out, room, 0};
  assert_int_equal(ZSTD_compressStream2(encoder, &output, &input, ZSTD_e_flush), 0);
  ZSTD_freeCCtx(encoder);
  return output.pos;
}
#endif

#endif
