/*
** Buckets in shared memory. A process may be killed at any instruction: what it
** was changing is undone by the next one that takes the lock, and what it held is
** released, counted as if it had just been used.
*/
#ifndef MR_LIMITER_SHARED_H
#define MR_LIMITER_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "limiter.h"

struct mr_shared;
struct mr_shared_entry;

/* NULL: the file cannot be used, *error (MR_IO) says why; or no memory (MR_LIMIT). */
struct mr_shared *mr_shared_open(const struct mr_clock *clock, const char *path,
                                 struct mr_error *error);
/* The same file once more, for a child of fork: what it was given is its parent's. */
struct mr_shared *mr_shared_open_again(const struct mr_shared *shared, struct mr_error *error);
void mr_shared_close(struct mr_shared *shared); /* every bucket was dropped */

/* false: the file is of no use any more, for ever; *error is filled in once. */
bool mr_shared_lock(struct mr_shared *shared, struct mr_error *error);
void mr_shared_unlock(struct mr_shared *shared);
bool mr_shared_is_broken(const struct mr_shared *shared);

/* Under the lock. Makes or finds the bucket of the key, with these limits. NULL: no room. */
struct mr_shared_entry *mr_shared_bucket(struct mr_shared *shared, const char *key,
                                         const struct mr_bucket_limits *limits);
bool mr_shared_set_limits(struct mr_shared *shared, struct mr_shared_entry *entry,
                          const struct mr_bucket_limits *limits);
void mr_shared_drop(struct mr_shared *shared, struct mr_shared_entry *entry);
/* How many processes have the bucket open, this one among them; needs no lock where one more or less does no harm. */
uint32_t mr_shared_users(const struct mr_shared_entry *entry);

/* Under the lock, from here to commit: the state of one bucket, at most MR_TICKET_BUCKETS, to be changed. */
struct mr_bucket_state *mr_shared_change(struct mr_shared *shared, struct mr_shared_entry *entry);
void mr_shared_commit(struct mr_shared *shared);
/* Outside of a change: now and then looks for processes that have died. */
void mr_shared_tick(struct mr_shared *shared, int64_t now_us);

#endif
