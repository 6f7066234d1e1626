/* Compressed bodies: whole, in any pieces, paused anywhere, cut at any byte, damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "curl_gunzip.h"
#include "failing_allocator.h"

#define PLAIN_SIZE 300000

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

/* Appends one member. */
static size_t compress_to(char *out, size_t room, const char *bytes, size_t size) {
  z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)size, .next_out = (Bytef *)out};
  stream.avail_out = (uInt)room;
  assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
                   Z_OK);
  assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
  deflateEnd(&stream);
  return room - stream.avail_out;
}

struct sample {
  char plain[PLAIN_SIZE];
  char packed[PLAIN_SIZE];
  size_t size;
};

/* Half of it compresses well, so that one input byte may fill the window several times. */
static int make_sample(void **state) {
  struct sample *sample = malloc(sizeof *sample);
  uint32_t random = 1;
  for (size_t i = 0; i < PLAIN_SIZE; i++) {
    random = random * 1664525 + 1013904223;
    sample->plain[i] = i < PLAIN_SIZE / 2 ? 'x' : (char)('a' + (random >> 28));
  }
  sample->size = compress_to(sample->packed, sizeof sample->packed, sample->plain, PLAIN_SIZE);
  *state = sample;
  return 0;
}

static int free_sample(void **state) {
  free(*state);
  return 0;
}

/* As libcurl gives it: what paused comes again from its beginning. */
static enum mr_gunzip_status feed(struct mr_gunzip *gunzip, const char *bytes, size_t size,
                                  size_t piece, struct output *output) {
  enum mr_gunzip_status status = MR_GUNZIP_ON;
  for (size_t at = 0; at < size && status == MR_GUNZIP_ON; at += piece) {
    size_t count = size - at < piece ? size - at : piece;
    do
      status = mr_gunzip_feed(gunzip, bytes + at, count, take, output);
    while (status == MR_GUNZIP_PAUSED);
  }
  return status;
}

static void assert_whole(const struct sample *sample, const struct output *output) {
  assert_int_equal(output->size, PLAIN_SIZE);
  assert_memory_equal(output->bytes, sample->plain, PLAIN_SIZE);
}

static void test_pieces(void **state) {
  struct sample *sample = *state;
  static const size_t pieces[] = {1, 7, 1000, 16384, PLAIN_SIZE};
  for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
    for (int pauses = 0; pauses < 20; pauses += 5) {
      struct mr_gunzip *gunzip = mr_gunzip_open();
      struct output output = {.pauses = pauses};
      assert_int_equal(feed(gunzip, sample->packed, sample->size, pieces[i], &output),
                       MR_GUNZIP_ON);
      assert_whole(sample, &output);
      assert_true(mr_gunzip_is_complete(gunzip));
      mr_gunzip_close(gunzip);
      free(output.bytes);
    }
  }
}

static void test_pause_each(void **state) {
  struct sample *sample = *state;
  struct mr_gunzip *gunzip = mr_gunzip_open();
  struct output output = {.pauses = 1, .each = true};
  enum mr_gunzip_status status;
  int paused = 0;
  while ((status = mr_gunzip_feed(gunzip, sample->packed, sample->size, take, &output)) ==
         MR_GUNZIP_PAUSED) {
    assert_false(mr_gunzip_is_complete(gunzip));
    paused++;
  }
  assert_int_equal(status, MR_GUNZIP_ON);
  assert_in_range(paused, PLAIN_SIZE / 32768, PLAIN_SIZE / 32768 + 2);
  assert_whole(sample, &output);
  assert_true(mr_gunzip_is_complete(gunzip));
  mr_gunzip_close(gunzip);
  free(output.bytes);
}

/* What paused may come again in smaller or larger pieces. */
static void test_pause_and_other_pieces(void **state) {
  struct sample *sample = *state;
  struct mr_gunzip *gunzip = mr_gunzip_open();
  struct output output = {.pauses = 1};
  assert_int_equal(mr_gunzip_feed(gunzip, sample->packed, 1000, take, &output), MR_GUNZIP_PAUSED);
  output.pauses = 1;
  assert_int_equal(mr_gunzip_feed(gunzip, sample->packed, 10, take, &output), MR_GUNZIP_PAUSED);
  assert_int_equal(mr_gunzip_feed(gunzip, sample->packed, 10, take, &output), MR_GUNZIP_ON);
  assert_int_equal(feed(gunzip, sample->packed + 10, sample->size - 10, 5000, &output),
                   MR_GUNZIP_ON);
  assert_whole(sample, &output);
  mr_gunzip_close(gunzip);
  free(output.bytes);
}

static void test_cut_anywhere(void **state) {
  char packed[200];
  (void)state;
  size_t size = compress_to(packed, sizeof packed, "a small body that is cut", 24);
  for (size_t cut = 0; cut <= size; cut++) {
    struct mr_gunzip *gunzip = mr_gunzip_open();
    struct output output = {0};
    assert_int_equal(feed(gunzip, packed, cut, 1000, &output), MR_GUNZIP_ON);
    assert_int_equal(mr_gunzip_is_complete(gunzip), cut == 0 || cut == size);
    mr_gunzip_close(gunzip);
    free(output.bytes);
  }
}

static void test_members(void **state) {
  char packed[400];
  (void)state;
  size_t size = compress_to(packed, sizeof packed, "first ", 6);
  size += compress_to(packed + size, sizeof packed - size, "", 0);
  size += compress_to(packed + size, sizeof packed - size, "second", 6);
  for (size_t piece = 1; piece <= size; piece++) {
    struct mr_gunzip *gunzip = mr_gunzip_open();
    struct output output = {0};
    assert_int_equal(feed(gunzip, packed, size, piece, &output), MR_GUNZIP_ON);
    assert_int_equal(output.size, 12);
    assert_memory_equal(output.bytes, "first second", 12);
    assert_true(mr_gunzip_is_complete(gunzip));
    mr_gunzip_close(gunzip);
    free(output.bytes);
  }
}

static void expect_failure(const char *bytes, size_t size) {
  struct mr_gunzip *gunzip = mr_gunzip_open();
  struct output output = {0};
  assert_int_equal(feed(gunzip, bytes, size, 16384, &output), MR_GUNZIP_FAILED);
  assert_non_null(mr_gunzip_reason(gunzip));
  mr_gunzip_close(gunzip);
  free(output.bytes);
}

static void test_damage(void **state) {
  struct sample *sample = *state;
  expect_failure("plainly not compressed", 22);
  expect_failure("\x78\x9c\x03\x00\x00\x00\x00\x01", 8); /* zlib's own format */
  char *packed = malloc(sample->size + 5);
  memcpy(packed, sample->packed, sample->size);
  memcpy(packed + sample->size, "extra", 5);
  expect_failure(packed, sample->size + 5);
  packed[sample->size - 8] ^= 1; /* its checksum */
  expect_failure(packed, sample->size);
  memcpy(packed, sample->packed, sample->size);
  packed[sample->size - 1] ^= 1; /* its length */
  expect_failure(packed, sample->size);
  free(packed);
}

static void test_stop(void **state) {
  struct sample *sample = *state;
  struct mr_gunzip *gunzip = mr_gunzip_open();
  struct output output = {.stop_at = 100000};
  assert_int_equal(feed(gunzip, sample->packed, sample->size, 16384, &output), MR_GUNZIP_STOPPED);
  assert_true(output.size <= 100000);
  mr_gunzip_close(gunzip);
  free(output.bytes);
}

static void test_memory(void **state) {
  struct sample *sample = *state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_gunzip *gunzip = mr_gunzip_open();
    struct output output = {0};
    if (gunzip) feed(gunzip, sample->packed, sample->size, 16384, &output);
    mr_gunzip_close(gunzip);
    free(output.bytes);
  }
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_pause_each),
      cmocka_unit_test(test_pause_and_other_pieces),
      cmocka_unit_test(test_cut_anywhere),
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, make_sample, free_sample);
}
