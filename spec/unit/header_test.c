#include "failing_allocator.h"

#include <stdio.h>

#include "core/header.h"

static void assert_slice(struct mr_slice slice, const char *expected) {
  assert_non_null(slice.data);
  assert_int_equal(slice.size, strlen(expected));
  assert_memory_equal(slice.data, expected, slice.size);
}

static enum mr_kind add(struct mr_headers *headers, const char *line) {
  return mr_headers_add(headers, line, strlen(line));
}

static void test_fields_in_order_and_by_name(void **state) {
  (void)state;
  struct mr_headers headers;
  mr_headers_init(&headers);
  assert_int_equal(add(&headers, "Content-Type: application/json\r\n"), MR_NONE);
  assert_int_equal(add(&headers, "Set-Cookie:a=1\n"), MR_NONE);
  assert_int_equal(add(&headers, "X-Empty:\r\n"), MR_NONE);
  assert_int_equal(add(&headers, "set-cookie: \t b: 2 \t\r\n"), MR_NONE);
  assert_int_equal(headers.count, 4);
  assert_slice(mr_headers_name(&headers, 0), "Content-Type");
  assert_slice(mr_headers_value(&headers, 0), "application/json");
  assert_slice(mr_headers_name(&headers, 3), "set-cookie");
  assert_slice(mr_headers_get(&headers, "SET-COOKIE"), "a=1");
  assert_slice(mr_headers_get(&headers, "x-empty"), "");
  assert_null(mr_headers_get(&headers, "x-absent").data);
  assert_null(mr_headers_get(&headers, "content-typ").data);
  assert_null(mr_headers_name(&headers, 4).data);
  assert_null(mr_headers_value(&headers, 4).data);
  mr_headers_free(&headers);
}

static void test_repeated_fields(void **state) {
  (void)state;
  struct mr_headers headers;
  mr_headers_init(&headers);
  add(&headers, "Link: <a>");
  add(&headers, "Other: x");
  add(&headers, "link: <b>");
  uint32_t position = 0;
  struct mr_slice value = {NULL, 0};
  assert_true(mr_headers_next(&headers, "Link", &position, &value));
  assert_slice(value, "<a>");
  assert_int_equal(position, 1);
  assert_true(mr_headers_next(&headers, "Link", &position, &value));
  assert_slice(value, "<b>");
  assert_int_equal(position, 3);
  assert_false(mr_headers_next(&headers, "Link", &position, &value));
  assert_false(mr_headers_next(&headers, "Link", &position, &value));
  assert_slice(value, "<b>");
  mr_headers_free(&headers);
}

static void test_folding(void **state) {
  (void)state;
  struct mr_headers headers;
  mr_headers_init(&headers);
  assert_int_equal(add(&headers, " lonely\r\n"), MR_DECODE);
  add(&headers, "A: 1");
  add(&headers, "B:");
  assert_int_equal(add(&headers, "\t two \r\n"), MR_NONE);
  assert_int_equal(add(&headers, "   three"), MR_NONE);
  assert_int_equal(add(&headers, "  \r\n"), MR_NONE);
  add(&headers, "C: 4");
  assert_slice(mr_headers_get(&headers, "A"), "1");
  assert_slice(mr_headers_get(&headers, "B"), "two three");
  assert_slice(mr_headers_get(&headers, "C"), "4");
  mr_headers_free(&headers);
}

static void test_what_is_no_field(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "\r\n",
      "\n",
      "no colon",
      "HTTP/1.1 200 OK",
      ": value",
      "Name : value",
      "Na me: value",
      "N\xC3\xA4me: value",
      "A: b\rc",
      "A: b\nC: d",
      "A: b\r\r\n",
      "A\x01: b",
      "(A): b",
  };
  struct mr_headers headers;
  mr_headers_init(&headers);
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_int_equal(add(&headers, bad[i]), MR_DECODE);
  assert_int_equal(mr_headers_add(&headers, "A: b\0c", 6), MR_DECODE);
  assert_int_equal(mr_headers_add(&headers, "A\0: b", 5), MR_DECODE);
  assert_int_equal(headers.count, 0);
  assert_int_equal(add(&headers, "A: \x80\xFF"), MR_NONE);
  mr_headers_free(&headers);
}

/* Wherever the byte stands: lines are looked at by words of eight bytes. */
static void test_breaks_in_every_place(void **state) {
  static const char breaking[] = {'\0', '\r', '\n'},
                    harmless[] = {'\t', '\x01', '\x0f', '\x10', '\x80'};
  (void)state;
  struct mr_headers headers;
  mr_headers_init(&headers);
  for (size_t size = 3; size < 30; size++) {
    char line[32] = "A:xxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    line[size - 1] = 'z';
    for (size_t at = 2; at + 1 < size; at++) {
      for (size_t i = 0; i < sizeof breaking; i++) {
        line[at] = breaking[i];
        assert_int_equal(mr_headers_add(&headers, line, size), MR_DECODE);
      }
      for (size_t i = 0; i < sizeof harmless; i++) {
        line[at] = harmless[i];
        mr_headers_clear(&headers);
        assert_int_equal(mr_headers_add(&headers, line, size), MR_NONE);
      }
      line[at] = 'x';
    }
  }
  mr_headers_free(&headers);
}

static void test_most_fields(void **state) {
  (void)state;
  struct mr_headers headers;
  mr_headers_init(&headers);
  for (int i = 0; i < MR_HEADERS_MAX_COUNT; i++)
    assert_int_equal(add(&headers, "A: b"), MR_NONE);
  assert_int_equal(add(&headers, "A: b"), MR_TOO_LARGE);
  assert_int_equal(headers.count, MR_HEADERS_MAX_COUNT);
  mr_headers_free(&headers);
}

static void test_most_bytes(void **state) {
  (void)state;
  struct mr_headers headers;
  mr_headers_init(&headers);
  static char line[MR_HEADERS_MAX_BYTES + 2];
  memset(line, 'v', sizeof(line));
  line[1] = ':';
  assert_int_equal(mr_headers_add(&headers, line, MR_HEADERS_MAX_BYTES + 2), MR_TOO_LARGE);
  assert_int_equal(headers.count, 0);
  assert_int_equal(mr_headers_add(&headers, line, MR_HEADERS_MAX_BYTES + 1), MR_NONE);
  assert_int_equal(add(&headers, "A:"), MR_TOO_LARGE);
  assert_int_equal(add(&headers, " x"), MR_TOO_LARGE);
  assert_int_equal(headers.count, 1);
  assert_int_equal(headers.fields[0].value_size, MR_HEADERS_MAX_BYTES - 1);
  mr_headers_free(&headers);
}

static void test_cleared_headers_keep_their_memory(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct mr_headers headers;
  mr_headers_init(&headers);
  add(&headers, "A: b");
  memory.calls = 0;
  mr_headers_clear(&headers);
  assert_int_equal(headers.count, 0);
  assert_null(mr_headers_get(&headers, "A").data);
  assert_int_equal(add(&headers, "C: d"), MR_NONE);
  assert_int_equal(memory.calls, 0);
  mr_headers_free(&headers);
  mr_headers_free(&headers);
  failing_allocator_remove(&memory);
}

/* A line that found no memory leaves no trace and succeeds when it comes again. */
static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_headers headers;
    mr_headers_init(&headers);
    for (int i = 0; i < 100; i++) {
      char line[64];
      snprintf(line, sizeof(line), "Name-%d: value %d", i, i);
      enum mr_kind kind = add(&headers, line);
      if (kind != MR_NONE) assert_int_equal(add(&headers, line), MR_NONE);
      kind = add(&headers, " and more");
      if (kind != MR_NONE) assert_int_equal(add(&headers, " and more"), MR_NONE);
    }
    assert_int_equal(headers.count, 100);
    assert_slice(mr_headers_get(&headers, "name-99"), "value 99 and more");
    mr_headers_free(&headers);
  }
  failing_allocator_remove(&memory);
}

static void test_outgoing_fields(void **state) {
  (void)state;
  assert_true(mr_header_name_ok("X-Api_Key!", 10));
  assert_false(mr_header_name_ok("", 0));
  assert_false(mr_header_name_ok("a b", 3));
  assert_false(mr_header_name_ok("a:", 2));
  assert_false(mr_header_name_ok("a\r", 2));
  assert_false(mr_header_name_ok("a\0", 2));
  assert_false(mr_header_name_ok("\xFC", 1));
  assert_true(mr_header_value_ok("", 0));
  assert_true(mr_header_value_ok("a\tb \xFC", 5));
  assert_false(mr_header_value_ok("a\rb", 3));
  assert_false(mr_header_value_ok("a\n", 2));
  assert_false(mr_header_value_ok("\0", 1));
  assert_false(mr_header_value_ok("a\x1b[31m", 6));
  assert_false(mr_header_value_ok("a\x7f", 2));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields_in_order_and_by_name),
      cmocka_unit_test(test_repeated_fields),
      cmocka_unit_test(test_folding),
      cmocka_unit_test(test_what_is_no_field),
      cmocka_unit_test(test_breaks_in_every_place),
      cmocka_unit_test(test_most_fields),
      cmocka_unit_test(test_most_bytes),
      cmocka_unit_test(test_cleared_headers_keep_their_memory),
      cmocka_unit_test(test_every_allocation_fails_once),
      cmocka_unit_test(test_outgoing_fields),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
