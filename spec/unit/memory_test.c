#include "failing_allocator.h"

static void test_blocks_of_no_bytes(void **state) {
  (void)state;
  void *block = mr_alloc(0);
  assert_non_null(block);
  mr_free(block);
  mr_free(NULL);
}

static void test_zeroed(void **state) {
  (void)state;
  char *block = mr_alloc_zero(7, 3);
  for (size_t i = 0; i < 21; i++)
    assert_int_equal(block[i], 0);
  mr_free(block);
}

static void test_product_that_overflows(void **state) {
  (void)state;
  assert_null(mr_alloc_zero(SIZE_MAX / 2, 3));
  assert_null(mr_alloc_zero(SIZE_MAX, SIZE_MAX));
  void *none = mr_alloc_zero(SIZE_MAX, 0);
  assert_non_null(none);
  mr_free(none);
}

static void test_realloc_keeps_bytes(void **state) {
  (void)state;
  char *block = mr_realloc(NULL, 4);
  memcpy(block, "abc", 4);
  block = mr_realloc(block, 4000);
  assert_string_equal(block, "abc");
  assert_null(mr_realloc(block, 0));
}

static void test_duplicate(void **state) {
  (void)state;
  char *copy = mr_duplicate("a\0b-and-more", 3);
  assert_memory_equal(copy, "a\0b", 4);
  mr_free(copy);
  char *empty = mr_duplicate(NULL, 0);
  assert_string_equal(empty, "");
  mr_free(empty);
  assert_null(mr_duplicate("x", SIZE_MAX));
}

static void test_wipe(void **state) {
  (void)state;
  char text[] = "secret";
  mr_wipe(text + 1, 4);
  assert_memory_equal(text, "s\0\0\0\0t", 7);
  mr_wipe(NULL, 0);
}

static void test_hook_sees_everything_and_can_fail(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.fail_at = 3;
  char *first = mr_alloc(10);
  char *second = mr_duplicate("four", 4);
  assert_int_equal(memory.live, 2);
  assert_int_equal(memory.live_bytes, 15);
  assert_null(mr_alloc_zero(2, 2));
  first = mr_realloc(first, 20);
  assert_int_equal(memory.live_bytes, 25);
  mr_free(first);
  mr_free(second);
  assert_int_equal(memory.calls, 4);
  failing_allocator_remove(&memory);
  mr_free(mr_alloc(1));
  assert_int_equal(memory.calls, 4);
}

static void test_the_allocator_itself_finds_what_was_not_wiped(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.needle = "hunter2";
  mr_free(mr_duplicate("my hunter2!", 11));
  assert_int_equal(memory.found, 1);
  memory.found = 0;
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_blocks_of_no_bytes),
      cmocka_unit_test(test_zeroed),
      cmocka_unit_test(test_product_that_overflows),
      cmocka_unit_test(test_realloc_keeps_bytes),
      cmocka_unit_test(test_duplicate),
      cmocka_unit_test(test_wipe),
      cmocka_unit_test(test_hook_sees_everything_and_can_fail),
      cmocka_unit_test(test_the_allocator_itself_finds_what_was_not_wiped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
