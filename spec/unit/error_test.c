#include "failing_allocator.h"

#include "core/error.h"

static void test_names(void **state) {
  (void)state;
  static const char *const names[] = {
      "none",   "http",      "partial",   "network",  "timeout",   "throttled", "auth",
      "decode", "too_large", "truncated", "redirect", "cancelled", "limit",     "io",
  };
  for (int kind = MR_NONE; kind <= MR_IO; kind++)
    assert_string_equal(mr_kind_name((enum mr_kind)kind), names[kind]);
  assert_string_equal(mr_kind_name((enum mr_kind)99), "unknown");
}

static void test_fills_and_returns(void **state) {
  (void)state;
  struct mr_error error;
  assert_int_equal(mr_fail(&error, MR_TIMEOUT, "after %d s", 5), MR_TIMEOUT);
  assert_int_equal(error.kind, MR_TIMEOUT);
  assert_string_equal(error.message, "after 5 s");
  assert_int_equal(mr_fail(NULL, MR_IO, "nobody listens"), MR_IO);
}

static void test_message_about_a_message(void **state) {
  (void)state;
  struct mr_error error;
  mr_fail(&error, MR_IO, "inner");
  mr_fail(&error, MR_AUTH, "outer: %s", error.message);
  assert_string_equal(error.message, "outer: inner");
}

/* Puts 'tail' so that its last byte stands just behind the room for text. */
static size_t cut(const char *tail) {
  char text[MR_MESSAGE_SIZE + 1];
  memset(text, 'x', sizeof(text));
  size_t tail_size = strlen(tail);
  memcpy(text + MR_MESSAGE_SIZE - tail_size, tail, tail_size);
  text[MR_MESSAGE_SIZE] = '\0';
  struct mr_error error;
  mr_fail(&error, MR_IO, "%s", text);
  return strlen(error.message);
}

static void test_cut_at_a_character_boundary(void **state) {
  (void)state;
  assert_int_equal(cut("y"), MR_MESSAGE_SIZE - 1);
  assert_int_equal(cut("\xC3\xA4"), MR_MESSAGE_SIZE - 2);
  assert_int_equal(cut("\xE2\x82\xAC"), MR_MESSAGE_SIZE - 3);
  assert_int_equal(cut("\xF0\x9F\x8C\x99"), MR_MESSAGE_SIZE - 4);
  assert_int_equal(cut("\xC3\xA4y"), MR_MESSAGE_SIZE - 1);
  assert_int_equal(cut("\xF0\x9F\x8C\x99y"), MR_MESSAGE_SIZE - 1);
}

static void test_longest_message_is_kept_whole(void **state) {
  (void)state;
  char text[MR_MESSAGE_SIZE];
  memset(text, 'x', sizeof(text));
  text[MR_MESSAGE_SIZE - 1] = '\0';
  struct mr_error error;
  mr_fail(&error, MR_IO, "%s", text);
  assert_string_equal(error.message, text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_fills_and_returns),
      cmocka_unit_test(test_message_about_a_message),
      cmocka_unit_test(test_cut_at_a_character_boundary),
      cmocka_unit_test(test_longest_message_is_kept_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
