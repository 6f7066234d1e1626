/*
** What the parts of the limiter know of each other: limiter.c keeps the buckets, queue.c, gate.c and lane.c the order of
** those who wait, ticket.c the life of a slot, learn.c what the server says, limiter_remote.c what other machines do.
** Nobody else includes this.
*/
#ifndef MR_LIMITER_PARTS_H
#define MR_LIMITER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "bucket.h"
#include "fork_mark.h"
#include "hash_table.h"
#include "limiter.h"
#include "limiter_remote.h"
#include "limiter_shared.h"

struct mr_limiter {
  struct mr_clock clock;
  pthread_mutex_t lock; /* everything in this process; taken before the lock of a shared file */
  struct mr_hash_table buckets;
  struct mr_shared *shared; /* NULL: a local limiter */
  struct mr_remote *remote; /* NULL: no other machine takes part */
  enum mr_sharing sharing;
  bool settled; /* 'sharing' was put into effect: it stays */
  struct mr_fork_mark mark;
  uint32_t references;     /* whoever opened it, its buckets in use, its queues */
  uint32_t purge_at;       /* so many buckets make it look for forgotten ones */
  atomic_uint queues;      /* more than one: somebody else may free a slot */
  struct mr_error trouble; /* to be told */
  /* For a bucket whose file is lost and for which there is no memory. */
  struct mr_bucket_state stand_in;
};

struct mr_bucket {
  struct mr_hash_link link;
  struct mr_limiter *limiter;
  struct mr_bucket_state *state;  /* valid between begin and end */
  struct mr_bucket_state *own;    /* in this process; NULL when shared */
  struct mr_shared_entry *entry;  /* in the file; NULL when not */
  struct mr_bucket_limits limits; /* as this process gave them last */
  uint32_t references;            /* 0: kept for its history alone */
  atomic_uint queued;             /* tickets of all queues of this process */
  int64_t told_limit;             /* what the server's limit is said to be, as was told last; -1 */
  bool told_garbage;
  char key[];
};

/* Between the two the states of these buckets may be read and changed. */
void mr_limiter_begin(struct mr_limiter *limiter, struct mr_bucket *const *buckets,
                      uint32_t bucket_count);
void mr_limiter_end(struct mr_limiter *limiter);

/* Takes the slots of all buckets or none. On failure *blocker is the index of the bucket that will be ready last, and
** *ready_us tells when to look again; MR_NEVER: after an event. */
bool mr_limiter_take(struct mr_limiter *limiter, struct mr_ticket *ticket, int64_t now_us,
                     uint32_t *blocker, int64_t *ready_us);
/* A time before which the ticket cannot have its slots behind 'ahead' other units. */
int64_t mr_limiter_estimate(struct mr_limiter *limiter, const struct mr_ticket *ticket,
                            int64_t ahead, int64_t now_us);
/* False when no other machine takes part. */
bool mr_limiter_look_elsewhere(struct mr_limiter *limiter, const struct mr_ticket *ticket,
                               struct mr_remote_view *view);
/* Can anyone else free a slot, without an event in this queue? */
bool mr_limiter_is_shared(const struct mr_limiter *limiter);

/* Of the buckets that it names, in their order. */
static inline uint64_t mr_ticket_hash(const struct mr_ticket *ticket) {
  uint64_t hash = ticket->bucket_count;
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    hash = mr_hash_mix(hash, (uintptr_t)ticket->buckets[i]);
  return hash;
}

static inline int64_t mr_ticket_units(const struct mr_ticket *ticket) {
  return ticket->weight > 0 ? ticket->weight : 1;
}

void mr_limiter_retain(struct mr_limiter *limiter);

/* Something happened in the ticket's buckets: whoever waits there for an event looks again, and when it 'freed' a slot
** so does everyone. */
void mr_queue_rearm(struct mr_queue *queue, const struct mr_ticket *ticket, bool freed);
/* Queued before, idle after. */
void mr_queue_leave(struct mr_queue *queue, struct mr_ticket *ticket);
struct mr_limiter *mr_queue_limiter(const struct mr_queue *queue);
const struct mr_clock *mr_queue_clock(const struct mr_queue *queue);

#endif
