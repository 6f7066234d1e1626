#include "failing_allocator.h"

#include <stdio.h>

#include "core/json_text.h"
#include "core/random.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static int length_of(const char *text) {
  return mr_utf8_length(text, text + strlen(text));
}

/* RFC 3629 section 4: the first and the last of each row, and what lies just outside. */
static void test_valid_sequences(void **state) {
  (void)state;
  assert_int_equal(length_of("a"), 1);
  assert_int_equal(length_of("\x7f"), 1);
  assert_int_equal(length_of("\xc2\x80"), 2);
  assert_int_equal(length_of("\xdf\xbf"), 2);
  assert_int_equal(length_of("\xe0\xa0\x80"), 3);
  assert_int_equal(length_of("\xec\xbf\xbf"), 3);
  assert_int_equal(length_of("\xed\x9f\xbf"), 3);
  assert_int_equal(length_of("\xee\x80\x80"), 3);
  assert_int_equal(length_of("\xef\xbf\xbf"), 3);
  assert_int_equal(length_of("\xf0\x90\x80\x80"), 4);
  assert_int_equal(length_of("\xf4\x8f\xbf\xbf"), 4);
}

static void test_invalid_sequences(void **state) {
  (void)state;
  static const char *const texts[] = {
      "\x80",
      "\xbf", /* continuation alone */
      "\xc0\x80",
      "\xc1\xbf", /* overlong */
      "\xe0\x80\x80",
      "\xe0\x9f\xbf",
      "\xf0\x80\x80\x80",
      "\xf0\x8f\xbf\xbf",
      "\xed\xa0\x80",
      "\xed\xbf\xbf", /* surrogates */
      "\xf4\x90\x80\x80",
      "\xf5\x80\x80\x80",
      "\xff",
      "\xfe", /* beyond U+10FFFF */
      "\xc2\x20",
      "\xe1\x80\x20",
      "\xe1\x20\x80",
      "\xf1\x80\x80\x20",
      "\xe0\x80",
      "\xed\xa0",
      "\xf0\x80",
      "\xf4\x90", /* wrong and cut off */
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    assert_int_equal(length_of(texts[i]), 0);
}

static void test_sequences_that_are_cut_off(void **state) {
  (void)state;
  static const char *const texts[] = {"\xc2", "\xe1",     "\xe1\x80",
                                      "\xf1", "\xf1\x80", "\xf1\x80\x80"};
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    assert_int_equal(length_of(texts[i]), -1);
}

/* Every length and place, at the very end of a block, so that a look beyond it is found. */
static void test_the_end_of_plain_text(void **state) {
  (void)state;
  for (size_t size = 0; size < 70; size++) {
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    assert_ptr_equal(mr_json_plain_end(text, text + size), text + size);
    for (size_t at = 0; at < size; at++) {
      static const char specials[] = "\"\\\x1f\x01\x80\xff";
      for (const char *special = specials; *special; special++) {
        text[at] = *special;
        assert_ptr_equal(mr_json_plain_end(text, text + size), text + at);
      }
      text[at] = at % 2 ? '\x7f' : ' ';
    }
    free(text);
  }
}

/* Scans what stands between the quotes of 'text', which begins with one. */
static enum mr_json_string_state scan(const char *text, size_t size,
                                      struct mr_json_string *string) {
  *string = (struct mr_json_string){.at = text + 1};
  return mr_json_scan_string(string, text + size);
}

static void check_unescaped(const char *text, const char *expected, size_t size) {
  struct mr_json_string string;
  char out[256];
  size_t length = strlen(text);
  assert_int_equal(scan(text, length, &string), MR_JSON_STRING_CLOSED);
  assert_ptr_equal(string.at, text + length - 1);
  size_t found = mr_json_unescape(out, text + 1, length - 2);
  assert_int_equal(found, size);
  assert_int_equal(string.saved, length - 2 - size);
  assert_memory_equal(out, expected, size);
}

static void test_escapes(void **state) {
  (void)state;
  check_unescaped("\"\"", "", 0);
  check_unescaped("\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\"", "a\"\\/\b\f\n\r\tz", 10);
  check_unescaped("\"\\u0000\\u0041\\u00e9\\u00E9\"", "\0A\xc3\xa9\xc3\xa9", 6);
  check_unescaped("\"\\u07ff\\u0800\\uffff\"", "\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 8);
  check_unescaped("\"\\ud800\\udc00\\uDBFF\\uDFFF\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8);
  check_unescaped("\"\\ud7ff\\ue000\"", "\xed\x9f\xbf\xee\x80\x80", 6);
  check_unescaped("\"\xc3\xa9\\n\xf0\x9f\x98\x80\"", "\xc3\xa9\n\xf0\x9f\x98\x80", 7);
}

static void test_strings_that_are_wrong(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t at;
  } cases[] = {
      {"\"a\x01\"", 2},
      {"\"\n\"", 1},
      {"\"\x1f", 1},
      {"\"\\x\"", 1},
      {"\"\\a", 1},
      {"\"\\'\"", 1},
      {"\"\\u12g4\"", 1},
      {"\"\\u\"", 1},
      {"\"\\u12\"", 1},
      {"\"\\u 123\"", 1},
      {"\"\\ud800\"", 1},
      {"\"\\ud800x\"", 1},
      {"\"\\ud800\\n\"", 1},
      {"\"\\ud800\\u0041\"", 1},
      {"\"\\ud800\\ud800\"", 1},
      {"\"\\udc00\"", 1},
      {"\"ab\\udfff\"", 3},
      {"\"\\udc00\\ud800\"", 1},
      {"\"\xc0\x80\"", 1},
      {"\"ab\xed\xa0\x80\"", 3},
      {"\"\xf4\x90\x80\x80\"", 1},
      {"\"\xe1\x80\"", 1},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct mr_json_string string;
    const char *text = cases[i].text;
    assert_int_equal(scan(text, strlen(text), &string), MR_JSON_STRING_BAD);
    assert_ptr_equal(string.at, text + cases[i].at);
    assert_non_null(string.problem);
  }
  struct mr_json_string string;
  assert_int_equal(scan("\"\\\0\"", 4, &string), MR_JSON_STRING_BAD);
  assert_int_equal(scan("\"\0\"", 3, &string), MR_JSON_STRING_BAD);
}

/* Cut at any byte, a string is scanned on as if it had not been. */
static void test_a_string_in_two_pieces(void **state) {
  (void)state;
  static const char text[] =
      "\"some plain text that is long\\n\\u00e9\xc3\xa9\\ud83d\\ude00\xf0\x9f\x98\x80\"";
  size_t size = sizeof text - 1;
  struct mr_json_string whole;
  assert_int_equal(scan(text, size, &whole), MR_JSON_STRING_CLOSED);
  for (size_t cut = 1; cut < size; cut++) {
    char *piece = malloc(cut); /* its end is the block's */
    memcpy(piece, text, cut);
    struct mr_json_string string;
    assert_int_equal(scan(piece, cut, &string), MR_JSON_STRING_STARVED);
    string.at = text + (string.at - piece);
    free(piece);
    assert_int_equal(mr_json_scan_string(&string, text + size), MR_JSON_STRING_CLOSED);
    assert_ptr_equal(string.at, whole.at);
    assert_int_equal(string.saved, whole.saved);
  }
}

/* {====== Writing ====== */

static void check_written(const char *text, size_t size, const char *expected) {
  struct mr_buffer out;
  mr_buffer_init(&out, 1000);
  char *exact = malloc(size + 1); /* a look beyond the text is found */
  memcpy(exact + 1, text, size);
  assert_int_equal(mr_json_write_string(&out, exact + 1, size), MR_NONE);
  assert_string_equal(out.data, expected);
  assert_int_equal(out.size, strlen(expected));
  free(exact);
  mr_buffer_free(&out);
}

static void test_writing(void **state) {
  (void)state;
  check_written("", 0, "\"\"");
  check_written("abc", 3, "\"abc\"");
  check_written("a\"b\\c/", 6, "\"a\\\"b\\\\c/\"");
  check_written("\b\t\n\v\f\r\x1f\x7f\0", 9, "\"\\b\\t\\n\\u000b\\f\\r\\u001f\x7f\\u0000\"");
  check_written("\xc3\xa9\xf0\x9f\x98\x80!", 7, "\"\xc3\xa9\xf0\x9f\x98\x80!\"");
  check_written("0123456789abcdef\n0123456789abcdef", 33,
                "\"0123456789abcdef\\n0123456789abcdef\"");
}

static void test_writing_every_length_with_an_escape_anywhere(void **state) {
  (void)state;
  for (size_t size = 1; size < 50; size++)
    for (size_t at = 0; at <= size; at++) {
      char text[64], expected[80] = "\"";
      memset(text, 'x', size);
      memset(expected + 1, 'x', size);
      if (at < size) {
        text[at] = '"';
        memcpy(expected + 1 + at, "\\\"", 2);
        memset(expected + 3 + at, 'x', size - at - 1);
      }
      size_t length = size + 1 + (at < size);
      memcpy(expected + length, "\"", 2);
      check_written(text, size, expected);
    }
}

static void test_writing_invalid_text(void **state) {
  (void)state;
  static const char *const texts[] = {"\xff",      "abc\xc3",      "\xed\xa0\x80",
                                      "a\xc0\x80", "\xc3\xa9\x80", "0123456789abcdef\xf5"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    struct mr_buffer out;
    mr_buffer_init(&out, 1000);
    assert_int_equal(mr_json_write_string(&out, texts[i], strlen(texts[i])), MR_DECODE);
    mr_buffer_free(&out);
  }
}

static void test_writing_up_to_the_limit(void **state) {
  (void)state;
  static const char text[] = "0123456789abcdef\n\xc3\xa9 and more";
  size_t needed = sizeof text - 1 + 2 + 1; /* the quotes, and a backslash */
  for (size_t limit = 0; limit <= needed + 2; limit++) {
    struct mr_buffer out;
    mr_buffer_init(&out, limit);
    enum mr_kind kind = mr_json_write_string(&out, text, sizeof text - 1);
    assert_int_equal(kind, limit < needed ? MR_TOO_LARGE : MR_NONE);
    assert_true(out.size <= limit);
    mr_buffer_free(&out);
  }
}

static void test_no_memory_to_write(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_buffer out;
    mr_buffer_init(&out, 1000);
    enum mr_kind kind = MR_NONE;
    for (int i = 0; i < 20 && kind == MR_NONE; i++)
      kind = mr_json_write_string(&out, "text\n\n\n\n\n\n\n\n\n\n\n\n", 16);
    assert_int_equal(kind, memory.calls >= memory.fail_at && memory.fail_at ? MR_LIMIT : MR_NONE);
    mr_buffer_free(&out);
  }
  failing_allocator_remove(&memory);
}

static uint32_t random_code(struct mr_random *random) {
  static const int64_t bounds[] = {0x20, 0x80, 0x800, 0x10000, 0x110000};
  uint32_t code = (uint32_t)mr_random_below(random, bounds[mr_random_below(random, 5)]);
  return code >= 0xd800 && code < 0xe000 ? '?' : code;
}

static size_t random_text(struct mr_random *random, char *out, size_t most) {
  size_t size = 0;
  while (size + 4 <= most) {
    uint32_t code = random_code(random);
    char escape[16];
    if (code >= 0x10000)
      snprintf(escape, sizeof escape, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
               0xdc00 + ((code - 0x10000) & 0x3ff));
    else
      snprintf(escape, sizeof escape, "\\u%04x", code);
    size += mr_json_unescape(out + size, escape, strlen(escape));
  }
  return size;
}

static void test_what_is_written_reads_back(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 5);
  for (int i = 0; i < 5000; i++) {
    char text[128], back[128];
    size_t size = random_text(&random, text, (size_t)mr_random_below(&random, 100));
    struct mr_buffer out;
    mr_buffer_init(&out, 10000);
    assert_int_equal(mr_json_write_string(&out, text, size), MR_NONE);
    struct mr_json_string string;
    assert_int_equal(scan(out.data, out.size, &string), MR_JSON_STRING_CLOSED);
    assert_ptr_equal(string.at, out.data + out.size - 1);
    assert_int_equal(out.size - 2 - string.saved, size);
    assert_int_equal(mr_json_unescape(back, out.data + 1, out.size - 2), size);
    assert_memory_equal(back, text, size);
    mr_buffer_free(&out);
  }
}

/* }====== */

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_valid_sequences),
      cmocka_unit_test(test_invalid_sequences),
      cmocka_unit_test(test_sequences_that_are_cut_off),
      cmocka_unit_test(test_the_end_of_plain_text),
      cmocka_unit_test(test_escapes),
      cmocka_unit_test(test_strings_that_are_wrong),
      cmocka_unit_test(test_a_string_in_two_pieces),
      cmocka_unit_test(test_writing),
      cmocka_unit_test(test_writing_every_length_with_an_escape_anywhere),
      cmocka_unit_test(test_writing_invalid_text),
      cmocka_unit_test(test_writing_up_to_the_limit),
      cmocka_unit_test(test_no_memory_to_write),
      cmocka_unit_test(test_what_is_written_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
