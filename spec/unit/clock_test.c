#include "failing_allocator.h"

#include <math.h>

#include "core/clock.h"

static void test_system_clock(void **state) {
  (void)state;
  int64_t before = mr_clock_now(&mr_clock_system);
  assert_true(before > 0);
  assert_true(mr_clock_now(&mr_clock_system) >= before);
  int64_t year_2024_us = INT64_C(1704067200) * MR_SECOND;
  assert_true(mr_clock_wall(&mr_clock_system) > year_2024_us);
}

static void test_virtual_clock_moves_only_by_hand(void **state) {
  (void)state;
  struct mr_virtual_clock virtual;
  mr_virtual_clock_init(&virtual, 100, 5000);
  assert_int_equal(mr_clock_now(&virtual.clock), 100);
  assert_int_equal(mr_clock_wall(&virtual.clock), 5000);
  virtual.now_us += 7;
  assert_int_equal(mr_clock_now(&virtual.clock), 107);
  assert_int_equal(mr_clock_wall(&virtual.clock), 5007);
  virtual.wall_offset_us -= 1000; /* somebody set the clock back */
  assert_int_equal(mr_clock_now(&virtual.clock), 107);
  assert_int_equal(mr_clock_wall(&virtual.clock), 4007);
}

static void test_time_after(void **state) {
  (void)state;
  assert_int_equal(mr_time_after(5, 6), 11);
  assert_int_equal(mr_time_after(5, -6), -1);
  assert_int_equal(mr_time_after(MR_NEVER, -5), MR_NEVER);
  assert_int_equal(mr_time_after(-5, MR_NEVER), MR_NEVER);
  assert_int_equal(mr_time_after(MR_NEVER - 5, 5), MR_NEVER);
  assert_int_equal(mr_time_after(MR_NEVER - 5, 6), MR_NEVER);
  assert_int_equal(mr_time_after(INT64_MIN + 5, -6), INT64_MIN);
  assert_int_equal(mr_time_after(INT64_MIN, INT64_MIN), INT64_MIN);
}

static void test_time_from_seconds(void **state) {
  (void)state;
  assert_int_equal(mr_time_from_seconds(0.29), 290000);
  assert_int_equal(mr_time_from_seconds(2.01), 2010000);
  assert_int_equal(mr_time_from_seconds(1e-6), 1);
  assert_int_equal(mr_time_from_seconds(3600), 3600 * MR_SECOND);
  assert_int_equal(mr_time_from_seconds(0), 0);
  assert_int_equal(mr_time_from_seconds(-1), 0);
  assert_int_equal(mr_time_from_seconds(-INFINITY), 0);
  assert_int_equal(mr_time_from_seconds(NAN), 0);
  assert_int_equal(mr_time_from_seconds(INFINITY), MR_NEVER);
  assert_int_equal(mr_time_from_seconds(9.3e12), MR_NEVER);
  assert_int_equal(mr_time_from_seconds(9e12), INT64_C(9000000000000) * MR_SECOND);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_system_clock),
      cmocka_unit_test(test_virtual_clock_moves_only_by_hand),
      cmocka_unit_test(test_time_after),
      cmocka_unit_test(test_time_from_seconds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
