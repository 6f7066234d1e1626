#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/server_word.h"

#define WALL_US (INT64_C(1700000000) * MR_SECOND) /* Tue, 14 Nov 2023 22:13:20 GMT */

static struct mr_server_words read_words(const char *const *lines) {
  struct mr_headers headers;
  struct mr_server_words words;
  struct mr_virtual_clock clock;
  mr_virtual_clock_init(&clock, 0, WALL_US);
  mr_headers_init(&headers);
  for (; *lines; lines++)
    assert_int_equal(mr_headers_add(&headers, *lines, strlen(*lines)), MR_NONE);
  mr_server_words_read(&words, &headers, &clock.clock);
  mr_headers_free(&headers);
  return words;
}

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL})

static void assert_word(const struct mr_server_word *word, int64_t limit, int64_t remaining,
                        int64_t reset_us, int64_t window_us) {
  assert_int_equal(word->limit, limit);
  assert_int_equal(word->remaining, remaining);
  assert_int_equal(word->reset_us, reset_us);
  assert_int_equal(word->window_us, window_us);
}

static void test_epoch_seconds(void **state) {
  (void)state;
  struct mr_server_words words =
      READ("X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 7", "X-RateLimit-Reset: 1700000030");
  assert_int_equal(words.count, 1);
  assert_word(&words.items[0], 100, 7, 30 * MR_SECOND, -1);
  assert_int_equal(words.retry_after_us, -1);
}

static void test_delta_seconds(void **state) {
  (void)state;
  struct mr_server_words words =
      READ("RateLimit-Limit: 100, 100;w=60", "RateLimit-Remaining: 0", "RateLimit-Reset: 12");
  assert_int_equal(words.count, 1);
  assert_word(&words.items[0], 100, 0, 12 * MR_SECOND, -1);
}

static void test_the_size_tells_delay_from_time(void **state) {
  (void)state;
  struct mr_server_words words = READ("X-RateLimit-Remaining: 1", "X-RateLimit-Reset: 60");
  assert_word(&words.items[0], -1, 1, 60 * MR_SECOND, -1);
  words = READ("RateLimit-Remaining: 1", "RateLimit-Reset: 1700000060");
  assert_word(&words.items[0], -1, 1, 60 * MR_SECOND, -1);
  words = READ("X-RateLimit-Reset: 1700000060500");
  assert_word(&words.items[0], -1, -1, 60500 * MR_MILLISECOND, -1);
  words = READ("X-RateLimit-Reset: 0.25", "X-RateLimit-Remaining: 0");
  assert_word(&words.items[0], -1, 0, MR_SECOND / 4, -1);
}

static void test_ietf_fields(void **state) {
  (void)state;
  struct mr_server_words words =
      READ("RateLimit-Policy: \"burst\";q=100;w=60, \"daily\";q=1000;w=86400",
           "RateLimit: \"burst\";r=50;t=30, \"daily\";r=900;t=40000");
  assert_int_equal(words.count, 2);
  assert_word(&words.items[0], 100, 50, 30 * MR_SECOND, 60 * MR_SECOND);
  assert_word(&words.items[1], 1000, 900, 40000 * MR_SECOND, 86400 * MR_SECOND);
}

static void test_older_ietf_draft(void **state) {
  (void)state;
  struct mr_server_words words = READ("RateLimit: limit=100, remaining=50, reset=30");
  assert_int_equal(words.count, 1);
  assert_word(&words.items[0], 100, 50, 30 * MR_SECOND, -1);
}

static void test_clock_skew_is_taken_out(void **state) {
  (void)state;
  struct mr_server_words words =
      READ("Date: Tue, 14 Nov 2023 23:13:20 GMT", "X-RateLimit-Remaining: 1",
           "X-RateLimit-Reset: 1700003605", "Retry-After: Tue, 14 Nov 2023 23:13:27 GMT");
  assert_word(&words.items[0], -1, 1, 5 * MR_SECOND, -1);
  assert_int_equal(words.retry_after_us, 7 * MR_SECOND);
}

static void test_what_is_over_is_a_delay_of_nothing(void **state) {
  (void)state;
  struct mr_server_words words = READ("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 1600000000");
  assert_word(&words.items[0], -1, 0, 0, -1);
}

static void test_garbage(void **state) {
  (void)state;
  const char *values[] = {"",
                          "-1",
                          "soon",
                          "1e300",
                          "NaN",
                          "0x10",
                          "99999999999999999999",
                          "+5",
                          "1 2",
                          "\"3\"",
                          "9999999999999999",
                          "500000000",
                          "inf"};
  for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    char limit[80], remaining[80], reset[80];
    snprintf(limit, sizeof(limit), "X-RateLimit-Limit: %s", values[i]);
    snprintf(remaining, sizeof(remaining), "X-RateLimit-Remaining: 5");
    snprintf(reset, sizeof(reset), "X-RateLimit-Reset: %s", values[i]);
    struct mr_server_words words = READ(limit, remaining, reset);
    assert_int_equal(words.count, 1);
    assert_int_equal(words.items[0].remaining, 5);
    assert_true(words.items[0].reset_us == -1);
    assert_int_equal(strncmp(words.garbage, "X-RateLimit-", 12), 0);
  }
  struct mr_server_words words = READ("X-RateLimit-Limit: 5", "RateLimit: \"", "RateLimit: ;;;",
                                      "RateLimit-Policy: ,,,q", "Retry-After: soon");
  assert_int_equal(words.count, 0);
  assert_int_equal(words.retry_after_us, -1);
  assert_string_equal(words.garbage, "Retry-After");
  assert_string_equal(READ("RateLimit: ;;;").garbage, "RateLimit");
  assert_string_equal(READ("RateLimit-Remaining: many").garbage, "RateLimit-Remaining");
  assert_string_equal(READ("X-RateLimit-Limit: 9", "Retry-After: 1").garbage, "");
}

static void test_more_words_than_anyone_needs(void **state) {
  (void)state;
  struct mr_server_words words =
      READ("RateLimit: \"a\";r=1;t=1, \"b\";r=1;t=1, \"c\";r=1;t=1, \"d\";r=1;t=1, \"e\";r=1;t=1",
           "RateLimit: \"f\";r=1;t=1, \"g\";r=1;t=1, \"h\";r=1;t=1, \"i\";r=1;t=1, \"j\";r=1;t=1");
  assert_int_equal(words.count, MR_SERVER_WORDS);
}

static void test_retry_after(void **state) {
  (void)state;
  assert_int_equal(READ("Retry-After: 3").retry_after_us, 3 * MR_SECOND);
  assert_int_equal(READ("Retry-After: 0.5").retry_after_us, MR_SECOND / 2);
  assert_int_equal(READ("Retry-After: 3", "retry-after-ms: 250").retry_after_us,
                   250 * MR_MILLISECOND);
  assert_int_equal(READ("Retry-After: 3", "retry-after-ms: -1").retry_after_us, 3 * MR_SECOND);
  assert_int_equal(READ("Retry-After: -1").retry_after_us, -1);
  assert_int_equal(READ("Retry-After: Thu, 01 Jan 1970 00:00:00 GMT").retry_after_us, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_epoch_seconds),
                                     cmocka_unit_test(test_delta_seconds),
                                     cmocka_unit_test(test_the_size_tells_delay_from_time),
                                     cmocka_unit_test(test_ietf_fields),
                                     cmocka_unit_test(test_older_ietf_draft),
                                     cmocka_unit_test(test_clock_skew_is_taken_out),
                                     cmocka_unit_test(test_what_is_over_is_a_delay_of_nothing),
                                     cmocka_unit_test(test_garbage),
                                     cmocka_unit_test(test_more_words_than_anyone_needs),
                                     cmocka_unit_test(test_retry_after)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
