/*
** The state of one bucket: its windows, its running requests, its pause. Plain
** data that is followed by the windows' cells and holds no pointer, so that it
** can lie in this process or in shared memory. Whoever calls holds the
** limiter's lock; every time is given.
*/
#ifndef MR_BUCKET_H
#define MR_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "limiter.h"
#include "window.h"

#define MR_PAUSE_MAX_US (24 * 3600 * MR_SECOND) /* no answer stops a bucket for longer than a day */
#define MR_PROBE_US                                                                                \
  MR_SECOND /* after a pause one request goes first, and the others wait so long for its answer */

/* The lowest and the two highest header latencies of the current and of the last generation of samples. */
struct mr_latency {
  int64_t low_us[2], high_us[2], second_us[2];
  uint32_t samples;
};

enum mr_probing { MR_PROBE_NONE, MR_PROBE_DUE, MR_PROBE_OUT };

struct mr_bucket_state {
  struct mr_bucket_limits limits;
  struct mr_window windows[MR_BUCKET_WINDOWS];
  uint32_t cell_count; /* of all windows */
  uint32_t running;
  int64_t pending;     /* units granted whose base is not known yet */
  int64_t unsent;      /* those of them that have not left */
  uint64_t sent_units; /* ever */
  int64_t paused_until_us, paused_since_us, probe_until_us;
  uint32_t probing;       /* enum mr_probing */
  uint32_t strikes;       /* 429s in a row, those of one pause as one */
  uint64_t refusals;      /* answers that were, pauses counted as one, */
  uint64_t since_refusal; /* and those that were not since then */
  struct mr_latency latency;
  int64_t spread_us;                                          /* of the latencies */
  int64_t server_limit, server_remaining, server_reset_at_us; /* -1: never said */
  uint64_t granted, refused_429;
  int64_t waited_us;
};

/* What a slot is to the bucket while the ticket holds it; kept in mr_ticket.slots. */
#define MR_SLOT_BASE_KNOWN (UINT64_C(1) << 63)
#define MR_SLOT_ORDER      (MR_SLOT_BASE_KNOWN - 1) /* sent_units after it was sent */

/* MR_LIMIT: out of range, the message names the field. */
enum mr_kind mr_bucket_check(const struct mr_bucket_limits *limits, const char *key,
                             struct mr_error *error);
bool mr_bucket_same_limits(const struct mr_bucket_limits *a, const struct mr_bucket_limits *b);
size_t mr_bucket_state_size(const struct mr_bucket_limits *limits); /* bytes, with the cells */
void mr_bucket_state_init(struct mr_bucket_state *state, const struct mr_bucket_limits *limits);
/* The history of an older state under other limits. */
void mr_bucket_state_adopt(struct mr_bucket_state *state, const struct mr_bucket_state *old);

/* 'now' when that weight may be taken, else when to look again; MR_NEVER: after an event. */
int64_t mr_bucket_ready(struct mr_bucket_state *state, int64_t weight, int64_t now_us);
/* A time before which it cannot be taken behind 'ahead' other units. */
int64_t mr_bucket_estimate(struct mr_bucket_state *state, int64_t ahead, int64_t weight,
                           int64_t now_us);
void mr_bucket_take(struct mr_bucket_state *state, int64_t weight, int64_t now_us);
void mr_bucket_give_back(struct mr_bucket_state *state, int64_t weight);
void mr_bucket_sent(struct mr_bucket_state *state, int64_t weight, uint64_t *slot, int64_t now_us);
void mr_bucket_answered(struct mr_bucket_state *state, int64_t weight, uint64_t *slot,
                        int64_t latency_us, int64_t now_us);
void mr_bucket_closed(struct mr_bucket_state *state, int64_t weight, uint64_t *slot,
                      int64_t now_us);

/* An answer that is a refusal (the first of its pause), or is not. Refusals that come soon one after the other make
** the spacing longer, contentment makes it shorter again. */
void mr_bucket_refused(struct mr_bucket_state *state);
void mr_bucket_accepted(struct mr_bucket_state *state);
void mr_bucket_pause(struct mr_bucket_state *state, int64_t until_us, int64_t now_us);
void mr_bucket_release_all(struct mr_bucket_state *state, int64_t now_us);
/* Nothing to remember. */
bool mr_bucket_is_idle(const struct mr_bucket_state *state, int64_t now_us);

/* Who held these is gone, and nobody knows how far it came: as if all had been sent and closed just now. */
void mr_bucket_abandon(struct mr_bucket_state *state, int64_t pending, int64_t unsent,
                       int64_t running, int64_t now_us);
void mr_bucket_shift(struct mr_bucket_state *state, int64_t shift_us); /* all times, by that much */
/* All that is held, from now on. */
void mr_bucket_renew(struct mr_bucket_state *state, int64_t now_us);
/* No time is beyond reason. */
bool mr_bucket_is_timely(const struct mr_bucket_state *state, int64_t now_us);
/* A new one, as if used up just now. */
void mr_bucket_fill(struct mr_bucket_state *state, int64_t now_us);
void mr_bucket_describe(struct mr_bucket_state *state, int64_t now_us, struct mr_bucket_view *view);

#endif
