#include "failing_allocator.h"
#include "limiter_world.h"

#include <pthread.h>

static void test_a_key_keeps_its_history(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(40, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "edgegap:deploy", &limits);
  assert_int_equal(drain(&world, bucket), 40);
  struct mr_bucket *again = world_bucket(&world, "edgegap:deploy", &limits);
  assert_ptr_equal(again, bucket);
  mr_bucket_release(again);
  mr_bucket_release(bucket);
  bucket = world_bucket(&world, "edgegap:deploy", &limits);
  assert_int_equal(drain(&world, bucket), 0);
  struct mr_bucket *other = world_bucket(&world, "edgegap:status", &limits);
  assert_int_equal(drain(&world, other), 40);
  mr_bucket_release(other);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_other_limits_take_effect(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits narrow = limits_of(10, MR_SECOND), wide = limits_of(25, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &narrow);
  assert_int_equal(drain(&world, bucket), 10);
  mr_bucket_release(world_bucket(&world, "a", &wide));
  assert_in_range(drain(&world, bucket), 14, 15);
  mr_bucket_release(world_bucket(&world, "a", &narrow));
  assert_int_equal(drain(&world, bucket), 0);
  struct mr_bucket_limits two = limits_of(1000, MR_SECOND / 2);
  two.windows[two.window_count++] = (struct mr_window_limit){.count = 30, .period_us = MR_SECOND};
  mr_bucket_release(world_bucket(&world, "a", &two));
  assert_in_range(drain(&world, bucket), 4, 5); /* the spacing remembers all 25 */
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_time_that_is_said_to_pass(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(40, 60 * MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_bucket *other = world_bucket(&world, "b", &limits);
  assert_int_equal(drain(&world, bucket), 40);
  assert_int_equal(drain(&world, other), 40);
  mr_bucket_pass(bucket, 30 * MR_SECOND);
  assert_int_equal(drain(&world, bucket), 0);
  mr_bucket_pass(bucket, 32 * MR_SECOND);
  assert_int_equal(drain(&world, bucket), 40);
  assert_int_equal(drain(&world, other), 0);
  mr_bucket_release(other);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_several_windows(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(100, 60 * MR_SECOND);
  limits.windows[limits.window_count++] =
      (struct mr_window_limit){.count = 250, .period_us = 3600 * MR_SECOND};
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_bucket_view view;
  assert_int_equal(drain(&world, bucket), 100);
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.remaining[0], 0);
  assert_int_equal(view.remaining[1], 150);
  world.clock.now_us += 200 * MR_SECOND;
  assert_int_equal(drain(&world, bucket), 100);
  world.clock.now_us += 200 * MR_SECOND;
  assert_int_equal(drain(&world, bucket), 50);
  mr_bucket_look(bucket, &view);
  assert_true(view.reset_us[1] > 3600 * MR_SECOND);
  assert_int_equal(view.granted, 250);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void assert_refused(const struct mr_bucket_limits *limits, const char *word) {
  struct world world;
  world_open(&world);
  struct mr_bucket *bucket = NULL;
  struct mr_error error = {0};
  assert_int_equal(mr_limiter_bucket(world.limiter, "key", limits, &bucket, &error), MR_LIMIT);
  assert_int_equal(error.kind, MR_LIMIT);
  assert_non_null(strstr(error.message, word));
  assert_non_null(strstr(error.message, "key"));
  assert_null(bucket);
  world_close(&world);
}

static void test_limits_out_of_range(void **state) {
  (void)state;
  const struct mr_window_limit bad[] = {{.count = 0, .period_us = MR_SECOND},
                                        {.count = -1, .period_us = MR_SECOND},
                                        {.count = INT64_MIN, .period_us = MR_SECOND},
                                        {.count = INT64_MAX, .period_us = MR_SECOND},
                                        {.count = 1, .period_us = 0},
                                        {.count = 1, .period_us = 999},
                                        {.count = 1, .period_us = -MR_SECOND},
                                        {.count = 1, .period_us = INT64_MAX}};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    struct mr_bucket_limits limits = {.windows = {{.count = 1, .period_us = MR_SECOND}, bad[i]},
                                      .window_count = 2};
    assert_refused(&limits, "window 2");
  }
  struct mr_bucket_limits limits = limits_of(1, MR_SECOND);
  limits.burst = -1;
  assert_refused(&limits, "burst");
  limits.burst = 0;
  limits.window_count = MR_BUCKET_WINDOWS + 1;
  assert_refused(&limits, "at most 4");
}

static void test_the_edges_of_the_range_are_good(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = {
      .windows = {{.count = 1, .period_us = MR_MILLISECOND},
                  {.count = INT64_C(1) << 53, .period_us = INT64_C(366) * 24 * 3600 * MR_SECOND},
                  {.count = MR_WINDOW_MAX, .period_us = MR_SECOND},
                  {.count = MR_WINDOW_MAX + 1, .period_us = MR_SECOND}},
      .window_count = 4,
      .burst = INT64_MAX};
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  assert_int_equal(drain(&world, bucket), 1);
  world.clock.now_us += 2 * MR_MILLISECOND;
  assert_int_equal(drain(&world, bucket), 1);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_a_bucket_without_windows(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = {.window_count = 0};
  struct mr_bucket *bucket = world_bucket(&world, "sandbox", &limits);
  for (int i = 0; i < 1000; i++) {
    struct mr_ticket ticket = ticket_for(bucket);
    enter(&world, &ticket);
    assert_int_equal(ticket.state, MR_TICKET_GRANTED);
    finish(&world, &ticket);
  }
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_a_weight_above_the_count_takes_the_whole_window(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(5, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket ticket = ticket_for(bucket);
  ticket.weight = 50;
  enter(&world, &ticket);
  assert_int_equal(ticket.state, MR_TICKET_GRANTED);
  finish(&world, &ticket);
  assert_int_equal(drain(&world, bucket), 0);
  world.clock.now_us += 2 * MR_SECOND;
  assert_int_equal(drain(&world, bucket), 5);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_forgotten_buckets_go(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(5, MR_SECOND);
  for (int i = 0; i < 20000; i++) {
    char key[32];
    snprintf(key, sizeof(key), "device:%d", i);
    struct mr_bucket *bucket = world_bucket(&world, key, &limits);
    drain(&world, bucket);
    mr_bucket_release(bucket);
    world.clock.now_us += 10 * MR_MILLISECOND;
  }
  assert_true(memory.live < 3000);
  world_close(&world);
  failing_allocator_remove(&memory);
}

struct crowd {
  struct world *world;
  struct mr_bucket *bucket;
  struct mr_queue *queue;
  int taken;
};

static void *crowd_run(void *argument) {
  struct crowd *crowd = argument;
  for (int i = 0; i < 2000; i++) {
    struct mr_ticket ticket = ticket_for(crowd->bucket);
    int64_t retry_after_us;
    mr_queue_enter(crowd->queue, &ticket, &retry_after_us, NULL);
    if (ticket.state == MR_TICKET_GRANTED) crowd->taken++;
    if (i % 3 == 0) mr_ticket_sent(crowd->queue, &ticket);
    if (ticket.state == MR_TICKET_GRANTED) crowd->taken--;
    mr_ticket_cancel(crowd->queue, &ticket);
  }
  return NULL;
}

static void test_threads_share_a_bucket(void **state) {
  (void)state;
  enum { THREADS = 4 };
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(500, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct crowd crowds[THREADS];
  pthread_t threads[THREADS];
  int taken = 0;
  for (int i = 0; i < THREADS; i++) {
    crowds[i] = (struct crowd){.world = &world, .bucket = bucket};
    crowds[i].queue = mr_queue_open(world.limiter, &world.clock.clock, (uint64_t)i);
    assert_int_equal(pthread_create(&threads[i], NULL, crowd_run, &crowds[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
    mr_queue_close(crowds[i].queue);
    taken += crowds[i].taken;
  }
  assert_int_equal(taken, 500);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 0);
  assert_int_equal(view.remaining[0], 0);
  mr_bucket_release(bucket);
  world_close(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_key_keeps_its_history),
      cmocka_unit_test(test_other_limits_take_effect),
      cmocka_unit_test(test_time_that_is_said_to_pass),
      cmocka_unit_test(test_several_windows),
      cmocka_unit_test(test_limits_out_of_range),
      cmocka_unit_test(test_the_edges_of_the_range_are_good),
      cmocka_unit_test(test_a_bucket_without_windows),
      cmocka_unit_test(test_a_weight_above_the_count_takes_the_whole_window),
      cmocka_unit_test(test_forgotten_buckets_go),
      cmocka_unit_test(test_threads_share_a_bucket)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
