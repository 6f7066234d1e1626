/*
** One limit of a bucket: at most 'count' units in any period. Every unit is
** held from its base (the send, or in strict mode the answer) for a period and
** a margin; a unit whose base is not known yet is 'pending' and counted by the
** bucket. What is held never exceeds the count, so no window that the server
** may look through does.
**
** Plain data without pointers: a window and its cells can lie in shared memory.
** The cells are a ring of bases in rising order; up to MR_WINDOW_MAX a cell is
** one moment, above it a slice of the period, whose end counts as its base.
*/
#ifndef MR_WINDOW_H
#define MR_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "limiter.h"

struct mr_cell {
  int64_t base_us, units;
};

struct mr_window {
  int64_t count, period_us;
  int64_t hold_us;       /* period and margin: a unit is free again at base + hold */
  int64_t burst;         /* units that may leave at once */
  double interval_us;    /* period / count and the stiffness, what the others are spaced by */
  uint32_t stiffness;    /* eighths by which the spacing is longer; above 0 there is no burst */
  int64_t cell_us;       /* 0: exact */
  int64_t held;          /* units in the ring and in the newest cell */
  struct mr_cell newest; /* not in the ring yet, so that the ring is only ever appended to */
  uint32_t first, size, capacity;
  uint32_t start; /* the window's first cell among those of its bucket */
  bool renewing;  /* every unit renews all that are held: only silence frees */
  bool blocked;   /* somebody waits for room: the burst is used up */
  /* When a burst of one may leave; earlier by (burst - 1) intervals when credit is left. */
  int64_t spaced_us;
  int64_t foreign; /* units of others, as the server's word implies */
  int64_t foreign_until_us;
  uint64_t foreign_order; /* bucket's count of sent units when that word was asked for */
};

uint32_t mr_window_capacity(const struct mr_window_limit *limit); /* cells */
void mr_window_init(struct mr_window *window, const struct mr_window_limit *limit, int64_t burst,
                    bool renewing);
void mr_window_set_margin(struct mr_window *window, int64_t margin_us);

/* Takes over what 'old' holds. At most the newest 'count' units: older ones cannot matter. */
void mr_window_adopt(struct mr_window *window, struct mr_cell *cells, const struct mr_window *old,
                     const struct mr_cell *old_cells);

/* 'now' when that many units may be taken, else the earliest time at which a second look is worth while (never
** later than when they can be taken); MR_NEVER when that depends on pending units. */
int64_t mr_window_ready(struct mr_window *window, const struct mr_cell *cells, int64_t units,
                        int64_t pending, int64_t now_us);
/* The same behind 'ahead' other units: a time before which they cannot be taken. */
int64_t mr_window_estimate(const struct mr_window *window, const struct mr_cell *cells,
                           int64_t ahead, int64_t units, int64_t pending, int64_t now_us);

void mr_window_take(struct mr_window *window, int64_t units, int64_t now_us);
void mr_window_give_back(struct mr_window *window, int64_t units);
void mr_window_push(struct mr_window *window, struct mr_cell *cells, int64_t units,
                    int64_t base_us);
void mr_window_release(struct mr_window *window, const struct mr_cell *cells, int64_t now_us);

/* No burst before 'at_us': requests leave one by one from then on. */
void mr_window_flatten(struct mr_window *window, int64_t at_us);

#define MR_STIFFNESS_MAX 16 /* three times the interval */

/* The server refuses what its limit allows: its bucket leaks, or somebody else uses it. Requests leave evenly, and more
** slowly, until it is content. */
void mr_window_stiffen(struct mr_window *window, int change);
double mr_window_interval(const struct mr_window *window); /* as it follows from the rest */

/* The server says that 'left' units are free until 'until_us'. 'own' are ours that it counts and that stay with us as
** long as with it. */
void mr_window_learn(struct mr_window *window, int64_t left, int64_t until_us, int64_t own,
                     uint64_t order);

int64_t mr_window_free(const struct mr_window *window, int64_t pending);
/* When everything that is held now will be free. */
int64_t mr_window_reset_us(const struct mr_window *window, int64_t now_us);
/* All that is held counts from now on: the safe answer when its times are in doubt. */
void mr_window_renew(struct mr_window *window, int64_t now_us);
/* The clock was set: all times move by that much. */
void mr_window_shift(struct mr_window *window, struct mr_cell *cells, int64_t shift_us);
/* Where nothing is held any more a burst may begin anew, whatever was spaced before. */
void mr_window_refresh(struct mr_window *window);

#endif
