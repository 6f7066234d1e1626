/*
** Throttling. Buckets hold the slots: how many units were used in the last period, as the server counts them. A queue,
** one per engine, holds the requests that wait for slots in priority order.
**
** Buckets are shared by every engine of the process (and, behind the same
** interface, between processes and machines) and are safe to use from several threads;
** a queue belongs to one thread.
*/
#ifndef MR_LIMITER_H
#define MR_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "header.h"

#define MR_TICKET_BUCKETS 4     /* buckets that one operation may name */
#define MR_BUCKET_WINDOWS 4     /* windows of one bucket: a second, a minute, an hour, a day */
#define MR_WINDOW_MAX     65536 /* exact up to this count a window; larger ones are counted in cells */
#define MR_QUEUE_MAX      1000000 /* tickets waiting in one queue */
#define MR_FIELD_NAME     32      /* bytes of the name of a header field about limits */

struct mr_window_limit {
  int64_t count;     /* units in any period; at least 1 */
  int64_t period_us; /* at least 1 ms, at most 366 days */
};

struct mr_bucket_limits {
  struct mr_window_limit windows[MR_BUCKET_WINDOWS];
  uint32_t window_count; /* 0: no window */
  uint32_t concurrent;   /* requests at once; 0: no bound */
  bool strict;           /* hold a slot until a period after the answer, not after the send */
  int64_t burst; /* units that may leave at once; 0: the window's count. Spaces the rest evenly. */
  /* The server's counter starts afresh only after a whole period without a request. */
  bool renewing;
};

struct mr_limiter; /* the shared buckets */
struct mr_bucket;
struct mr_queue;

/* Reference counted. The one of the process lives in the registry. */
struct mr_limiter *mr_limiter_open(const struct mr_clock *clock, struct mr_error *error);
void mr_limiter_close(struct mr_limiter *limiter);

/* The same with buckets that all processes of this user share through a file, by default in $XDG_RUNTIME_DIR/moonrest,
** else in /dev/shm/moonrest-UID. 'clock' must count alike in all of them, as mr_clock_system does. Where sharing is
** not possible the limiter is a local one, and *error (kind MR_IO, else MR_NONE) says why: a warning. NULL: no memory. */
struct mr_limiter *mr_limiter_open_shared(const struct mr_clock *clock, const char *path,
                                          struct mr_error *error);
/* Who shares the buckets that 'limiter' will have; MR_SHARING_USER is as mr_limiter_open_shared at the default place.
** The file is opened with the first bucket, and what is wrong with it is a trouble. MR_LIMIT: there are buckets already. */
enum mr_sharing { MR_SHARING_PROCESS, MR_SHARING_USER, MR_SHARING_FLEET };
enum mr_kind mr_limiter_share(struct mr_limiter *limiter, enum mr_sharing sharing,
                              struct mr_error *error);

/* As MR_SHARING_FLEET: through a keeper (limiter_remote.h) at that URL. */
struct mr_keeper_type;
enum mr_kind mr_limiter_share_by(struct mr_limiter *limiter, const struct mr_keeper_type *type,
                                 const char *url, struct mr_error *error);

/* Did sharing end, or fail for a bucket, since this was asked last? Then *error says why; the limits are
** kept by this process alone from then on. */
bool mr_limiter_trouble(struct mr_limiter *limiter, struct mr_error *error);

/* The bucket of that key, made when new, held for the caller. Known keys keep their history; other limits
** than before take effect for the next slot. Keys never contain a credential. MR_LIMIT: no memory, or limits out of range. */
enum mr_kind mr_limiter_bucket(struct mr_limiter *limiter, const char *key,
                               const struct mr_bucket_limits *limits, struct mr_bucket **out,
                               struct mr_error *error);
struct mr_bucket *mr_bucket_hold(struct mr_bucket *bucket); /* one more reference */
void mr_bucket_release(struct mr_bucket *bucket);
const char *mr_bucket_key(const struct mr_bucket *bucket);

enum mr_priority { MR_PRIORITY_HIGH, MR_PRIORITY_NORMAL, MR_PRIORITY_LOW, MR_PRIORITY_COUNT };

enum mr_ticket_state {
  MR_TICKET_IDLE,
  MR_TICKET_QUEUED,
  MR_TICKET_GRANTED,
  MR_TICKET_SENT,
  MR_TICKET_ANSWERED
};

/* A request's place in the queue, then its slots. Embedded in the request; zeroed before first use. */
struct mr_ticket {
  struct mr_bucket *buckets[MR_TICKET_BUCKETS]; /* borrowed */
  uint32_t bucket_count;
  uint32_t weight;     /* units; 0 counts as 1 */
  uint8_t priority;    /* enum mr_priority */
  bool jump;           /* a retry, a poll, a later hop: before all others of its priority */
  uint64_t task;       /* fairness: round-robin between tasks within a priority */
  int64_t deadline_us; /* must be granted by then; MR_NEVER */
  void *owner;         /* the request */
  int64_t lag_us;      /* how long ago it was sent or answered when the queue is told so */

  uint8_t state; /* enum mr_ticket_state */
  int64_t entered_us, granted_us, sent_us;
  uint64_t slots[MR_TICKET_BUCKETS]; /* the limiter's */
  struct mr_ticket *previous, *next; /* the queue's */
  uint32_t heap_index;               /* the queue's: deadlines */
  void *lane;                        /* the queue's */
};

struct mr_queue *mr_queue_open(struct mr_limiter *limiter, const struct mr_clock *clock,
                               uint64_t seed);
void mr_queue_close(struct mr_queue *queue); /* nothing may wait in it */

/* MR_NONE: look at ticket->state, it is GRANTED at once or QUEUED. MR_THROTTLED: it cannot be granted before its
** deadline; *retry_after_us tells when it could. MR_LIMIT: the queue is full. */
enum mr_kind mr_queue_enter(struct mr_queue *queue, struct mr_ticket *ticket,
                            int64_t *retry_after_us, struct mr_error *error);

/* The next ticket that was granted (state GRANTED) or cannot be granted before its deadline any more (state IDLE,
** *retry_after_us set); NULL when there is none now. */
struct mr_ticket *mr_queue_next(struct mr_queue *queue, int64_t *retry_after_us);

/* MR_THROTTLED in words, for a ticket that mr_queue_next gave back IDLE with that *retry_after_us. */
enum mr_kind mr_queue_explain(struct mr_queue *queue, const struct mr_ticket *ticket,
                              int64_t retry_after_us, struct mr_error *error);

/* When mr_queue_next is worth a call; MR_NEVER when nothing waits. */
int64_t mr_queue_wake_us(struct mr_queue *queue);

/* The life of a granted ticket. After sent: answered or closed. Instead of sent: give_back. */
void mr_ticket_sent(struct mr_queue *queue, struct mr_ticket *ticket);
/* The final headers came. */
void mr_ticket_answered(struct mr_queue *queue, struct mr_ticket *ticket);
/* The exchange is over, however. */
void mr_ticket_closed(struct mr_queue *queue, struct mr_ticket *ticket);
/* In any state: leaves, or gives back what never left. */
void mr_ticket_cancel(struct mr_queue *queue, struct mr_ticket *ticket);

/* What of a response is worth telling. The buckets are borrowed from the ticket; NULL: nothing of that kind. */
struct mr_learnt {
  bool refused;             /* because of a limit */
  struct mr_bucket *paused; /* stands still from now on */
  int64_t pause_us;
  /* The server names a limit that is none of ours; once for each that it names. */
  struct mr_bucket *doubted;
  int64_t limit, server_limit;
  struct mr_bucket *garbled; /* 'field' made no sense and was ignored; once for each bucket */
  char field[MR_FIELD_NAME];
};

/* What the server said. Call after answered, for every response not from a cache. 'retry_after_us' is what the body
** said (-1: nothing); 'final' a 429 that is no matter of time. */
struct mr_learnt mr_ticket_learn(struct mr_queue *queue, struct mr_ticket *ticket, int status,
                                 const struct mr_headers *headers, int64_t retry_after_us,
                                 bool final);

/* What users see of a bucket. */
struct mr_bucket_view {
  struct mr_bucket_limits limits;
  int64_t remaining[MR_BUCKET_WINDOWS]; /* units free now, the server's word included */
  int64_t reset_us[MR_BUCKET_WINDOWS];  /* until all are free again */
  int64_t paused_us;                    /* how long still; 0: not paused */
  int64_t server_limit, server_remaining, server_reset_us; /* as it said last; -1: never */
  uint32_t running, queued;
  uint64_t granted, refused_429;
  int64_t waited_us; /* sum */
};
void mr_bucket_look(struct mr_bucket *bucket, struct mr_bucket_view *view);

/* As if so much time (at most a year) had gone by for this bucket in quiet: for servers whose clock is set, as in tests.
** Queues learn of that when they look next: mr_queue_look_again. */
void mr_bucket_pass(struct mr_bucket *bucket, int64_t time_us);
/* Something beside the requests has freed slots of the bucket: those that wait for it look at once. */
void mr_queue_look_again(struct mr_queue *queue, const struct mr_bucket *bucket);

#endif
