/*
** Limits that somebody else keeps, with a keeper that does what the test tells
** it, on a clock that stands still.
*/
#include "failing_allocator.h"
#include "limiter_world.h"
#include "obedient_keeper.h"

struct fixture {
  struct world world;
  struct mr_remote *remote;
  struct mr_bucket *bucket;
  struct mr_ticket ticket;
  struct mr_error trouble; /* what 'ready' told last */
};

static void open_fixture(struct fixture *f, enum mr_keeper_state state) {
  *f = (struct fixture){0};
  struct mr_bucket_limits limits = limits_of(100, MR_SECOND);
  keeper = (struct keeper){.state = state, .why = "it is away"};
  world_open(&f->world);
  f->bucket = world_bucket(&f->world, "a", &limits);
  f->ticket = ticket_for(f->bucket);
  assert_int_equal(
      mr_remote_open(&obedient_keeper_type, &f->world.clock.clock, "good", &f->remote, &f->trouble),
      MR_NONE);
}

static void close_fixture(struct fixture *f) {
  mr_remote_close(f->remote);
  assert_int_equal(keeper.closed, 1);
  mr_bucket_release(f->bucket);
  world_close(&f->world);
}

static int64_t now(const struct fixture *f) {
  return f->world.clock.now_us;
}

/* How long from now until the ticket may leave, or is to be looked at again. */
static int64_t wait_of(struct fixture *f, int64_t wanted) {
  f->trouble = (struct mr_error){0};
  return mr_remote_ready(f->remote, &f->ticket, wanted, now(f), &f->trouble) - now(f);
}

static void answer(struct fixture *f, int64_t wait_us, uint32_t count, const int64_t *after_us) {
  keeper.answer = (struct mr_keeper_answer){
      .tag = keeper.asked.tag, .wait_us = wait_us, .sharers = 4, .slot_count = count};
  for (uint32_t i = 0; i < count; i++)
    keeper.answer.slots_us[i] = now(f) + after_us[i];
  keeper.has_answer = true;
}

#define ANSWER(f, wait_us, ...)                                                                    \
  answer(f, wait_us, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static void take(struct fixture *f) {
  mr_remote_take(f->remote, &f->ticket, now(f));
}

static void test_a_place_that_is_not_there(void **state) {
  (void)state;
  struct mr_virtual_clock clock;
  struct mr_remote *remote = NULL;
  struct mr_error error = {0};
  struct mr_keeper_type old = obedient_keeper_type;
  mr_virtual_clock_init(&clock, 0, 0);
  assert_int_equal(mr_remote_open(&obedient_keeper_type, &clock.clock, "bad", &remote, &error),
                   MR_IO);
  assert_string_equal(error.message, "no such place");
  old.version++;
  assert_int_equal(mr_remote_open(&old, &clock.clock, "good", &remote, &error), MR_IO);
  assert_non_null(strstr(error.message, "moonrest.somebody is of another build"));
  assert_null(remote);
  mr_remote_close(NULL);
}

static void test_asks_for_what_waits(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  assert_int_equal(wait_of(&f, 3), MR_MILLISECOND); /* until there is an answer */
  assert_int_equal(keeper.asks, 1);
  assert_int_equal(keeper.asked.units, 3);
  assert_int_equal(keeper.asked.window_count, 1);
  assert_string_equal(keeper.key, "a");
  assert_int_equal(keeper.asked.windows[0].count, 100);
  assert_int_equal(keeper.asked.windows[0].period_us, MR_SECOND);
  assert_int_equal(keeper.asked.windows[0].hold_us, 1020 * MR_MILLISECOND);
  assert_int_equal(keeper.asked.windows[0].burst, 100);
  assert_int_equal(keeper.asked.horizon_us, MR_SECOND);
  assert_false(keeper.asked.careful);
  assert_int_equal(wait_of(&f, 3), MR_MILLISECOND);
  assert_int_equal(keeper.asks, 1); /* one at a time */
  ANSWER(&f, 0, 0, 20000, 40000);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(wait_of(&f, 1), 0);
    take(&f);
    f.world.clock.now_us += 20000;
  }
  assert_int_equal(keeper.asks, 1);
  assert_int_equal(wait_of(&f, 1), MR_MILLISECOND);
  assert_int_equal(keeper.asks, 2);
  close_fixture(&f);
}

/* A process takes no more ahead than a sixteenth of the window, so that others have some. */
static void test_asks_for_its_share_at_most(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  wait_of(&f, 1000000);
  assert_int_equal(keeper.asked.units, 100 / 16 + 1);
  close_fixture(&f);
}

static void test_a_slot_has_its_moment(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  wait_of(&f, 2);
  ANSWER(&f, 0, 30000, 60000);
  assert_int_equal(wait_of(&f, 2), 30000);
  f.world.clock.now_us += 30000 + 14000; /* three quarters of the margin of 20 ms are tolerated */
  assert_int_equal(wait_of(&f, 2), 0);
  f.world.clock.now_us += 1001; /* too late: the next one's moment */
  assert_int_equal(wait_of(&f, 1), 60000 - 45001);
  close_fixture(&f);
}

static void test_does_not_ask_before_it_makes_sense(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  wait_of(&f, 2);
  answer(&f, 500000, 0, NULL);
  assert_int_equal(wait_of(&f, 2), 500000);
  f.world.clock.now_us += 499999;
  assert_int_equal(wait_of(&f, 2), MR_MILLISECOND);
  assert_int_equal(keeper.asks, 1);
  f.world.clock.now_us += 1;
  wait_of(&f, 2);
  assert_int_equal(keeper.asks, 2);
  close_fixture(&f);
}

static void test_a_keeper_that_takes_no_ask(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  keeper.refuses = true;
  assert_int_equal(wait_of(&f, 1), MR_MILLISECOND);
  keeper.refuses = false;
  wait_of(&f, 1);
  assert_int_equal(keeper.asks, 1);
  close_fixture(&f);
}

static void test_waits_for_a_keeper_that_comes(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_COMING);
  assert_int_equal(wait_of(&f, 1), MR_MILLISECOND);
  assert_int_equal(keeper.asks, 0);
  assert_int_equal(f.trouble.kind, MR_NONE);
  keeper.state = MR_KEEPER_HERE;
  wait_of(&f, 1);
  assert_int_equal(keeper.asks, 1);
  assert_int_equal(f.trouble.kind, MR_NONE); /* it was never away: nothing to tell */
  close_fixture(&f);
}

/* Evenly, at the part of those who shared: 16 when nobody knows, else as it was heard last. */
static void test_goes_on_alone(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_AWAY);
  int64_t interval_us = MR_SECOND / 100 + 1;
  wait_of(&f, 1);
  assert_non_null(strstr(f.trouble.message, "it is away; requests go on"));
  for (int i = 0; i < 5; i++) {
    int64_t wait_us = wait_of(&f, 1);
    assert_int_equal(f.trouble.kind, MR_NONE); /* told once */
    f.world.clock.now_us += wait_us;
    assert_int_equal(wait_of(&f, 1), 0);
    take(&f);
    assert_int_equal(wait_of(&f, 1), 16 * interval_us);
  }
  keeper.state = MR_KEEPER_HERE;
  wait_of(&f, 1);
  assert_string_equal(f.trouble.message, "the limits are shared through somebody again");
  assert_true(keeper.asked.careful);
  ANSWER(&f, 0, 0);
  wait_of(&f, 1);
  take(&f);
  keeper.state = MR_KEEPER_AWAY;
  assert_int_equal(wait_of(&f, 1), 4 * interval_us); /* what was reserved may be used by now */
  assert_non_null(strstr(f.trouble.message, "it is away"));
  close_fixture(&f);
}

static void expect_refusal(struct world *world, struct mr_bucket *bucket, const char *words) {
  struct mr_ticket ticket = ticket_for(bucket);
  struct mr_error error = {0};
  int64_t retry_after_us = -1;
  ticket.deadline_us = world->clock.now_us + MR_SECOND;
  enter(world, &ticket);
  assert_int_equal(ticket.state, MR_TICKET_QUEUED);
  while (mr_queue_next(world->queue, &retry_after_us) != &ticket)
    world->clock.now_us = mr_queue_wake_us(world->queue);
  assert_int_equal(ticket.state, MR_TICKET_IDLE);
  assert_int_equal(mr_queue_explain(world->queue, &ticket, retry_after_us, &error), MR_THROTTLED);
  assert_non_null(strstr(error.message, words));
  assert_null(strstr(error.message, " 0.0 s"));
}

static void expect_refusal_by(enum mr_keeper_state state, const char *words) {
  struct world world;
  struct mr_bucket_limits limits = limits_of(100, 60 * MR_SECOND);
  keeper = (struct keeper){.state = state, .why = "it is away"};
  world_open(&world);
  assert_int_equal(mr_limiter_share_by(world.limiter, &obedient_keeper_type, "good", NULL),
                   MR_NONE);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  expect_refusal(&world, bucket, words);
  mr_bucket_release(bucket);
  world_close(&world);
}

/* A ticket that is given up hears why, and never that it should wait for no time at all. */
static void test_says_what_was_waited_for(void **state) {
  (void)state;
  expect_refusal_by(
      MR_KEEPER_AWAY,
      "somebody, which shares the limits, is away; the 1/16 of them that this process "
      "goes on with allows this request in 8.6 s at the earliest, and it may wait 1.0 s");
  expect_refusal_by(MR_KEEPER_COMING,
                    "somebody, which shares the limits, has not answered in the 1.0 s");
  expect_refusal_by(MR_KEEPER_HERE, "no slot in the 1.0 s that this request may wait, others were "
                                    "before it");
}

/* Slots that were reserved are not used while nobody counts, nor is what was asked waited for. */
static void test_forgets_slots_when_the_keeper_goes(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  wait_of(&f, 3);
  ANSWER(&f, 0, 0, 0, 0);
  assert_int_equal(wait_of(&f, 3), 0);
  keeper.state = MR_KEEPER_AWAY;
  assert_true(wait_of(&f, 3) > 0);
  keeper.state = MR_KEEPER_COMING;
  assert_true(wait_of(&f, 3) > 0); /* alone until it is here */
  keeper.state = MR_KEEPER_HERE;
  assert_int_equal(wait_of(&f, 3), MR_MILLISECOND);
  assert_int_equal(keeper.asks, 2);
  close_fixture(&f);
}

static void test_a_weight_takes_several_slots(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  f.ticket.weight = 3;
  wait_of(&f, 3);
  ANSWER(&f, 0, 0, 10000, 20000);
  assert_int_equal(wait_of(&f, 3), 10000 * 2);
  f.world.clock.now_us += 14000;
  assert_true(wait_of(&f, 3) > 0);
  f.world.clock.now_us += 1000;
  assert_int_equal(wait_of(&f, 3), 5000);
  f.world.clock.now_us += 5000; /* the first one's moment has passed, another is needed */
  assert_int_equal(wait_of(&f, 3), MR_MILLISECOND);
  assert_int_equal(keeper.asks, 2);
  ANSWER(&f, 0, 0);
  assert_int_equal(wait_of(&f, 3), 0);
  take(&f);
  f.ticket.weight = 1;
  assert_int_equal(wait_of(&f, 1), MR_MILLISECOND); /* all three were used */
  close_fixture(&f);
}

static void test_what_never_left_is_given_back(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  wait_of(&f, 2);
  ANSWER(&f, 0, 0, 5000);
  assert_int_equal(wait_of(&f, 1), 0);
  take(&f);
  f.ticket.granted_us = now(&f);
  assert_int_equal(wait_of(&f, 1), 5000);
  mr_remote_give_back(f.remote, &f.ticket);
  assert_int_equal(wait_of(&f, 1), 0);
  close_fixture(&f);
}

static void test_a_pause_is_told(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  wait_of(&f, 1);
  ANSWER(&f, 0, 0);
  wait_of(&f, 1);
  mr_remote_pause(f.remote, &f.ticket, 7 * MR_SECOND);
  assert_int_equal(keeper.asks, 2);
  assert_int_equal(keeper.asked.units, 0);
  assert_int_equal(keeper.asked.pause_us, 7 * MR_SECOND);
  keeper.state = MR_KEEPER_AWAY;
  wait_of(&f, 1);
  mr_remote_pause(f.remote, &f.ticket, 7 * MR_SECOND);
  assert_int_equal(keeper.asks, 2);
  close_fixture(&f);
}

static void test_windows_of_all_buckets(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  struct mr_bucket_limits limits = limits_of(10, 60 * MR_SECOND);
  limits.windows[limits.window_count++] =
      (struct mr_window_limit){.count = 50, .period_us = 3600 * MR_SECOND};
  limits.burst = 20;
  struct mr_bucket *second = world_bucket(&f.world, "b", &limits);
  f.ticket.buckets[f.ticket.bucket_count++] = second;
  wait_of(&f, 100);
  assert_int_equal(keeper.asked.window_count, 3);
  assert_string_equal(keeper.asked.windows[1].key, "b");
  assert_int_equal(keeper.asked.windows[1].burst, 10);
  assert_int_equal(keeper.asked.windows[2].burst, 20);
  assert_int_equal(keeper.asked.horizon_us, MR_SECOND); /* of the shortest */
  assert_int_equal(keeper.asked.units, 10 / 16 + 1);    /* of the narrowest */
  mr_bucket_release(second);
  close_fixture(&f);
}

static void test_no_window_no_question(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_AWAY);
  struct mr_bucket_limits limits = {.concurrent = 3};
  struct mr_bucket *free_one = world_bucket(&f.world, "free", &limits);
  f.ticket.buckets[0] = free_one;
  assert_int_equal(wait_of(&f, 1), 0);
  take(&f);
  mr_remote_give_back(f.remote, &f.ticket);
  mr_remote_pause(f.remote, &f.ticket, 1);
  assert_int_equal(wait_of(&f, 1), 0);
  assert_int_equal(keeper.asks, 0);
  mr_bucket_release(free_one);
  close_fixture(&f);
}

static void test_a_child_has_no_slots(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, MR_KEEPER_HERE);
  wait_of(&f, 2);
  ANSWER(&f, 0, 0, 0);
  assert_int_equal(wait_of(&f, 2), 0);
  mr_remote_forked(f.remote);
  assert_int_equal(keeper.forks, 1);
  assert_int_equal(wait_of(&f, 2), MR_MILLISECOND);
  assert_int_equal(keeper.asks, 2);
  close_fixture(&f);
}

/* One line each for thousands of keys: those that nobody uses go. */
static void test_many_lines(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  struct fixture f;
  struct mr_bucket_limits limits = limits_of(100, MR_SECOND);
  open_fixture(&f, MR_KEEPER_AWAY);
  size_t most = 0;
  for (int i = 0; i < 20000; i++) {
    char key[32];
    snprintf(key, sizeof(key), "device:%d", i);
    struct mr_bucket *bucket = world_bucket(&f.world, key, &limits);
    f.ticket.buckets[0] = bucket;
    wait_of(&f, 1);
    mr_bucket_release(bucket);
    f.world.clock.now_us += 10 * MR_SECOND;
    if (i == 9999) most = memory.peak_bytes;
  }
  assert_in_range(memory.peak_bytes, most, most + most / 10);
  close_fixture(&f);
  failing_allocator_remove(&memory);
}

/* Where there is no memory for a line a request waits, and looks again. */
static void test_out_of_memory(void **state) {
  (void)state;
  struct world world;
  struct mr_bucket_limits limits = limits_of(100, MR_SECOND);
  world_open(&world);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket ticket = ticket_for(bucket);
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  int rounds = 0;
  for (size_t n = 1; failing_allocator_next(&memory, n); n++, rounds++) {
    struct mr_error error = {0};
    struct mr_remote *remote = NULL;
    keeper = (struct keeper){.state = MR_KEEPER_AWAY, .why = "it is away"};
    if (mr_remote_open(&obedient_keeper_type, &world.clock.clock, "good", &remote, &error)) {
      assert_int_equal(error.kind, MR_LIMIT);
      continue;
    }
    int64_t ready_us = mr_remote_ready(remote, &ticket, 1, world.clock.now_us, &error);
    assert_in_range(ready_us, world.clock.now_us, world.clock.now_us + MR_SECOND);
    mr_remote_take(remote, &ticket, world.clock.now_us);
    mr_remote_give_back(remote, &ticket);
    mr_remote_pause(remote, &ticket, 1);
    mr_remote_close(remote);
  }
  assert_true(rounds >= 3);
  failing_allocator_remove(&memory);
  mr_bucket_release(bucket);
  world_close(&world);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_place_that_is_not_there),
                                     cmocka_unit_test(test_asks_for_what_waits),
                                     cmocka_unit_test(test_asks_for_its_share_at_most),
                                     cmocka_unit_test(test_a_slot_has_its_moment),
                                     cmocka_unit_test(test_does_not_ask_before_it_makes_sense),
                                     cmocka_unit_test(test_a_keeper_that_takes_no_ask),
                                     cmocka_unit_test(test_waits_for_a_keeper_that_comes),
                                     cmocka_unit_test(test_goes_on_alone),
                                     cmocka_unit_test(test_says_what_was_waited_for),
                                     cmocka_unit_test(test_forgets_slots_when_the_keeper_goes),
                                     cmocka_unit_test(test_a_weight_takes_several_slots),
                                     cmocka_unit_test(test_what_never_left_is_given_back),
                                     cmocka_unit_test(test_a_pause_is_told),
                                     cmocka_unit_test(test_windows_of_all_buckets),
                                     cmocka_unit_test(test_no_window_no_question),
                                     cmocka_unit_test(test_a_child_has_no_slots),
                                     cmocka_unit_test(test_many_lines),
                                     cmocka_unit_test(test_out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
