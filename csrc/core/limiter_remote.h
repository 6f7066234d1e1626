/*
** Limits that several machines share. Whoever keeps them ("the keeper": Redis) reserves
** slots: moments at which one unit each may leave. A process asks for as many at once as
** its queue can use, so that one round trip grants several, and sends each at its moment
** or, if that has passed, not at all. What the keeper holds after a slot is a little
** longer than the period; that margin covers late wake-ups and the difference of clocks.
**
** When the keeper is away, requests leave evenly at this process's part of the limit: the
** limit divided by the processes that shared it when the keeper was last heard.
**
** The keeper's calls never block. Everything here happens under the limiter's lock.
*/
#ifndef MR_LIMITER_REMOTE_H
#define MR_LIMITER_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "error.h"
#include "limiter.h"

#define MR_KEEPER_VERSION 1
#define MR_KEEPER_WINDOWS (MR_TICKET_BUCKETS * MR_BUCKET_WINDOWS)
#define MR_KEEPER_SLOTS   64 /* in one answer, at most */

struct mr_keeper_window {
  const char *key; /* of its bucket; borrowed for the call */
  int64_t count, period_us;
  int64_t hold_us; /* how long a unit counts from its slot */
  int64_t burst;
};

struct mr_keeper_ask {
  uint64_t tag;
  uint32_t window_count, units; /* units 0: only to tell a pause */
  struct mr_keeper_window windows[MR_KEEPER_WINDOWS];
  int64_t horizon_us; /* no slot later than so far from now */
  int64_t pause_us;   /* nobody may send for so long; 0 */
  bool careful;       /* what the keeper does not remember may have happened all the same */
};

struct mr_keeper_answer {
  uint64_t tag;
  uint32_t slot_count;
  int64_t slots_us[MR_KEEPER_SLOTS]; /* on our clock, rising */
  int64_t wait_us;                   /* no slot before so long from now; 0 */
  int64_t sharers;                   /* processes that use these limits */
};

enum mr_keeper_state { MR_KEEPER_COMING, MR_KEEPER_HERE, MR_KEEPER_AWAY };

struct mr_keeper_type {
  uint32_t version;
  const char *name;
  /* May take its time: it is called once, outside of any step. */
  void *(*open)(const struct mr_clock *clock, const char *url, struct mr_error *error);
  void (*close)(void *keeper);
  void (*forked)(void *keeper); /* in a child: the connection is the parent's */
  /* Reads and writes what is possible at once. AWAY: 'error' says why. */
  enum mr_keeper_state (*step)(void *keeper, struct mr_error *error);
  bool (*ask)(void *keeper, const struct mr_keeper_ask *ask);    /* false: not now */
  bool (*answer)(void *keeper, struct mr_keeper_answer *answer); /* the next one; false: none */
};

struct mr_remote;

/* MR_IO or MR_LIMIT with a reason; on success 'out' belongs to the caller. */
enum mr_kind mr_remote_open(const struct mr_keeper_type *type, const struct mr_clock *clock,
                            const char *url, struct mr_remote **out, struct mr_error *error);
void mr_remote_close(struct mr_remote *remote);
void mr_remote_forked(struct mr_remote *remote);

/* 'now' when the ticket's units may leave, else when to look again. 'wanted' units wait in all. Fills *trouble in
** (else leaves it) when the keeper went away, or came back. */
int64_t mr_remote_ready(struct mr_remote *remote, const struct mr_ticket *ticket, int64_t wanted,
                        int64_t now_us, struct mr_error *trouble);
/* What the keeper has to do with a ticket's wait. */
struct mr_remote_view {
  const char *name;
  bool is_awaited;  /* no word of it yet: nothing leaves */
  int64_t sharers;  /* by which the limits are divided while it is away; 0: it is not */
  int64_t alone_us; /* when the next request may leave while it is away */
};
void mr_remote_look(const struct mr_remote *remote, const struct mr_ticket *ticket,
                    struct mr_remote_view *view);
void mr_remote_take(struct mr_remote *remote, const struct mr_ticket *ticket, int64_t now_us);
void mr_remote_give_back(struct mr_remote *remote, const struct mr_ticket *ticket);
void mr_remote_pause(struct mr_remote *remote, const struct mr_ticket *ticket, int64_t pause_us);

#endif
