#include "failing_allocator.h"

#include "core/json_place.h"

static const struct mr_json_place beginning = {0, 0, 0};

static void check(const char *text, size_t at, const char *expected) {
  char message[MR_JSON_MESSAGE_ROOM];
  mr_json_describe(message, "problem", beginning, text, strlen(text), at);
  assert_string_equal(message, expected);
}

static void test_lines_and_columns_count_from_one(void **state) {
  (void)state;
  check("abc", 0, "problem at line 1, column 1 (byte 1):  >>> abc");
  check("abc", 3, "problem at line 1, column 4 (byte 4): abc >>> ");
  check("a\nbc", 2, "problem at line 2, column 1 (byte 3): a  >>> bc");
  check("a\n\r\nb", 4, "problem at line 3, column 1 (byte 5): a    >>> b");
  check("", 0, "problem at line 1, column 1 (byte 1):  >>> ");
}

static void test_columns_count_characters(void **state) {
  (void)state;
  check("\xc3\xa9\xf0\x9f\x98\x80x", 6,
        "problem at line 1, column 3 (byte 7): \xc3\xa9\xf0\x9f\x98\x80 >>> x");
}

static void test_the_snippet_is_short_and_printable(void **state) {
  (void)state;
  check("0123456789012345678901234567890123456789012345678901234567890123456789", 35,
        "problem at line 1, column 36 (byte 36): "
        "123456789012345678901234 >>> 567890123456789012345678");
  check("a\x01\x1b[31m\xff\x7f", 1,
        "problem at line 1, column 2 (byte 2): a >>> \\x01\\x1B[31m\\xFF\\x7F");
}

/* A character at the edge of the snippet is shown whole or not at all. */
static void test_no_half_characters(void **state) {
  (void)state;
  char text[100];
  for (size_t shift = 0; shift < 4; shift++) {
    char message[MR_JSON_MESSAGE_ROOM];
    memset(text, 'x', shift);
    for (size_t i = shift; i + 4 < sizeof text; i += 4)
      memcpy(text + i, "\xf0\x9f\x98\x80", 4);
    mr_json_describe(message, "problem", beginning, text, 88 + shift, 40 + shift);
    assert_null(strstr(message, "\\x"));
    assert_non_null(strstr(message, "\xf0\x9f\x98\x80 >>> \xf0\x9f\x98\x80"));
  }
}

static void test_a_place_that_moved_on(void **state) {
  (void)state;
  struct mr_json_place place = beginning;
  mr_json_place_advance(&place, "ab\nc\xc3\xa9", 6);
  assert_int_equal(place.line, 1);
  assert_int_equal(place.column, 2);
  assert_int_equal(place.offset, 6);
  char message[MR_JSON_MESSAGE_ROOM];
  mr_json_describe(message, "problem", place, "de", 2, 1);
  assert_string_equal(message, "problem at line 2, column 4 (byte 8): d >>> e");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines_and_columns_count_from_one),
      cmocka_unit_test(test_columns_count_characters),
      cmocka_unit_test(test_the_snippet_is_short_and_printable),
      cmocka_unit_test(test_no_half_characters),
      cmocka_unit_test(test_a_place_that_moved_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
