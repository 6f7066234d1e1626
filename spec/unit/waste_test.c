#include "core/waste.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void fill(struct mr_buffer *buffer, size_t size) {
  mr_buffer_init(buffer, SIZE_MAX);
  assert_int_equal(mr_buffer_reserve(buffer, size), MR_NONE);
  buffer->size = size;
}

static void takes_large_blocks(void **state) {
  struct mr_waste waste = {0};
  struct mr_buffer first, second;
  (void)state;
  fill(&first, 100000);
  fill(&second, 1000000);
  mr_waste_take(&waste, &first);
  mr_waste_take(&waste, &second);
  assert_null(first.data);
  assert_int_equal(first.size, 0);
  assert_int_equal(first.capacity, 0);
  assert_true(mr_waste_free_one(&waste));
  assert_true(mr_waste_free_one(&waste));
  assert_false(mr_waste_free_one(&waste));
}

static void leaves_small_ones(void **state) {
  struct mr_waste waste = {0};
  struct mr_buffer small, empty;
  (void)state;
  fill(&small, 1000);
  mr_buffer_init(&empty, SIZE_MAX);
  mr_waste_take(&waste, &small);
  mr_waste_take(&waste, &empty);
  assert_int_equal(small.size, 1000);
  assert_false(mr_waste_free_one(&waste));
  mr_buffer_free(&small);
}

static void frees_all(void **state) {
  struct mr_waste waste = {0};
  struct mr_buffer buffer;
  (void)state;
  for (int i = 0; i < 5; i++) {
    fill(&buffer, 70000);
    mr_waste_take(&waste, &buffer);
  }
  mr_waste_free(&waste);
  assert_false(mr_waste_free_one(&waste));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(takes_large_blocks),
      cmocka_unit_test(leaves_small_ones),
      cmocka_unit_test(frees_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
