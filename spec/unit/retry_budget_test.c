#include "failing_allocator.h"

#include <pthread.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/random.h"
#include "core/retry.h"

#define HOST ((struct mr_slice){"api.example.com", 15})

static void test_three_for_everyone(void **state) {
  (void)state;
  struct mr_retry_budget *budget = mr_retry_budget_open();
  for (int i = 0; i < 10; i++)
    assert_int_equal(mr_retry_budget_spend(budget, HOST, i * MR_SECOND), i < 3);
  assert_false(mr_retry_budget_spend(budget, HOST, 59 * MR_SECOND));
  assert_true(mr_retry_budget_spend(budget, HOST, 63 * MR_SECOND));
  mr_retry_budget_close(budget);
}

static void test_a_tenth_of_the_calls(void **state) {
  (void)state;
  struct mr_retry_budget *budget = mr_retry_budget_open();
  int granted = 0;
  for (int i = 0; i < 1000; i++)
    mr_retry_budget_call(budget, HOST, i * 50 * MR_MILLISECOND);
  for (int i = 0; i < 1000; i++)
    granted += mr_retry_budget_spend(budget, HOST, 50 * MR_SECOND);
  assert_int_equal(granted, 100);
  assert_false(mr_retry_budget_spend(budget, (struct mr_slice){"", 0}, 0));
  mr_retry_budget_close(budget);
}

/* In memory that has had other uses. */
static void test_hosts_are_separate_and_the_oldest_goes(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct mr_retry_budget *budget = mr_retry_budget_open();
  char names[MR_RETRY_HOSTS + 1][16];
  for (int i = 0; i <= MR_RETRY_HOSTS; i++) {
    struct mr_slice host = {names[i], (size_t)snprintf(names[i], sizeof(names[i]), "host%d", i)};
    for (int j = 0; j < 4; j++)
      assert_int_equal(mr_retry_budget_spend(budget, host, (i + 1) * MR_MILLISECOND), j < 3);
  }
  struct mr_slice second = {names[1], strlen(names[1])}, first = {names[0], strlen(names[0])};
  assert_false(mr_retry_budget_spend(budget, second, MR_SECOND));
  assert_true(mr_retry_budget_spend(budget, first, MR_SECOND)); /* forgotten */
  mr_retry_budget_close(budget);
  failing_allocator_remove(&memory);
}

static void test_a_clock_that_goes_back(void **state) {
  (void)state;
  struct mr_retry_budget *budget = mr_retry_budget_open();
  for (int i = 0; i < 5; i++)
    assert_int_equal(mr_retry_budget_spend(budget, HOST, (100 - i * 20) * MR_SECOND), i < 3);
  mr_retry_budget_close(budget);
}

/* In no minute, wherever it begins, are there more retries than a tenth of the calls of the two minutes that it can
** have looked at, or three. */
static void test_every_minute_holds(void **state) {
  (void)state;
  enum { SECONDS = 2000 };
  static int calls[SECONDS], retries[SECONDS];
  struct mr_retry_budget *budget = mr_retry_budget_open();
  struct mr_random random;
  mr_random_seed(&random, 3);
  for (int s = 0; s < SECONDS; s++) {
    int64_t rate = (s / 100) % 3 == 0 ? 0 : 30;
    calls[s] = (int)mr_random_below(&random, rate + 1);
    for (int i = 0; i < calls[s]; i++)
      mr_retry_budget_call(budget, HOST, s * MR_SECOND + i);
    for (int i = 0; i < calls[s] + 1; i++)
      retries[s] += mr_retry_budget_spend(budget, HOST, s * MR_SECOND + 1000 + i);
  }
  for (int s = 120; s < SECONDS; s++) {
    int minute = 0, most = 0;
    for (int i = s - 59; i <= s; i++) {
      int before = 0;
      minute += retries[i];
      for (int j = i - 59; j <= i; j++)
        before += calls[j];
      if (before > most) most = before;
    }
    assert_true(minute <= (most / 10 > 3 ? most / 10 : 3));
  }
  mr_retry_budget_close(budget);
}

static void test_no_memory(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.fail_at = 1;
  assert_null(mr_retry_budget_open());
  mr_retry_budget_close(NULL);
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_three_for_everyone),
                                     cmocka_unit_test(test_a_tenth_of_the_calls),
                                     cmocka_unit_test(test_hosts_are_separate_and_the_oldest_goes),
                                     cmocka_unit_test(test_a_clock_that_goes_back),
                                     cmocka_unit_test(test_every_minute_holds),
                                     cmocka_unit_test(test_no_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
