/* Coded bodies: whole, in any pieces, paused anywhere, cut at any byte, damaged; what the codings' own encoders
** make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "curl_coding.h"
#include "curl_decoder.h"
#include "failing_allocator.h"
#include "packers.h"

#define PLAIN_SIZE  300000
#define PACKED_ROOM 400000

struct format {
  const char *name; /* of the coding */
  size_t (*pack)(char *out, size_t room, const char *bytes, size_t size);
  bool repeats, checked; /* has a checksum */
};

static const struct format formats[] = {
    {"gzip", pack_gzip, true, true},      {"deflate", pack_deflate, false, true},
    {"deflate", pack_bare, false, false},
#ifdef MOONREST_WITH_BROTLI
    {"br", pack_brotli, false, false},
#endif
#ifdef MOONREST_WITH_ZSTD
    {"zstd", pack_zstd, true, true},
#endif
};

#define FORMATS (sizeof formats / sizeof *formats)

/* ---- samples ---- */

struct sample {
  const struct format *format;
  char packed[PACKED_ROOM];
  size_t size;
};

struct samples {
  char plain[PLAIN_SIZE];
  struct sample of[FORMATS];
};

/* Half of it compresses well, so that one input byte may fill the window several times. */
static int make_samples(void **state) {
  struct samples *samples = malloc(sizeof *samples);
  uint32_t random = 1;
  for (size_t i = 0; i < PLAIN_SIZE; i++) {
    random = random * 1664525 + 1013904223;
    samples->plain[i] = i < PLAIN_SIZE / 2 ? 'x' : (char)('a' + (random >> 28));
  }
  for (size_t i = 0; i < FORMATS; i++) {
    struct sample *sample = &samples->of[i];
    sample->format = &formats[i];
    sample->size = formats[i].pack(sample->packed, PACKED_ROOM, samples->plain, PLAIN_SIZE);
  }
  *state = samples;
  return 0;
}

static int free_samples(void **state) {
  free(*state);
  return 0;
}

/* ---- feeding ---- */

struct output {
  char *bytes;
  size_t size;
  int pauses;     /* how often it still asks for the same again */
  bool each;      /* asks for each once again */
  size_t stop_at; /* size at which it stops; 0: never */
};

static enum mr_flow take(void *context, const char *bytes, size_t size) {
  struct output *output = context;
  if (output->pauses > 0) {
    output->pauses--;
    return MR_FLOW_PAUSE;
  }
  output->pauses = output->each;
  if (output->stop_at && output->size + size > output->stop_at) return MR_FLOW_STOP;
  if (!output->bytes) output->bytes = malloc(PLAIN_SIZE);
  assert_true(output->bytes && output->size + size <= PLAIN_SIZE);
  memcpy(output->bytes + output->size, bytes, size);
  output->size += size;
  return MR_FLOW_ON;
}

static struct mr_decoder *open_for(const char *name) {
  const struct mr_coding *coding = mr_decoder_find(name, strlen(name));
  assert_non_null(coding);
  return mr_decoder_open(coding);
}

/* As libcurl gives it: what paused comes again from its beginning. */
static enum mr_decoder_status feed(struct mr_decoder *decoder, const char *bytes, size_t size,
                                   size_t piece, struct output *output) {
  enum mr_decoder_status status = MR_DECODER_ON;
  for (size_t at = 0; at < size && status == MR_DECODER_ON; at += piece) {
    size_t count = size - at < piece ? size - at : piece;
    do
      status = mr_decoder_feed(decoder, bytes + at, count, take, output);
    while (status == MR_DECODER_PAUSED);
  }
  return status;
}

static void assert_whole(const struct samples *samples, const struct mr_decoder *decoder,
                         const struct output *output) {
  assert_int_equal(output->size, PLAIN_SIZE);
  assert_memory_equal(output->bytes, samples->plain, PLAIN_SIZE);
  assert_true(mr_decoder_is_complete(decoder));
}

/* ---- whole bodies ---- */

static void try_pieces(const struct samples *samples, const struct sample *sample, size_t piece,
                       int pauses) {
  struct mr_decoder *decoder = open_for(sample->format->name);
  struct output output = {.pauses = pauses};
  assert_int_equal(feed(decoder, sample->packed, sample->size, piece, &output), MR_DECODER_ON);
  assert_whole(samples, decoder, &output);
  mr_decoder_close(decoder);
  free(output.bytes);
}

static void test_pieces(void **state) {
  struct samples *samples = *state;
  static const size_t pieces[] = {1, 7, 1000, 16384, PLAIN_SIZE};
  for (size_t f = 0; f < FORMATS; f++)
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
      for (int pauses = 0; pauses < 20; pauses += 5)
        try_pieces(samples, &samples->of[f], pieces[i], pauses);
}

static void try_pause_each(const struct samples *samples, const struct sample *sample) {
  struct mr_decoder *decoder = open_for(sample->format->name);
  struct output output = {.pauses = 1, .each = true};
  enum mr_decoder_status status;
  int paused = 0;
  while ((status = mr_decoder_feed(decoder, sample->packed, sample->size, take, &output)) ==
         MR_DECODER_PAUSED) {
    assert_false(mr_decoder_is_complete(decoder));
    paused++;
  }
  assert_int_equal(status, MR_DECODER_ON);
  assert_in_range(paused, PLAIN_SIZE / 32768, PLAIN_SIZE / 32768 + 2);
  assert_whole(samples, decoder, &output);
  mr_decoder_close(decoder);
  free(output.bytes);
}

static void test_pause_each(void **state) {
  struct samples *samples = *state;
  for (size_t f = 0; f < FORMATS; f++)
    try_pause_each(samples, &samples->of[f]);
}

/* What paused may come again in smaller or larger pieces. */
static void try_other_pieces(const struct samples *samples, const struct sample *sample) {
  struct mr_decoder *decoder = open_for(sample->format->name);
  struct output output = {.pauses = 1};
  const char *packed = sample->packed;
  size_t large = sample->size / 2, small = large / 2;
  assert_int_equal(mr_decoder_feed(decoder, packed, large, take, &output), MR_DECODER_PAUSED);
  output.pauses = 1;
  assert_int_equal(mr_decoder_feed(decoder, packed, small, take, &output), MR_DECODER_PAUSED);
  assert_int_equal(mr_decoder_feed(decoder, packed, small, take, &output), MR_DECODER_ON);
  assert_int_equal(feed(decoder, packed + small, sample->size - small, 5000, &output),
                   MR_DECODER_ON);
  assert_whole(samples, decoder, &output);
  mr_decoder_close(decoder);
  free(output.bytes);
}

static void test_pause_and_other_pieces(void **state) {
  struct samples *samples = *state;
  for (size_t f = 0; f < FORMATS; f++)
    try_other_pieces(samples, &samples->of[f]);
}

/* ---- every position ---- */

static const char small[] = "a small body, a small body that is cut, and cut, and cut again";

static void test_split_anywhere(void **state) {
  char packed[400];
  (void)state;
  for (size_t f = 0; f < FORMATS; f++) {
    size_t size = formats[f].pack(packed, sizeof packed, small, sizeof small);
    for (size_t at = 0; at <= size; at++) {
      struct mr_decoder *decoder = open_for(formats[f].name);
      struct output output = {0};
      assert_int_equal(feed(decoder, packed, at, 1000, &output), MR_DECODER_ON);
      assert_int_equal(mr_decoder_is_complete(decoder), at == 0 || at == size);
      assert_int_equal(feed(decoder, packed + at, size - at, 1000, &output), MR_DECODER_ON);
      assert_true(mr_decoder_is_complete(decoder));
      assert_int_equal(output.size, sizeof small);
      assert_memory_equal(output.bytes, small, sizeof small);
      mr_decoder_close(decoder);
      free(output.bytes);
    }
  }
}

/* A body that fills the window several times over, cut in steps. */
static void test_cut_large(void **state) {
  struct samples *samples = *state;
  for (size_t f = 0; f < FORMATS; f++) {
    const struct sample *sample = &samples->of[f];
    for (size_t cut = 1; cut < sample->size; cut += sample->size / 40) {
      struct mr_decoder *decoder = open_for(sample->format->name);
      struct output output = {0};
      assert_int_equal(feed(decoder, sample->packed, cut, 16384, &output), MR_DECODER_ON);
      assert_false(mr_decoder_is_complete(decoder));
      mr_decoder_close(decoder);
      free(output.bytes);
    }
  }
}

static void try_flush(const char *name,
                      size_t (*flush)(char *out, size_t room, const char *bytes, size_t size)) {
  char packed[400];
  size_t size = flush(packed, sizeof packed, small, sizeof small);
  struct mr_decoder *decoder = open_for(name);
  struct output output = {0};
  assert_int_equal(feed(decoder, packed, size, 1, &output), MR_DECODER_ON);
  assert_int_equal(output.size, sizeof small);
  assert_memory_equal(output.bytes, small, sizeof small);
  assert_false(mr_decoder_is_complete(decoder));
  mr_decoder_close(decoder);
  free(output.bytes);
}

/* An event comes out as soon as it came in, and not with the next. */
static void test_flush(void **state) {
  (void)state;
  try_flush("gzip", flush_gzip);
#ifdef MOONREST_WITH_BROTLI
  try_flush("br", flush_brotli);
#endif
#ifdef MOONREST_WITH_ZSTD
  try_flush("zstd", flush_zstd);
#endif
}

/* ---- behind the end ---- */

static void try_members(const struct format *format) {
  char packed[400];
  size_t size = format->pack(packed, sizeof packed, "first ", 6);
  size += format->pack(packed + size, sizeof packed - size, "", 0);
  size += format->pack(packed + size, sizeof packed - size, "second", 6);
  for (size_t piece = 1; piece <= size; piece++) {
    struct mr_decoder *decoder = open_for(format->name);
    struct output output = {0};
    enum mr_decoder_status status = feed(decoder, packed, size, piece, &output);
    assert_int_equal(status, format->repeats ? MR_DECODER_ON : MR_DECODER_FAILED);
    assert_int_equal(output.size, format->repeats ? 12 : 6);
    assert_memory_equal(output.bytes, "first second", output.size);
    if (format->repeats) assert_true(mr_decoder_is_complete(decoder));
    mr_decoder_close(decoder);
    free(output.bytes);
  }
}

static void test_members(void **state) {
  (void)state;
  for (size_t f = 0; f < FORMATS; f++)
    try_members(&formats[f]);
}

/* ---- damage ---- */

static void expect_failure(const char *name, const char *bytes, size_t size, const char *reason) {
  for (size_t piece = 1; piece <= 16384; piece = piece * 3 + 1) {
    struct mr_decoder *decoder = open_for(name);
    struct output output = {0};
    assert_int_equal(feed(decoder, bytes, size, piece, &output), MR_DECODER_FAILED);
    assert_non_null(mr_decoder_reason(decoder));
    if (reason) assert_string_equal(mr_decoder_reason(decoder), reason);
    mr_decoder_close(decoder);
    free(output.bytes);
  }
}

static void test_garbage_behind(void **state) {
  struct samples *samples = *state;
  char *packed = malloc(PACKED_ROOM + 5);
  for (size_t f = 0; f < FORMATS; f++) {
    const struct sample *sample = &samples->of[f];
    if (strcmp(sample->format->name, "gzip") == 0) continue;
    memcpy(packed, sample->packed, sample->size);
    memcpy(packed + sample->size, "extra", 5);
    expect_failure(sample->format->name, packed, sample->size + 5, NULL);
  }
  free(packed);
}

/* In pieces of every size: what tells garbage from a member may come byte by byte. */
static void try_behind_gzip(const char *rest, size_t size, enum mr_decoder_status wanted,
                            bool complete) {
  char packed[400];
  size_t whole = pack_gzip(packed, 300, small, sizeof small);
  memcpy(packed + whole, rest, size);
  for (size_t piece = 1; piece <= whole + size; piece++) {
    struct mr_decoder *decoder = open_for("gzip");
    struct output output = {0};
    assert_int_equal(feed(decoder, packed, whole + size, piece, &output), wanted);
    if (!wanted) assert_int_equal(mr_decoder_is_complete(decoder), complete);
    assert_int_equal(output.size, sizeof small);
    assert_memory_equal(output.bytes, small, sizeof small);
    mr_decoder_close(decoder);
    free(output.bytes);
  }
}

static void test_garbage_behind_gzip(void **state) {
  (void)state;
  try_behind_gzip("\n", 1, MR_DECODER_ON, true);
  try_behind_gzip("\0\0\0\0\0\0\0\0", 8, MR_DECODER_ON, true);
  try_behind_gzip("<!-- served in 3 ms -->", 23, MR_DECODER_ON, true);
  try_behind_gzip("\x1f\x8c garbage", 10, MR_DECODER_ON, true);
  try_behind_gzip("\x1f", 1, MR_DECODER_ON, false); /* a member that is cut off */
  try_behind_gzip("\x1f\x8b\x08", 3, MR_DECODER_ON, false);
  try_behind_gzip("\x1f\x8b\x09\x00", 4, MR_DECODER_FAILED, false);
}

/* Without a checksum, what is damaged may be another good body. */
static void test_checksum(void **state) {
  struct samples *samples = *state;
  for (size_t f = 0; f < FORMATS; f++) {
    struct sample *sample = &samples->of[f];
    if (!sample->format->checked) continue;
    for (size_t i = 1; i <= 4; i++) {
      sample->packed[sample->size - i] ^= 1;
      expect_failure(sample->format->name, sample->packed, sample->size, NULL);
      sample->packed[sample->size - i] ^= 1;
    }
  }
}

static void test_something_else(void **state) {
  (void)state;
  for (size_t f = 0; f < FORMATS; f++)
    expect_failure(formats[f].name, "plainly not compressed, \xff\xff\xff\xff", 28, NULL);
  expect_failure("gzip", "\x78\x9c\x03\x00\x00\x00\x00\x01", 8, "incorrect header check");
  expect_failure("deflate", "\x78\xbb\x00\x00\x00\x00\x01", 7, NULL); /* a dictionary of its own */
}

#if defined MOONREST_WITH_BROTLI || defined MOONREST_WITH_ZSTD
/* How many bytes there were at most while 'small' was decoded. */
static size_t peak_of(const char *name, const char *packed, size_t size) {
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct mr_decoder *decoder = open_for(name);
  struct output output = {0};
  assert_int_equal(feed(decoder, packed, size, 1000, &output), MR_DECODER_ON);
  assert_int_equal(output.size, sizeof small);
  mr_decoder_close(decoder);
  failing_allocator_remove(&memory);
  free(output.bytes);
  return memory.peak_bytes;
}
#endif

#ifdef MOONREST_WITH_BROTLI
static void test_brotli_window(void **state) {
  char packed[200];
  (void)state;
  size_t size = brotli_to(24, packed, sizeof packed, small, sizeof small);
  assert_true(peak_of("br", packed, size) < 200000); /* and not the 16 MiB that it may look back */
  size = brotli_to(25, packed, sizeof packed, small, sizeof small);
  expect_failure("br", packed, size, "damaged data");
}
#endif

#ifdef MOONREST_WITH_ZSTD
static void test_zstd_window(void **state) {
  char packed[200];
  (void)state;
  size_t size = zstd_to(23, packed, sizeof packed, small, sizeof small);
  assert_in_range(peak_of("zstd", packed, size), 8 << 20, 9 << 20);
  size = zstd_to(24, packed, sizeof packed, small, sizeof small);
  expect_failure("zstd", packed, size, "Frame requires too much memory for decoding");
}

/* What may stand between frames and says nothing, and the formats of old. */
static void test_zstd_frames(void **state) {
  char packed[200] = "\x50\x2a\x4d\x18\x03\x00\x00\x00";
  (void)state;
  size_t size = 11 + pack_zstd(packed + 11, sizeof packed - 11, small, sizeof small);
  struct mr_decoder *decoder = open_for("zstd");
  struct output output = {0};
  assert_int_equal(feed(decoder, packed, size, 1, &output), MR_DECODER_ON);
  assert_int_equal(output.size, sizeof small);
  assert_true(mr_decoder_is_complete(decoder));
  mr_decoder_close(decoder);
  free(output.bytes);
  expect_failure("zstd", "\x27\xb5\x2f\xfd\x00\x00\x00\x00", 8, "damaged data"); /* of 0.7 */
}
#endif

/* ---- the rest ---- */

static void test_names(void **state) {
  (void)state;
  static const char *const unknown[] = {"", "gzi", "gzip, gzip", "gzip,br", "compress", "identity"};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
    assert_null(mr_decoder_find(unknown[i], strlen(unknown[i])));
  assert_ptr_equal(mr_decoder_find("X-GZIP", 6), &mr_coding_gzip);
  for (size_t f = 0; f < FORMATS; f++) {
    assert_non_null(mr_decoder_find(formats[f].name, strlen(formats[f].name)));
    assert_non_null(strstr(MR_DECODER_KNOWN, formats[f].name));
  }
  for (const char *at = MR_DECODER_OFFER; *at; at += strspn(at, ", ")) {
    size_t size = strcspn(at, ", ");
    assert_non_null(mr_decoder_find(at, size));
    at += size;
  }
  assert_null(strstr(MR_DECODER_OFFER, "deflate"));
}

static void test_stop(void **state) {
  struct samples *samples = *state;
  for (size_t f = 0; f < FORMATS; f++) {
    const struct sample *sample = &samples->of[f];
    struct mr_decoder *decoder = open_for(sample->format->name);
    struct output output = {.stop_at = 100000};
    assert_int_equal(feed(decoder, sample->packed, sample->size, 16384, &output),
                     MR_DECODER_STOPPED);
    assert_in_range(output.size, 32768, 100000);
    mr_decoder_close(decoder);
    free(output.bytes);
  }
}

static void try_memory(const struct sample *sample) {
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_decoder *decoder = open_for(sample->format->name);
    struct output output = {0};
    if (decoder && feed(decoder, sample->packed, sample->size, 16384, &output))
      assert_string_equal(mr_decoder_reason(decoder), "out of memory");
    else if (decoder)
      assert_int_equal(output.size, PLAIN_SIZE);
    mr_decoder_close(decoder);
    free(output.bytes);
  }
  failing_allocator_remove(&memory);
}

static void test_memory(void **state) {
  struct samples *samples = *state;
  for (size_t f = 0; f < FORMATS; f++)
    try_memory(&samples->of[f]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_pause_each),
      cmocka_unit_test(test_pause_and_other_pieces),
      cmocka_unit_test(test_split_anywhere),
      cmocka_unit_test(test_cut_large),
      cmocka_unit_test(test_flush),
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_garbage_behind),
      cmocka_unit_test(test_garbage_behind_gzip),
      cmocka_unit_test(test_checksum),
      cmocka_unit_test(test_something_else),
#ifdef MOONREST_WITH_BROTLI
      cmocka_unit_test(test_brotli_window),
#endif
#ifdef MOONREST_WITH_ZSTD
      cmocka_unit_test(test_zstd_window),
      cmocka_unit_test(test_zstd_frames),
#endif
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, make_samples, free_samples);
}
