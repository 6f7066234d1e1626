/* Timers come out in the order of their times, whatever was set, moved and cleared in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/random.h"
#include "core/timers.h"
#include "failing_allocator.h"

enum { COUNT = 500 };

static void come_in_order(void **state) {
  (void)state;
  static struct mr_timer timer[COUNT];
  struct mr_timers timers;
  struct mr_random random;
  mr_timers_init(&timers);
  mr_random_seed(&random, 11);
  int set = COUNT;
  for (int i = 0; i < COUNT; i++)
    assert_int_equal(mr_timer_set(&timers, &timer[i], mr_random_below(&random, 1000)), MR_NONE);
  for (int i = 0; i < COUNT; i += 3)
    assert_int_equal(mr_timer_set(&timers, &timer[i], mr_random_below(&random, 1000)), MR_NONE);
  for (int i = 1; i < COUNT; i += 5) {
    mr_timer_clear(&timers, &timer[i]);
    mr_timer_clear(&timers, &timer[i]);
    set--;
  }
  int64_t last_us = -1;
  for (int i = 0; i < set; i++) {
    int64_t next_us = mr_timers_next_us(&timers);
    assert_null(mr_timers_due(&timers, next_us - 1));
    struct mr_timer *due = mr_timers_due(&timers, next_us);
    assert_non_null(due);
    assert_true(due->at_us >= last_us);
    last_us = due->at_us;
  }
  assert_int_equal(mr_timers_next_us(&timers), MR_NEVER);
  assert_null(mr_timers_due(&timers, MR_NEVER));
  mr_timers_free(&timers);
}

static void survive_without_memory(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_timers timers;
    struct mr_timer timer[40] = {0};
    mr_timers_init(&timers);
    for (int i = 0; i < 40; i++)
      if (mr_timer_set(&timers, &timer[i], i)) assert_false(timer[i].is_set);
    for (int i = 0; i < 40; i++)
      mr_timer_clear(&timers, &timer[i]);
    assert_int_equal(mr_timers_next_us(&timers), MR_NEVER);
    mr_timers_free(&timers);
  }
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(come_in_order),
                                     cmocka_unit_test(survive_without_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
