#include "limiter_world.h"

#include "core/window.h"

#define SECOND MR_SECOND

struct fixture {
  struct mr_window window;
  struct mr_cell *cells;
};

static void open_window(struct fixture *f, int64_t count, int64_t period_us, int64_t burst) {
  struct mr_window_limit limit = {.count = count, .period_us = period_us};
  mr_window_init(&f->window, &limit, burst, false);
  f->cells = calloc(f->window.capacity, sizeof(*f->cells));
  assert_non_null(f->cells);
}

static int64_t ready(struct fixture *f, int64_t units, int64_t now_us) {
  return mr_window_ready(&f->window, f->cells, units, 0, now_us);
}

static void use(struct fixture *f, int64_t units, int64_t now_us) {
  assert_int_equal(ready(f, units, now_us), now_us);
  mr_window_take(&f->window, units, now_us);
  mr_window_push(&f->window, f->cells, units, now_us);
}

static void test_exactly_the_count(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 40, SECOND, 0);
  for (int i = 0; i < 40; i++)
    use(&f, 1, i);
  int64_t hold_us = f.window.hold_us;
  assert_true(hold_us > SECOND && hold_us <= SECOND + 101);
  assert_int_equal(ready(&f, 1, 40), hold_us);
  assert_true(ready(&f, 1, hold_us - 1) > hold_us - 1);
  assert_int_equal(ready(&f, 1, hold_us), hold_us);
  free(f.cells);
}

static void test_the_rest_is_spaced_after_a_burst(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 40, SECOND, 0);
  for (int i = 0; i < 40; i++)
    use(&f, 1, 0);
  int64_t now_us = ready(&f, 1, 0);
  for (int i = 0; i < 40; i++) {
    use(&f, 1, now_us);
    int64_t next_us = ready(&f, 1, now_us);
    assert_true(next_us - now_us >= 24999 && next_us - now_us <= 25200);
    now_us = next_us;
  }
  free(f.cells);
}

static void test_a_burst_comes_back_after_silence(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 40, SECOND, 0);
  for (int i = 0; i < 40; i++)
    use(&f, 1, 0);
  assert_true(ready(&f, 1, 1) > 1);
  for (int i = 0; i < 40; i++)
    use(&f, 1, 10 * SECOND);
  free(f.cells);
}

static void test_burst_of_one_spaces_from_the_start(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 40, SECOND, 1);
  use(&f, 1, 0);
  assert_int_equal(ready(&f, 1, 0), 25000);
  use(&f, 1, 25000);
  assert_int_equal(ready(&f, 1, 60000), 60000);
  use(&f, 1, 60000);
  assert_int_equal(ready(&f, 1, 60000), 85000);
  free(f.cells);
}

static void test_weights(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 10, SECOND, 0);
  use(&f, 4, 0);
  use(&f, 4, 100);
  assert_true(ready(&f, 4, 200) >= f.window.hold_us);
  use(&f, 2, 200);
  assert_int_equal(ready(&f, 1, 300), f.window.hold_us);
  assert_int_equal(ready(&f, 5, 300), f.window.hold_us + 100);
  free(f.cells);
}

static void test_pending_units_count_and_have_no_time(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 3, SECOND, 0);
  assert_int_equal(mr_window_ready(&f.window, f.cells, 1, 2, 0), 0);
  assert_true(mr_window_ready(&f.window, f.cells, 1, 3, 0) == MR_NEVER);
  free(f.cells);
}

/* Above the exact bound a unit is held until the end of its slice of the period, never less. */
static void test_cells_err_on_the_safe_side(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, MR_WINDOW_MAX + 1, 60 * SECOND, 0);
  assert_true(f.window.capacity < 5000);
  for (int64_t i = 0; i < 60000; i++)
    mr_window_push(&f.window, f.cells, 1, i * 1000);
  for (int64_t now_us = 59 * SECOND; now_us < 130 * SECOND; now_us += 10007) {
    mr_window_release(&f.window, f.cells, now_us);
    int64_t young = 60000 - (now_us - 60 * SECOND + 999) / 1000; /* younger than a period */
    if (young > 60000) young = 60000;
    if (young < 0) young = 0;
    assert_true(f.window.held >= young);
    assert_true(f.window.held <= young + 40);
  }
  free(f.cells);
}

static void test_exact_at_the_bound(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, MR_WINDOW_MAX, SECOND, 0);
  for (int64_t i = 0; i < MR_WINDOW_MAX; i++)
    use(&f, 1, i);
  assert_int_equal(ready(&f, 1, MR_WINDOW_MAX), f.window.hold_us);
  assert_int_equal(f.window.held, MR_WINDOW_MAX);
  mr_window_release(&f.window, f.cells, f.window.hold_us + 9);
  assert_int_equal(f.window.held, MR_WINDOW_MAX - 10);
  free(f.cells);
}

static void test_the_ring_goes_round(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 5, 1000, 0);
  int64_t now_us = 0;
  for (int i = 0; i < 1000; i++) {
    now_us = ready(&f, 1, now_us);
    use(&f, 1, now_us);
    assert_true(f.window.held <= 5);
  }
  assert_true(now_us >= 199 * 1000 && now_us <= 201 * 1000);
  free(f.cells);
}

static void test_estimate_is_a_lower_bound(void **state) {
  (void)state;
  for (int64_t ahead = 0; ahead < 200; ahead += 7) {
    struct fixture f;
    open_window(&f, 20, SECOND, 0);
    for (int i = 0; i < 15; i++)
      use(&f, 1, i * 1000);
    int64_t promised_us = mr_window_estimate(&f.window, f.cells, ahead, 1, 0, 20000);
    int64_t now_us = 20000;
    for (int64_t i = 0; i <= ahead; i++) {
      for (int64_t at_us; (at_us = ready(&f, 1, now_us)) > now_us;)
        now_us = at_us;
      use(&f, 1, now_us);
    }
    assert_true(promised_us <= now_us);
    assert_true(now_us - promised_us < 120000 + ahead * 200);
    free(f.cells);
  }
}

static void test_foreign_units_lower_and_go(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 40, SECOND, 0);
  mr_window_learn(&f.window, 5, SECOND, 0, 1);
  assert_int_equal(mr_window_free(&f.window, 0), 5);
  for (int i = 0; i < 5; i++)
    use(&f, 1, 10);
  assert_int_equal(ready(&f, 1, 10), SECOND);
  assert_int_equal(ready(&f, 1, SECOND), SECOND);
  mr_window_learn(&f.window, 1000, 2 * SECOND, 5, 2);
  assert_int_equal(mr_window_free(&f.window, 0), 35);
  free(f.cells);
}

static void test_an_older_word_may_only_lower(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 40, SECOND, 0);
  mr_window_learn(&f.window, 10, SECOND, 0, 5);
  mr_window_learn(&f.window, 20, SECOND, 0, 4);
  assert_int_equal(mr_window_free(&f.window, 0), 10);
  mr_window_learn(&f.window, 7, SECOND, 0, 4);
  assert_int_equal(mr_window_free(&f.window, 0), 7);
  mr_window_learn(&f.window, 20, SECOND, 0, 6);
  assert_int_equal(mr_window_free(&f.window, 0), 20);
  free(f.cells);
}

static void test_renewing_frees_after_silence_only(void **state) {
  (void)state;
  struct fixture f;
  struct mr_window_limit limit = {.count = 10, .period_us = SECOND};
  mr_window_init(&f.window, &limit, 0, true);
  f.cells = calloc(f.window.capacity, sizeof(*f.cells));
  for (int64_t i = 0; i < 10; i++)
    use(&f, 1, i * 900000);
  assert_int_equal(ready(&f, 1, 9 * 900000), 9 * 900000 + f.window.hold_us);
  free(f.cells);
}

static void test_adoption_keeps_the_newest(void **state) {
  (void)state;
  struct fixture old, small;
  open_window(&old, 100, SECOND, 0);
  open_window(&small, 10, SECOND, 0);
  for (int64_t i = 0; i < 50; i++)
    use(&old, 1, i * 100);
  mr_window_adopt(&small.window, small.cells, &old.window, old.cells);
  assert_int_equal(small.window.held, 10);
  assert_int_equal(ready(&small, 1, 5000), 4000 + small.window.hold_us);
  assert_int_equal(old.window.held, 50);
  free(old.cells);
  free(small.cells);
}

static void test_shift(void **state) {
  (void)state;
  struct fixture f;
  open_window(&f, 3, SECOND, 0);
  for (int64_t i = 0; i < 3; i++)
    use(&f, 1, i * 100);
  mr_window_shift(&f.window, f.cells, -5000);
  assert_int_equal(ready(&f, 1, 300), f.window.hold_us - 5000);
  free(f.cells);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_exactly_the_count),
                                     cmocka_unit_test(test_the_rest_is_spaced_after_a_burst),
                                     cmocka_unit_test(test_a_burst_comes_back_after_silence),
                                     cmocka_unit_test(test_burst_of_one_spaces_from_the_start),
                                     cmocka_unit_test(test_weights),
                                     cmocka_unit_test(test_pending_units_count_and_have_no_time),
                                     cmocka_unit_test(test_cells_err_on_the_safe_side),
                                     cmocka_unit_test(test_exact_at_the_bound),
                                     cmocka_unit_test(test_the_ring_goes_round),
                                     cmocka_unit_test(test_estimate_is_a_lower_bound),
                                     cmocka_unit_test(test_foreign_units_lower_and_go),
                                     cmocka_unit_test(test_an_older_word_may_only_lower),
                                     cmocka_unit_test(test_renewing_frees_after_silence_only),
                                     cmocka_unit_test(test_adoption_keeps_the_newest),
                                     cmocka_unit_test(test_shift)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
