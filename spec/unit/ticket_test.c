#include "limiter_world.h"

static int64_t remaining(struct mr_bucket *bucket) {
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  return view.remaining[0];
}

static struct mr_ticket *granted(struct world *world, struct mr_bucket *bucket,
                                 struct mr_ticket *ticket) {
  *ticket = ticket_for(bucket);
  enter(world, ticket);
  assert_int_equal(ticket->state, MR_TICKET_GRANTED);
  return ticket;
}

static void test_default_counts_from_the_send(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(1, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket first, second = ticket_for(bucket);
  granted(&world, bucket, &first);
  world.clock.now_us += 10 * MR_SECOND; /* a slow connection */
  assert_int_equal(remaining(bucket), 0);
  mr_ticket_sent(world.queue, &first);
  int64_t sent_us = world.clock.now_us;
  enter(&world, &second);
  assert_ptr_equal(await(&world), &second);
  assert_true(world.clock.now_us > sent_us + MR_SECOND);
  assert_true(world.clock.now_us < sent_us + MR_SECOND + 8000);
  assert_int_equal(first.state, MR_TICKET_SENT);
  mr_ticket_cancel(world.queue, &first);
  mr_ticket_cancel(world.queue, &second);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_strict_counts_from_the_answer(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(1, MR_SECOND);
  limits.strict = true;
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket first, second = ticket_for(bucket), third = ticket_for(bucket);
  granted(&world, bucket, &first);
  mr_ticket_sent(world.queue, &first);
  enter(&world, &second);
  assert_null(await(&world));
  world.clock.now_us += 3 * MR_SECOND;
  mr_ticket_answered(world.queue, &first);
  int64_t answered_us = world.clock.now_us;
  assert_ptr_equal(await(&world), &second);
  assert_true(world.clock.now_us > answered_us + MR_SECOND);
  assert_true(world.clock.now_us < answered_us + MR_SECOND + 1000);
  mr_ticket_closed(world.queue, &first);
  mr_ticket_sent(world.queue, &second);
  world.clock.now_us += 2 * MR_SECOND;
  mr_ticket_closed(world.queue, &second); /* without an answer: the connection closed */
  int64_t closed_us = world.clock.now_us;
  enter(&world, &third);
  assert_ptr_equal(await(&world), &third);
  assert_true(world.clock.now_us > closed_us + MR_SECOND);
  mr_ticket_cancel(world.queue, &third);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_what_never_left_is_given_back(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(1, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket first, waiting = ticket_for(bucket);
  granted(&world, bucket, &first);
  enter(&world, &waiting);
  mr_ticket_closed(world.queue, &first); /* the connection could not be made */
  assert_ptr_equal(next(&world), &waiting);
  mr_ticket_cancel(world.queue, &waiting);
  assert_int_equal(remaining(bucket), 1);
  assert_int_equal(waiting.state, MR_TICKET_IDLE);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_cancel_in_every_state(void **state) {
  (void)state;
  for (int steps = 0; steps <= 4; steps++) {
    struct world world;
    world_open(&world);
    struct mr_bucket_limits limits = limits_of(2, MR_SECOND);
    limits.concurrent = 2;
    limits.strict = steps % 2;
    struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
    struct mr_ticket ticket = ticket_for(bucket);
    if (steps > 0) enter(&world, &ticket);
    if (steps > 1) mr_ticket_sent(world.queue, &ticket);
    if (steps > 2) mr_ticket_answered(world.queue, &ticket);
    if (steps > 3) mr_ticket_closed(world.queue, &ticket);
    mr_ticket_cancel(world.queue, &ticket);
    assert_int_equal(ticket.state, MR_TICKET_IDLE);
    mr_ticket_cancel(world.queue, &ticket);
    assert_int_equal(remaining(bucket), steps > 1 ? 1 : 2);
    struct mr_bucket_view view;
    mr_bucket_look(bucket, &view);
    assert_int_equal(view.running, 0);
    mr_bucket_release(bucket);
    world_close(&world);
  }
}

static void test_a_ticket_serves_hop_after_hop(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(3, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket ticket;
  granted(&world, bucket, &ticket);
  mr_ticket_sent(world.queue, &ticket);
  mr_ticket_answered(world.queue, &ticket);
  enter(&world, &ticket); /* the next hop, before the first was closed */
  finish(&world, &ticket);
  assert_int_equal(remaining(bucket), 1);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 0);
  mr_bucket_release(bucket);
  world_close(&world);
}

static int64_t hold_after(int64_t fast_us, int64_t slow_us) {
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(100, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  for (int i = 0; i < 20; i++) {
    struct mr_ticket ticket;
    granted(&world, bucket, &ticket);
    mr_ticket_sent(world.queue, &ticket);
    world.clock.now_us += i % 2 ? slow_us : fast_us;
    mr_ticket_answered(world.queue, &ticket);
    mr_ticket_closed(world.queue, &ticket);
  }
  world.clock.now_us += 10 * MR_SECOND;
  struct mr_ticket ticket;
  granted(&world, bucket, &ticket);
  mr_ticket_sent(world.queue, &ticket);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  mr_ticket_cancel(world.queue, &ticket);
  mr_bucket_release(bucket);
  world_close(&world);
  return view.reset_us[0] - MR_SECOND;
}

/* The margin is the spread of the latencies, at least what a busy machine is late by, at most a 40th. */
static void test_the_margin_follows_the_latencies(void **state) {
  (void)state;
  assert_int_equal(hold_after(1000, 1000), 7500 + 101);
  assert_int_equal(hold_after(40000, 60000), 20000 + 101);
  assert_int_equal(hold_after(1000, 900000), 25000 + 101);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_default_counts_from_the_send),
                                     cmocka_unit_test(test_strict_counts_from_the_answer),
                                     cmocka_unit_test(test_what_never_left_is_given_back),
                                     cmocka_unit_test(test_cancel_in_every_state),
                                     cmocka_unit_test(test_a_ticket_serves_hop_after_hop),
                                     cmocka_unit_test(test_the_margin_follows_the_latencies)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
