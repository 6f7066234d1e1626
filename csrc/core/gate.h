/*
** A bucket as one queue sees it: the lanes that are parked there because it was the
** bucket that keeps them waiting, and when it is worth another look. Only the best
** of them is looked at, so that a thousand lanes of one bucket cost what one does.
*/
#ifndef MR_GATE_H
#define MR_GATE_H

#include "hash_table.h"
#include "heap.h"
#include "lane.h"
#include "limiter_parts.h"
#include "random.h"

struct mr_gate {
  struct mr_hash_link link;
  struct mr_bucket *bucket;
  struct mr_heap lanes; /* parked here, the next to go first; has room for all 'users' */
  uint32_t users;       /* lanes that name the bucket */
  uint32_t place;       /* in the queue's heap of gates */
  int64_t wake_us;      /* MR_NEVER: after an event */
  int64_t swept_us;     /* no lane has a deadline before this time that was not looked at */
};

struct mr_queue {
  struct mr_limiter *limiter;
  const struct mr_clock *clock;
  struct mr_random random;
  struct mr_hash_table gates, lanes, lines;
  struct mr_heap wakes;     /* gates, the first to look at first */
  struct mr_heap deadlines; /* lanes */
  uint64_t turn;
  size_t size;
};

struct mr_gate *mr_gate_find(const struct mr_queue *queue, const struct mr_bucket *bucket);
/* Counts the lane as a user of each bucket's gate. MR_LIMIT: no memory, nothing changed. */
enum mr_kind mr_gate_open_all(struct mr_queue *queue, struct mr_lane *lane,
                              struct mr_bucket *const *buckets, uint32_t bucket_count);
void mr_gate_close_all(struct mr_queue *queue, struct mr_lane *lane);

void mr_gate_park(struct mr_gate *gate, struct mr_lane *lane);
void mr_gate_wake(struct mr_queue *queue, struct mr_gate *gate, int64_t wake_us);
bool mr_gate_wake_before(const void *a, const void *b);

#endif
