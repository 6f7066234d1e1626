/*
** Whether to try again, and when: data in, verdict out. Knows no clock but what
** it is told.
*/
#ifndef MR_RETRY_H
#define MR_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "header.h"
#include "random.h"
#include "transport.h"

#define MR_RETRY_STATUSES 16
#define MR_RETRY_HOSTS    64 /* hosts with a budget of their own; the least recently used one goes */

enum mr_repeat {                       /* what repeating an operation does */
                 MR_REPEAT_SAFE,       /* reads */
                 MR_REPEAT_IDEMPOTENT, /* same end state */
                 MR_REPEAT_GONE,       /* same end state, but the repeat answers 404 or 410 */
                 MR_REPEAT_NEVER       /* may make a second object */
};

struct mr_retry_policy {
  /* In all, the first included; 1: no retry. A stale connection's does not count. */
  uint32_t attempts;
  int64_t base_us; /* full jitter: uniform in [0, min(cap, base * 2^(n-1))) */
  int64_t cap_us;
  uint16_t statuses[MR_RETRY_STATUSES]; /* 408 429 500 502 503 504 by default */
  uint32_t status_count;
};

extern const struct mr_retry_policy mr_retry_default; /* 3 attempts, 0.5 s, 20 s */

/* The budget of a process, per host: at most max(3, 10% of the last minute's calls) retries a minute. */
struct mr_retry_budget;
struct mr_retry_budget *mr_retry_budget_open(void);
void mr_retry_budget_close(struct mr_retry_budget *budget);
/* Around a fork, so that the child does not inherit a lock that nobody in it will release. */
void mr_retry_budget_freeze(struct mr_retry_budget *budget);
void mr_retry_budget_thaw(struct mr_retry_budget *budget); /* in both processes */
void mr_retry_budget_call(struct mr_retry_budget *budget, struct mr_slice host, int64_t now_us);
bool mr_retry_budget_spend(struct mr_retry_budget *budget, struct mr_slice host, int64_t now_us);

struct mr_attempt { /* what happened */
  uint32_t number;  /* from 1 */
  enum mr_repeat repeat;
  bool has_key; /* an idempotency key goes with it */
  const struct mr_exchange_result *result;
  const struct mr_headers *headers; /* NULL without a response */
  int64_t body_retry_after_us;      /* what the body said; -1 */
  bool final;                       /* the definition says: no matter of time */
  int64_t wall_us;
  int64_t remaining_us; /* until the deadline; MR_NEVER */
};

struct mr_verdict {
  bool retry;
  bool at_once;           /* the stale connection: no wait, once */
  int64_t wait_us;        /* before the next attempt */
  int64_t retry_after_us; /* what the server asked for; -1: nothing */
  /* A short constant for attempts and logs: "status 503", "connect", "no budget". */
  const char *reason;
};

/* 'budget' may be NULL. Spends from it only when the verdict is to retry, and not for a stale connection, which says
** nothing of the server. Whoever calls asks only once for that: afterwards it clears result->stale. */
struct mr_verdict mr_retry_decide(const struct mr_retry_policy *policy,
                                  const struct mr_attempt *attempt, struct mr_retry_budget *budget,
                                  struct mr_slice host, int64_t now_us, struct mr_random *random);

#endif
