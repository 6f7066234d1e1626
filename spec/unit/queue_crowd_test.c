/* Whoever is granted, cancelled or fails in a random crowd: nobody is lost, the buckets balance. */
#include "limiter_world.h"

#include "core/random.h"

#define TICKETS 3000
#define BUCKETS 6

struct crowd {
  struct world world;
  struct mr_random random;
  struct mr_bucket *buckets[BUCKETS];
  struct mr_ticket tickets[TICKETS];
  int entered;    /* tickets that have been used */
  int open, done; /* of these: that wait or hold a slot, and the others */
};

static int64_t below(struct crowd *crowd, int64_t bound) {
  return mr_random_below(&crowd->random, bound);
}

static int64_t room_of(int bucket) {
  return 5 + bucket * 7;
}

static void open_crowd(struct crowd *crowd) {
  *crowd = (struct crowd){.entered = 0};
  mr_random_seed(&crowd->random, 11);
  world_open(&crowd->world);
  for (int i = 0; i < BUCKETS; i++) {
    struct mr_bucket_limits limits = limits_of(room_of(i), MR_SECOND / (1 + i % 3));
    limits.strict = i % 2;
    limits.concurrent = i == 3 ? 2 : 0;
    char key[] = {(char)('a' + i), 0};
    crowd->buckets[i] = world_bucket(&crowd->world, key, &limits);
  }
}

/* Long after the last one has left. */
static void close_crowd(struct crowd *crowd) {
  crowd->world.clock.now_us += 10 * MR_SECOND;
  for (int i = 0; i < BUCKETS; i++) {
    struct mr_bucket_view view;
    mr_bucket_look(crowd->buckets[i], &view);
    assert_int_equal(view.remaining[0], room_of(i));
    assert_int_equal(view.running, 0);
    assert_int_equal(view.queued, 0);
    mr_bucket_release(crowd->buckets[i]);
  }
  world_close(&crowd->world);
}

static void leave(struct crowd *crowd) {
  crowd->open--;
  crowd->done++;
}

static void enter_one(struct crowd *crowd) {
  struct mr_ticket *ticket = &crowd->tickets[crowd->entered++];
  *ticket = (struct mr_ticket){.priority = (uint8_t)below(crowd, 3),
                               .task = (uint64_t)below(crowd, 9),
                               .weight = (uint32_t)below(crowd, 4),
                               .jump = below(crowd, 5) == 0,
                               .deadline_us = MR_NEVER};
  if (below(crowd, 3) == 0)
    ticket->deadline_us = crowd->world.clock.now_us + below(crowd, 20 * MR_SECOND);
  ticket->bucket_count = (uint32_t)(1 + below(crowd, 3));
  for (uint32_t b = 0; b < ticket->bucket_count; b++)
    ticket->buckets[b] = crowd->buckets[below(crowd, BUCKETS)];
  int64_t retry_after_us;
  crowd->open++;
  if (mr_queue_enter(crowd->world.queue, ticket, &retry_after_us, NULL)) leave(crowd);
}

static void cancel_one(struct crowd *crowd) {
  struct mr_ticket *ticket = &crowd->tickets[below(crowd, crowd->entered)];
  if (ticket->state == MR_TICKET_IDLE) return;
  mr_ticket_cancel(crowd->world.queue, ticket);
  leave(crowd);
}

static void bring_one_on(struct crowd *crowd) {
  struct mr_ticket *ticket = &crowd->tickets[below(crowd, crowd->entered)];
  if (ticket->state == MR_TICKET_GRANTED) {
    mr_ticket_sent(crowd->world.queue, ticket);
  } else if (ticket->state == MR_TICKET_SENT) {
    mr_ticket_answered(crowd->world.queue, ticket);
  } else if (ticket->state == MR_TICKET_ANSWERED) {
    mr_ticket_closed(crowd->world.queue, ticket);
    leave(crowd);
  }
}

static void serve(struct crowd *crowd) {
  int64_t retry_after_us;
  crowd->world.clock.now_us += below(crowd, 3000);
  struct mr_ticket *ticket = mr_queue_next(crowd->world.queue, &retry_after_us);
  if (ticket && ticket->state == MR_TICKET_IDLE) leave(crowd);
}

static bool somebody_waits(struct crowd *crowd) {
  for (int i = 0; i < BUCKETS; i++) {
    struct mr_bucket_view view;
    mr_bucket_look(crowd->buckets[i], &view);
    if (view.queued > 0) return true;
  }
  return false;
}

/* A queue that is not to be looked at again waits for somebody who holds a slot. */
static void check_that_it_goes_on(struct crowd *crowd) {
  if (!somebody_waits(crowd) || mr_queue_wake_us(crowd->world.queue) != MR_NEVER) return;
  bool somebody_holds = false;
  for (int i = 0; i < crowd->entered && !somebody_holds; i++)
    somebody_holds = crowd->tickets[i].state > MR_TICKET_QUEUED;
  assert_true(somebody_holds);
}

static void test_random_crowd(void **state) {
  (void)state;
  static struct crowd crowd;
  open_crowd(&crowd);
  while (crowd.entered < TICKETS || crowd.open > 0) {
    if (crowd.entered < TICKETS && below(&crowd, 2))
      enter_one(&crowd);
    else if (crowd.entered > 0 && below(&crowd, 4) == 0)
      cancel_one(&crowd);
    else if (crowd.entered > 0)
      bring_one_on(&crowd);
    serve(&crowd);
    check_that_it_goes_on(&crowd);
  }
  assert_int_equal(crowd.done, TICKETS);
  assert_false(somebody_waits(&crowd));
  close_crowd(&crowd);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_crowd)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
