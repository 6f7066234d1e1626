#include "failing_allocator.h"
#include "limiter_world.h"

static uint32_t queued_at(struct mr_bucket *bucket) {
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  return view.queued;
}

static struct mr_bucket_limits one_per_second(void) {
  return limits_of(1, MR_SECOND);
}

static void test_first_come_first_served(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = one_per_second();
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket tickets[5];
  for (int i = 0; i < 5; i++) {
    tickets[i] = ticket_for(bucket);
    enter(&world, &tickets[i]);
    assert_int_equal(tickets[i].state, i == 0 ? MR_TICKET_GRANTED : MR_TICKET_QUEUED);
  }
  assert_int_equal(queued_at(bucket), 4);
  finish(&world, &tickets[0]);
  int64_t start_us = world.clock.now_us;
  for (int i = 1; i < 5; i++) {
    assert_ptr_equal(await(&world), &tickets[i]);
    assert_int_equal(tickets[i].state, MR_TICKET_GRANTED);
    assert_true(world.clock.now_us - start_us >= i * MR_SECOND);
    assert_true(world.clock.now_us - start_us <= i * (MR_SECOND + 8000));
    finish(&world, &tickets[i]);
  }
  assert_null(await(&world));
  assert_int_equal(mr_queue_wake_us(world.queue), MR_NEVER);
  mr_bucket_release(bucket);
  world_close(&world);
}

/* Enters tickets behind a used-up bucket and writes the order in which they come out. */
static void order_of(struct world *world, struct mr_bucket *bucket, struct mr_ticket *tickets,
                     int count, char *order) {
  drain(world, bucket);
  for (int i = 0; i < count; i++)
    enter(world, &tickets[i]);
  for (int i = 0; i < count; i++) {
    struct mr_ticket *ticket = await(world);
    assert_non_null(ticket);
    order[i] = *(const char *)ticket->owner;
    finish(world, ticket);
  }
  order[count] = '\0';
}

static void test_priorities_and_jumpers(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = one_per_second();
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket tickets[7];
  const char names[] = "lnNhHJj";
  for (int i = 0; i < 7; i++) {
    tickets[i] = ticket_for(bucket);
    tickets[i].owner = (void *)(uintptr_t)&names[i];
  }
  tickets[0].priority = MR_PRIORITY_LOW;
  tickets[3].priority = tickets[4].priority = MR_PRIORITY_HIGH;
  tickets[5].jump = tickets[6].jump = true;
  char order[8];
  order_of(&world, bucket, tickets, 7, order);
  assert_string_equal(order, "hHJjnNl");
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_tasks_in_turn(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = one_per_second();
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket tickets[9];
  const char names[] = "aaaaabbbc";
  for (int i = 0; i < 9; i++) {
    tickets[i] = ticket_for(bucket);
    tickets[i].owner = (void *)(uintptr_t)&names[i];
    tickets[i].task = (uint64_t)names[i];
  }
  char order[10];
  order_of(&world, bucket, tickets, 9, order);
  assert_string_equal(order, "abcababaa");
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_other_buckets_do_not_wait(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = one_per_second();
  struct mr_bucket *a = world_bucket(&world, "a", &limits), *b = world_bucket(&world, "b", &limits);
  struct mr_ticket waiting[3], free_ticket = ticket_for(b);
  drain(&world, a);
  for (int i = 0; i < 3; i++) {
    waiting[i] = ticket_for(a);
    enter(&world, &waiting[i]);
  }
  enter(&world, &free_ticket);
  assert_int_equal(free_ticket.state, MR_TICKET_GRANTED);
  finish(&world, &free_ticket);
  for (int i = 0; i < 3; i++)
    mr_ticket_cancel(world.queue, &waiting[i]);
  mr_bucket_release(a);
  mr_bucket_release(b);
  world_close(&world);
}

/* Two kinds of requests pass the organization's bucket, one of them another one too: they share it evenly. */
static void test_lanes_share_a_bucket_fairly(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits tight = limits_of(10, MR_SECOND), wide = limits_of(1000, MR_SECOND);
  struct mr_bucket *org = world_bucket(&world, "org", &tight);
  struct mr_bucket *deploy = world_bucket(&world, "deploy", &wide);
  static struct mr_ticket tickets[200];
  drain(&world, org);
  for (int i = 0; i < 200; i++) {
    tickets[i] = ticket_for(org);
    if (i >= 100) tickets[i].buckets[tickets[i].bucket_count++] = deploy;
    enter(&world, &tickets[i]);
  }
  int plain = 0;
  for (int i = 0; i < 100; i++) {
    struct mr_ticket *ticket = await(&world);
    plain += ticket->bucket_count == 1;
    finish(&world, ticket);
  }
  assert_int_equal(plain, 50);
  for (int i = 0; i < 200; i++)
    mr_ticket_cancel(world.queue, &tickets[i]);
  mr_bucket_release(org);
  mr_bucket_release(deploy);
  world_close(&world);
}

static void test_all_or_nothing(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits one = one_per_second(), many = limits_of(100, MR_SECOND);
  struct mr_bucket *a = world_bucket(&world, "a", &one), *b = world_bucket(&world, "b", &many);
  struct mr_bucket_view view;
  drain(&world, a);
  struct mr_ticket ticket = ticket_for(b);
  ticket.buckets[ticket.bucket_count++] = a;
  enter(&world, &ticket);
  assert_int_equal(ticket.state, MR_TICKET_QUEUED);
  mr_bucket_look(b, &view);
  assert_int_equal(view.remaining[0], 100);
  assert_int_equal(view.queued, 1);
  assert_ptr_equal(await(&world), &ticket);
  mr_bucket_look(b, &view);
  assert_int_equal(view.remaining[0], 99);
  assert_int_equal(view.queued, 0);
  assert_true(view.waited_us >= MR_SECOND);
  finish(&world, &ticket);
  mr_bucket_release(a);
  mr_bucket_release(b);
  world_close(&world);
}

static void test_a_bucket_named_twice_counts_once(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(3, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket ticket = ticket_for(bucket);
  ticket.buckets[ticket.bucket_count++] = bucket;
  enter(&world, &ticket);
  finish(&world, &ticket);
  assert_int_equal(drain(&world, bucket), 2);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_no_bucket_no_wait(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_ticket ticket = {.deadline_us = MR_NEVER};
  enter(&world, &ticket);
  assert_int_equal(ticket.state, MR_TICKET_GRANTED);
  finish(&world, &ticket);
  world_close(&world);
}

static void test_concurrency(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = {.concurrent = 2};
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket tickets[3];
  for (int i = 0; i < 3; i++) {
    tickets[i] = ticket_for(bucket);
    enter(&world, &tickets[i]);
  }
  assert_int_equal(tickets[2].state, MR_TICKET_QUEUED);
  assert_true(mr_queue_wake_us(world.queue) == MR_NEVER);
  assert_null(next(&world));
  mr_ticket_sent(world.queue, &tickets[0]);
  mr_ticket_answered(world.queue, &tickets[0]);
  assert_null(next(&world));
  mr_ticket_closed(world.queue, &tickets[0]);
  assert_ptr_equal(next(&world), &tickets[2]);
  finish(&world, &tickets[1]);
  finish(&world, &tickets[2]);
  mr_bucket_release(bucket);
  world_close(&world);
}

/* Somebody else's answer brings no event here: a queue that shares its limiter looks again by itself. */
static void test_two_queues_of_one_limiter(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_queue *other = mr_queue_open(world.limiter, &world.clock.clock, 2);
  struct mr_bucket_limits limits = {.concurrent = 1};
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket mine = ticket_for(bucket), theirs = ticket_for(bucket);
  int64_t retry_after_us;
  assert_int_equal(mr_queue_enter(other, &theirs, &retry_after_us, NULL), MR_NONE);
  enter(&world, &mine);
  assert_int_equal(mine.state, MR_TICKET_QUEUED);
  mr_ticket_sent(other, &theirs);
  mr_ticket_closed(other, &theirs);
  assert_ptr_equal(await(&world), &mine);
  assert_true(world.clock.now_us <= 5 * MR_SECOND + 10 * MR_MILLISECOND);
  finish(&world, &mine);
  mr_queue_close(other);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_what_cannot_fit_fails_at_once(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket ticket = ticket_for(bucket);
  struct mr_error error = {0};
  int64_t retry_after_us = -1;
  drain(&world, bucket);
  ticket.deadline_us = world.clock.now_us + MR_SECOND / 2;
  assert_int_equal(mr_queue_enter(world.queue, &ticket, &retry_after_us, &error), MR_THROTTLED);
  assert_true(retry_after_us >= MR_SECOND && retry_after_us < MR_SECOND + 10000);
  assert_int_equal(ticket.state, MR_TICKET_IDLE);
  assert_int_equal(queued_at(bucket), 0);
  world.clock.now_us += retry_after_us;
  ticket.deadline_us = world.clock.now_us;
  enter(&world, &ticket);
  assert_int_equal(ticket.state, MR_TICKET_GRANTED);
  finish(&world, &ticket);
  mr_bucket_release(bucket);
  world_close(&world);
}

/* The 30th of a task at ten a second can tell that it will have to wait for three more. */
static void test_those_ahead_count(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  static struct mr_ticket tickets[31];
  int64_t retry_after_us = -1;
  drain(&world, bucket);
  for (int i = 0; i < 30; i++) {
    tickets[i] = ticket_for(bucket);
    enter(&world, &tickets[i]);
  }
  tickets[30] = ticket_for(bucket);
  tickets[30].deadline_us = world.clock.now_us + 3 * MR_SECOND;
  assert_int_equal(mr_queue_enter(world.queue, &tickets[30], &retry_after_us, NULL), MR_THROTTLED);
  assert_true(retry_after_us > 39 * MR_SECOND / 10 && retry_after_us < 42 * MR_SECOND / 10);
  tickets[30].priority = MR_PRIORITY_HIGH;
  enter(&world, &tickets[30]);
  assert_ptr_equal(await(&world), &tickets[30]);
  for (int i = 0; i < 31; i++)
    mr_ticket_cancel(world.queue, &tickets[i]);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_what_stops_fitting_is_handed_out(void **state) {
  (void)state;
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = {.concurrent = 1};
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  struct mr_ticket holder = ticket_for(bucket), waiting = ticket_for(bucket);
  enter(&world, &holder);
  waiting.deadline_us = world.clock.now_us + MR_SECOND;
  enter(&world, &waiting);
  int64_t retry_after_us = -1;
  world.clock.now_us += MR_SECOND;
  assert_null(mr_queue_next(world.queue, &retry_after_us));
  assert_int_equal(mr_queue_wake_us(world.queue), waiting.deadline_us + 1);
  world.clock.now_us++;
  assert_ptr_equal(mr_queue_next(world.queue, &retry_after_us), &waiting);
  assert_int_equal(waiting.state, MR_TICKET_IDLE);
  assert_true(retry_after_us >= 0);
  assert_int_equal(queued_at(bucket), 0);
  mr_ticket_cancel(world.queue, &holder);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void fill(struct world *world, struct mr_bucket *bucket, struct mr_ticket *tickets,
                 size_t count) {
  for (size_t i = 0; i < count; i++) {
    tickets[i] = ticket_for(bucket);
    tickets[i].task = i; /* the dearest case: every request is a task of its own */
    tickets[i].deadline_us = world->clock.now_us + (int64_t)(2 * count * MR_SECOND);
    enter(world, &tickets[i]);
    assert_int_equal(tickets[i].state, MR_TICKET_QUEUED);
  }
}

static void test_a_million_wait_and_one_more_does_not(void **state) {
  (void)state;
  struct failing_allocator memory;
  struct mr_ticket *tickets = calloc(MR_QUEUE_MAX + 1, sizeof(*tickets));
  assert_non_null(tickets);
  failing_allocator_install(&memory);
  struct world world;
  world_open(&world);
  struct mr_bucket_limits limits = one_per_second();
  struct mr_bucket *bucket = world_bucket(&world, "a", &limits);
  drain(&world, bucket);
  size_t before = memory.live_bytes;
  fill(&world, bucket, tickets, MR_QUEUE_MAX);
  size_t each = (memory.live_bytes - before) / MR_QUEUE_MAX;
  print_message("a queued request takes %zu bytes\n", each);
  assert_true(each <= 200);
  struct mr_error error = {0};
  int64_t retry_after_us;
  tickets[MR_QUEUE_MAX] = ticket_for(bucket);
  assert_int_equal(mr_queue_enter(world.queue, &tickets[MR_QUEUE_MAX], &retry_after_us, &error),
                   MR_LIMIT);
  assert_non_null(strstr(error.message, "1000000"));
  for (size_t i = 0; i < MR_QUEUE_MAX; i += 2)
    mr_ticket_cancel(world.queue, &tickets[i]);
  for (size_t i = 1; i < MR_QUEUE_MAX; i += 2)
    if (i % 1000 != 1) mr_ticket_cancel(world.queue, &tickets[i]);
  for (size_t i = 1; i < MR_QUEUE_MAX; i += 1000) {
    assert_ptr_equal(await(&world), &tickets[i]);
    finish(&world, &tickets[i]);
  }
  assert_int_equal(queued_at(bucket), 0);
  mr_bucket_release(bucket);
  world_close(&world);
  failing_allocator_remove(&memory);
  free(tickets);
}

static void work_without_memory(void) {
  struct mr_virtual_clock clock;
  mr_virtual_clock_init(&clock, 0, WORLD_WALL_US);
  struct mr_limiter *limiter = mr_limiter_open(&clock.clock, NULL);
  struct mr_queue *queue = limiter ? mr_queue_open(limiter, &clock.clock, 1) : NULL;
  struct mr_bucket *a = NULL, *b = NULL;
  struct mr_bucket_limits limits = one_per_second();
  struct mr_error error = {0};
  if (queue && !mr_limiter_bucket(limiter, "a", &limits, &a, &error) &&
      !mr_limiter_bucket(limiter, "b", &limits, &b, &error)) {
    struct mr_ticket tickets[8];
    for (uint64_t i = 0; i < 8; i++) {
      int64_t retry_after_us;
      tickets[i] = ticket_for(a);
      if (i % 2) tickets[i].buckets[tickets[i].bucket_count++] = b;
      tickets[i].task = i;
      tickets[i].deadline_us = 100 * MR_SECOND;
      enum mr_kind kind = mr_queue_enter(queue, &tickets[i], &retry_after_us, &error);
      assert_true(kind == MR_NONE || kind == MR_LIMIT);
      assert_int_equal(tickets[i].state == MR_TICKET_IDLE, kind != MR_NONE);
    }
    for (uint64_t i = 0; i < 8; i++)
      mr_ticket_cancel(queue, &tickets[i]);
    assert_int_equal(queued_at(a), 0);
  }
  mr_bucket_release(a);
  mr_bucket_release(b);
  mr_queue_close(queue);
  mr_limiter_close(limiter);
}

static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++)
    work_without_memory();
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_come_first_served),
                                     cmocka_unit_test(test_priorities_and_jumpers),
                                     cmocka_unit_test(test_tasks_in_turn),
                                     cmocka_unit_test(test_other_buckets_do_not_wait),
                                     cmocka_unit_test(test_lanes_share_a_bucket_fairly),
                                     cmocka_unit_test(test_all_or_nothing),
                                     cmocka_unit_test(test_a_bucket_named_twice_counts_once),
                                     cmocka_unit_test(test_no_bucket_no_wait),
                                     cmocka_unit_test(test_concurrency),
                                     cmocka_unit_test(test_two_queues_of_one_limiter),
                                     cmocka_unit_test(test_what_cannot_fit_fails_at_once),
                                     cmocka_unit_test(test_those_ahead_count),
                                     cmocka_unit_test(test_what_stops_fitting_is_handed_out),
                                     cmocka_unit_test(test_a_million_wait_and_one_more_does_not),
                                     cmocka_unit_test(test_every_allocation_fails_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
