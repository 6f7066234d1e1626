/*
** A limiter, a queue and a clock that stands still, for tests of the limiter.
*/
#ifndef LIMITER_WORLD_H
#define LIMITER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/limiter.h"
#include "core/memory.h"

#define WORLD_WALL_US (INT64_C(1700000000) * MR_SECOND)

struct world {
  struct mr_virtual_clock clock;
  struct mr_limiter *limiter;
  struct mr_queue *queue;
};

static inline void world_open(struct world *world) {
  mr_virtual_clock_init(&world->clock, 5 * MR_SECOND, WORLD_WALL_US);
  world->limiter = mr_limiter_open(&world->clock.clock, NULL);
  assert_non_null(world->limiter);
  world->queue = mr_queue_open(world->limiter, &world->clock.clock, 1);
  assert_non_null(world->queue);
}

static inline void world_close(struct world *world) {
  mr_queue_close(world->queue);
  mr_limiter_close(world->limiter);
}

static inline struct mr_bucket *world_bucket(struct world *world, const char *key,
                                             const struct mr_bucket_limits *limits) {
  struct mr_bucket *bucket = NULL;
  struct mr_error error = {0};
  assert_int_equal(mr_limiter_bucket(world->limiter, key, limits, &bucket, &error), MR_NONE);
  return bucket;
}

static inline struct mr_bucket_limits limits_of(int64_t count, int64_t period_us) {
  return (struct mr_bucket_limits){.windows = {{.count = count, .period_us = period_us}},
                                   .window_count = 1};
}

static inline struct mr_ticket ticket_for(struct mr_bucket *bucket) {
  return (struct mr_ticket){.buckets = {bucket},
                            .bucket_count = 1,
                            .priority = MR_PRIORITY_NORMAL,
                            .deadline_us = MR_NEVER};
}

static inline void enter(struct world *world, struct mr_ticket *ticket) {
  struct mr_error error = {0};
  int64_t retry_after_us = -1;
  assert_int_equal(mr_queue_enter(world->queue, ticket, &retry_after_us, &error), MR_NONE);
}

static inline struct mr_ticket *next(struct world *world) {
  int64_t retry_after_us = -1;
  return mr_queue_next(world->queue, &retry_after_us);
}

/* Moves the clock to the queue's next wake as long as nothing is handed out; NULL when it would sleep for ever. */
static inline struct mr_ticket *await(struct world *world) {
  for (int looks = 0; looks < 1000000; looks++) {
    struct mr_ticket *ticket = next(world);
    if (ticket) return ticket;
    int64_t wake_us = mr_queue_wake_us(world->queue);
    if (wake_us == MR_NEVER) return NULL;
    assert_true(wake_us > world->clock.now_us);
    world->clock.now_us = wake_us;
  }
  fail_msg("the queue wakes without end");
  return NULL;
}

static inline void finish(struct world *world, struct mr_ticket *ticket) {
  mr_ticket_sent(world->queue, ticket);
  mr_ticket_answered(world->queue, ticket);
  mr_ticket_closed(world->queue, ticket);
  assert_int_equal(ticket->state, MR_TICKET_IDLE);
}

/* Takes slots until one has to wait, at the present moment; the last one is cancelled. */
static inline int drain(struct world *world, struct mr_bucket *bucket) {
  int taken = 0;
  for (;;) {
    struct mr_ticket ticket = ticket_for(bucket);
    enter(world, &ticket);
    if (ticket.state != MR_TICKET_GRANTED) {
      mr_ticket_cancel(world->queue, &ticket);
      return taken;
    }
    finish(world, &ticket);
    taken++;
  }
}

#endif
