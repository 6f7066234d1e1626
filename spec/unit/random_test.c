#include "failing_allocator.h"

#include "core/random.h"

/* Published reference values: splitmix64 seeded with 0 and one step of xoshiro256** after it. */
static void test_known_numbers(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 0);
  assert_true(random.state[0] == UINT64_C(0xE220A8397B1DCDAF));
  assert_true(random.state[1] == UINT64_C(0x6E789E6AA1B965F4));
  assert_true(random.state[2] == UINT64_C(0x06C45D188009454F));
  assert_true(random.state[3] == UINT64_C(0xF88BB8A8724C81EC));
  struct mr_random small = {{1, 2, 3, 4}};
  static const uint64_t expected[] = {UINT64_C(11520), UINT64_C(0), UINT64_C(1509978240),
                                      UINT64_C(1215971899390074240)};
  for (size_t i = 0; i < 4; i++)
    assert_true(mr_random_next(&small) == expected[i]);
}

static void test_seed_repeats(void **state) {
  (void)state;
  struct mr_random a, b, c;
  mr_random_seed(&a, 42);
  mr_random_seed(&b, 42);
  mr_random_seed(&c, 43);
  bool differs = false;
  for (int i = 0; i < 100; i++) {
    uint64_t number = mr_random_next(&a);
    assert_true(number == mr_random_next(&b));
    differs = differs || number != mr_random_next(&c);
  }
  assert_true(differs);
}

static void test_below_stays_below_and_reaches_all(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 7);
  int counts[10] = {0};
  for (int i = 0; i < 10000; i++) {
    int64_t number = mr_random_below(&random, 10);
    assert_in_range(number, 0, 9);
    counts[number]++;
  }
  for (int i = 0; i < 10; i++)
    assert_in_range(counts[i], 850, 1150); /* five standard deviations */
}

/* Plain remainders of 64 bits would be below 2^62 in 75 of 100 cases. */
static void test_below_favours_no_number(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 7);
  int small = 0;
  for (int i = 0; i < 10000; i++)
    small += mr_random_below(&random, INT64_C(3) << 61) < INT64_C(1) << 62;
  assert_in_range(small, 6430, 6900); /* two thirds, five standard deviations */
}

static void test_below_at_the_edges(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 7);
  assert_int_equal(mr_random_below(&random, 0), 0);
  assert_int_equal(mr_random_below(&random, -5), 0);
  assert_int_equal(mr_random_below(&random, 1), 0);
  bool large = false;
  for (int i = 0; i < 100; i++) {
    int64_t number = mr_random_below(&random, INT64_MAX);
    assert_true(number >= 0 && number < INT64_MAX);
    large = large || number > INT64_MAX / 2;
  }
  assert_true(large);
}

static void test_system_seeds_differ(void **state) {
  (void)state;
  assert_true(mr_random_seed_from_system() != mr_random_seed_from_system());
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_numbers),
      cmocka_unit_test(test_seed_repeats),
      cmocka_unit_test(test_below_stays_below_and_reaches_all),
      cmocka_unit_test(test_below_favours_no_number),
      cmocka_unit_test(test_below_at_the_edges),
      cmocka_unit_test(test_system_seeds_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
