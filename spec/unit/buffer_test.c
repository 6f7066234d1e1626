#include "failing_allocator.h"

#include "core/buffer.h"

static void test_empty(void **state) {
  (void)state;
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 10);
  assert_null(buffer.data);
  assert_string_equal(mr_buffer_string(&buffer), "");
  assert_int_equal(mr_buffer_append(&buffer, NULL, 0), MR_NONE);
  assert_null(buffer.data);
  mr_buffer_clear(&buffer);
  mr_buffer_free(&buffer);
}

static void test_append_and_format(void **state) {
  (void)state;
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 1000);
  assert_int_equal(mr_buffer_text(&buffer, "one"), MR_NONE);
  assert_int_equal(mr_buffer_byte(&buffer, ' '), MR_NONE);
  assert_int_equal(mr_buffer_append(&buffer, "two", 3), MR_NONE);
  assert_int_equal(mr_buffer_format(&buffer, " %d%s", 3, "!"), MR_NONE);
  assert_int_equal(mr_buffer_format(&buffer, "%s", ""), MR_NONE);
  assert_string_equal(mr_buffer_string(&buffer), "one two 3!");
  assert_int_equal(buffer.size, 10);
  mr_buffer_clear(&buffer);
  assert_int_equal(buffer.size, 0);
  assert_string_equal(mr_buffer_string(&buffer), "");
  mr_buffer_free(&buffer);
  assert_null(buffer.data);
  assert_int_equal(buffer.limit, 1000);
}

static void test_limit_and_one_more(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 100);
  for (int i = 0; i < 100; i++)
    assert_int_equal(mr_buffer_byte(&buffer, 'x'), MR_NONE);
  assert_int_equal(memory.live_bytes, 101);
  assert_int_equal(mr_buffer_byte(&buffer, 'x'), MR_TOO_LARGE);
  assert_int_equal(mr_buffer_format(&buffer, "%d", 1), MR_TOO_LARGE);
  assert_int_equal(mr_buffer_reserve(&buffer, SIZE_MAX), MR_TOO_LARGE);
  assert_int_equal(mr_buffer_append(&buffer, NULL, 0), MR_NONE);
  assert_int_equal(buffer.size, 100);
  assert_int_equal(strlen(buffer.data), 100);
  mr_buffer_free(&buffer);
  failing_allocator_remove(&memory);
}

static void test_a_limit_of_nothing(void **state) {
  (void)state;
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 0);
  assert_int_equal(mr_buffer_byte(&buffer, 'x'), MR_TOO_LARGE);
  assert_int_equal(mr_buffer_reserve(&buffer, 0), MR_NONE);
  mr_buffer_free(&buffer);
}

static void test_no_limit(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, SIZE_MAX);
  assert_int_equal(mr_buffer_text(&buffer, "x"), MR_NONE);
  assert_int_equal(mr_buffer_reserve(&buffer, SIZE_MAX - 1), MR_LIMIT);
  assert_int_equal(mr_buffer_reserve(&buffer, SIZE_MAX - 2), MR_LIMIT);
  assert_string_equal(mr_buffer_string(&buffer), "x");
  mr_buffer_free(&buffer);
  failing_allocator_remove(&memory);
}

static void test_reserved_room_needs_no_memory(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 5000);
  assert_int_equal(mr_buffer_reserve(&buffer, 5000), MR_NONE);
  assert_string_equal(mr_buffer_string(&buffer), "");
  for (int i = 0; i < 500; i++)
    assert_int_equal(mr_buffer_text(&buffer, "0123456789"), MR_NONE);
  assert_int_equal(memory.calls, 1);
  mr_buffer_free(&buffer);
  failing_allocator_remove(&memory);
}

static void test_growth_is_geometric(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 1 << 20);
  for (int i = 0; i < 1 << 20; i++)
    assert_int_equal(mr_buffer_byte(&buffer, 'x'), MR_NONE);
  assert_true(memory.calls < 20);
  mr_buffer_free(&buffer);
  failing_allocator_remove(&memory);
}

/* Keeps a failed buffer's content, and stays usable. */
static void grow(bool secret) {
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 4096);
  buffer.secret = secret;
  for (int i = 0; i < 200; i++) {
    size_t size = buffer.size;
    enum mr_kind kind = mr_buffer_format(&buffer, "%03d hunter2 ", i);
    assert_true(kind == MR_NONE || kind == MR_LIMIT);
    assert_int_equal(buffer.size, kind == MR_NONE ? size + 12 : size);
    assert_int_equal(strlen(mr_buffer_string(&buffer)), buffer.size);
  }
  assert_true(buffer.size >= 199 * 12);
  mr_buffer_free(&buffer);
}

static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++)
    grow(false);
  failing_allocator_remove(&memory);
}

static void test_secret_is_wiped_wherever_it_was(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.needle = "hunter2";
  for (size_t n = 1; failing_allocator_next(&memory, n); n++)
    grow(true);
  failing_allocator_remove(&memory);
}

static void test_secret_is_wiped_when_cleared(void **state) {
  (void)state;
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, 100);
  buffer.secret = true;
  mr_buffer_text(&buffer, "hunter2");
  mr_buffer_clear(&buffer);
  for (size_t i = 0; i < buffer.capacity; i++)
    assert_int_equal(buffer.data[i], 0);
  mr_buffer_free(&buffer);
  assert_true(buffer.secret);
}

static void test_swap(void **state) {
  (void)state;
  struct mr_buffer one, other;
  mr_buffer_init(&one, 10);
  mr_buffer_init(&other, 100);
  mr_buffer_text(&other, "more than one may get");
  const char *bytes = other.data;
  mr_buffer_swap(&one, &other);
  assert_ptr_equal(one.data, bytes);
  assert_int_equal(one.size, 21);
  assert_null(other.data);
  assert_int_equal(mr_buffer_byte(&one, '!'), MR_TOO_LARGE); /* the limit has stayed */
  assert_int_equal(mr_buffer_text(&other, "as much as the other one"), MR_NONE);
  mr_buffer_free(&one);
  mr_buffer_free(&other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_append_and_format),
      cmocka_unit_test(test_limit_and_one_more),
      cmocka_unit_test(test_a_limit_of_nothing),
      cmocka_unit_test(test_no_limit),
      cmocka_unit_test(test_reserved_room_needs_no_memory),
      cmocka_unit_test(test_growth_is_geometric),
      cmocka_unit_test(test_every_allocation_fails_once),
      cmocka_unit_test(test_secret_is_wiped_wherever_it_was),
      cmocka_unit_test(test_secret_is_wiped_when_cleared),
      cmocka_unit_test(test_swap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
