#include "window.h"

#include <string.h>

#define SLICES     4096  /* cells of a period above MR_WINDOW_MAX units */
#define WALK_MAX   64    /* cells that a look walks over; its answer is then early, as it may be */
#define DRIFT_PART 10000 /* two clocks without a common one differ by up to 100 ppm */

uint32_t mr_window_capacity(const struct mr_window_limit *limit) {
  return limit->count <= MR_WINDOW_MAX ? (uint32_t)limit->count + 2 : SLICES + SLICES / 8 + 2;
}

void mr_window_init(struct mr_window *window, const struct mr_window_limit *limit, int64_t burst,
                    bool renewing) {
  memset(window, 0, sizeof(*window));
  window->count = limit->count;
  window->period_us = limit->period_us;
  window->burst = burst > 0 && burst < limit->count ? burst : limit->count;
  window->interval_us = mr_window_interval(window);
  window->cell_us = limit->count <= MR_WINDOW_MAX ? 0 : limit->period_us / SLICES + 1;
  window->capacity = mr_window_capacity(limit);
  window->renewing = renewing;
  mr_window_set_margin(window, 0);
}

/* The last microsecond makes the period a closed one: servers differ in that. */
void mr_window_set_margin(struct mr_window *window, int64_t margin_us) {
  window->hold_us = window->period_us + window->period_us / DRIFT_PART + margin_us + 1;
}

double mr_window_interval(const struct mr_window *window) {
  return (double)window->period_us / (double)window->count * (8 + window->stiffness) / 8;
}

void mr_window_stiffen(struct mr_window *window, int change) {
  int stiffness = (int)window->stiffness + change;
  if (stiffness < 0) stiffness = 0;
  window->stiffness = stiffness < MR_STIFFNESS_MAX ? (uint32_t)stiffness : MR_STIFFNESS_MAX;
  window->interval_us = mr_window_interval(window);
}

static int64_t span(const struct mr_window *window, int64_t units) {
  return (int64_t)((double)units * window->interval_us);
}

/* How much earlier than 'spaced_us' that many units may leave when credit is left. */
static int64_t credit(const struct mr_window *window, int64_t units) {
  if (window->stiffness > 0 || units >= window->burst) return 0;
  return span(window, window->burst - units);
}

static const struct mr_cell *oldest(const struct mr_window *window, const struct mr_cell *cells) {
  return window->size > 0 ? &cells[window->first] : &window->newest;
}

/* With the last one goes whatever a damaged file may have counted beyond it. */
static void drop_oldest(struct mr_window *window, const struct mr_cell *cells) {
  window->held -= oldest(window, cells)->units;
  if (window->size == 0) {
    window->newest.units = window->held = 0;
    return;
  }
  window->first = window->first + 1 == window->capacity ? 0 : window->first + 1;
  window->size--;
}

static void append(struct mr_window *window, struct mr_cell *cells) {
  uint64_t end = (uint64_t)window->first + window->size;
  cells[end < window->capacity ? end : end - window->capacity] = window->newest;
  window->size++;
}

/* A ring that is full can only be a clock's doing; the newest cell then takes all, which holds longer. */
void mr_window_push(struct mr_window *window, struct mr_cell *cells, int64_t units,
                    int64_t base_us) {
  if (window->cell_us > 0) base_us += window->cell_us - base_us % window->cell_us;
  if (window->newest.units > 0 && base_us > window->newest.base_us && !window->renewing &&
      window->size + 1 < window->capacity) {
    append(window, cells);
    window->newest.units = 0;
  }
  if (window->newest.units == 0 || base_us > window->newest.base_us)
    window->newest.base_us = base_us;
  window->newest.units += units;
  window->held += units;
}

/* The credit that was used, in units, costs the new intervals. */
static int64_t adopted_spacing(const struct mr_window *window, const struct mr_window *old) {
  double used = (double)(old->spaced_us - old->newest.base_us) / old->interval_us;
  if (window->held == 0 || used <= 0) return 0;
  return window->newest.base_us + (int64_t)(used * window->interval_us);
}

void mr_window_adopt(struct mr_window *window, struct mr_cell *cells, const struct mr_window *old,
                     const struct mr_cell *old_cells) {
  struct mr_window source = *old;
  while (source.held > 0) {
    struct mr_cell cell = *oldest(&source, old_cells);
    drop_oldest(&source, old_cells);
    if (source.held >= window->count) continue;
    if (cell.units > window->count - source.held) cell.units = window->count - source.held;
    mr_window_push(window, cells, cell.units, cell.base_us);
  }
  mr_window_stiffen(window, (int)old->stiffness);
  window->spaced_us = adopted_spacing(window, old);
}

/* Frees what is due. Returns when there came to be room, INT64_MIN if there was before. */
static int64_t release(struct mr_window *window, const struct mr_cell *cells, int64_t room,
                       int64_t now_us) {
  int64_t freed_us = INT64_MIN;
  while (window->held > 0) {
    int64_t due_us = oldest(window, cells)->base_us + window->hold_us;
    if (due_us > now_us) break;
    if (window->held + window->foreign > room) freed_us = due_us;
    drop_oldest(window, cells);
  }
  if (window->foreign > 0 && window->foreign_until_us <= now_us) {
    if (window->held + window->foreign > room && window->foreign_until_us > freed_us)
      freed_us = window->foreign_until_us;
    window->foreign = 0;
  }
  return freed_us;
}

void mr_window_release(struct mr_window *window, const struct mr_cell *cells, int64_t now_us) {
  release(window, cells, INT64_MAX, now_us);
}

/* When the n-th unit from the oldest is free, or one before it. */
static int64_t due_of(const struct mr_window *window, const struct mr_cell *cells, int64_t units) {
  uint32_t at = window->first;
  int64_t base_us = window->newest.base_us;
  for (uint32_t i = 0; i < window->size && i < WALK_MAX; i++) {
    base_us = cells[at].base_us;
    units -= cells[at].units;
    if (units <= 0) return base_us + window->hold_us;
    at = at + 1 == window->capacity ? 0 : at + 1;
  }
  return (window->size < WALK_MAX ? window->newest.base_us : base_us) + window->hold_us;
}

static int64_t blocked_until(const struct mr_window *window, const struct mr_cell *cells,
                             int64_t room) {
  int64_t lacking = window->held + window->foreign - room;
  int64_t own_us = lacking <= window->held ? due_of(window, cells, lacking) : MR_NEVER;
  bool foreign_helps = window->foreign > 0 && lacking <= window->held + window->foreign;
  return foreign_helps && window->foreign_until_us < own_us ? window->foreign_until_us : own_us;
}

/* Whoever had to wait for room used a whole burst: from the moment there is room again the rest is spaced. */
int64_t mr_window_ready(struct mr_window *window, const struct mr_cell *cells, int64_t units,
                        int64_t pending, int64_t now_us) {
  int64_t room = window->count - pending - units;
  int64_t freed_us = release(window, cells, room, now_us);
  if (window->held + window->foreign > room) {
    window->blocked = true;
    return blocked_until(window, cells, room);
  }
  if (window->blocked && freed_us + credit(window, units) > window->spaced_us)
    window->spaced_us = freed_us + credit(window, units);
  window->blocked = false;
  int64_t spaced_us = window->spaced_us - credit(window, units);
  return spaced_us > now_us ? spaced_us : now_us;
}

/* Those that find room now are spaced from now on; the others from when the oldest unit is free. */
int64_t mr_window_estimate(const struct mr_window *window, const struct mr_cell *cells,
                           int64_t ahead, int64_t units, int64_t pending, int64_t now_us) {
  int64_t total = ahead > MR_NEVER - units ? MR_NEVER : ahead + units;
  int64_t vacant = mr_window_free(window, pending);
  double beyond_burst = (double)total - (double)window->burst;
  double at_us = (double)window->spaced_us + beyond_burst * window->interval_us;
  if (total > vacant && window->held > 0) {
    double behind = (double)(total - vacant - units);
    double blocked_us = (double)(oldest(window, cells)->base_us + window->hold_us);
    if (window->foreign > 0 && (double)window->foreign_until_us < blocked_us)
      blocked_us = (double)window->foreign_until_us;
    blocked_us += behind > 0 ? behind * window->interval_us : 0;
    if (blocked_us > at_us) at_us = blocked_us;
  }
  if (at_us <= (double)now_us) return now_us;
  return at_us < 9.2e18 ? (int64_t)at_us : MR_NEVER;
}

void mr_window_take(struct mr_window *window, int64_t units, int64_t now_us) {
  if (window->spaced_us < now_us) window->spaced_us = now_us;
  window->spaced_us += span(window, units);
}

void mr_window_give_back(struct mr_window *window, int64_t units) {
  window->spaced_us -= span(window, units);
}

void mr_window_flatten(struct mr_window *window, int64_t at_us) {
  int64_t spaced_us = mr_time_after(at_us, credit(window, 1));
  if (spaced_us > window->spaced_us) window->spaced_us = spaced_us;
}

/* A newer answer replaces what an older one said; an older one that comes late may only lower. */
void mr_window_learn(struct mr_window *window, int64_t left, int64_t until_us, int64_t own,
                     uint64_t order) {
  int64_t foreign = window->count - own - (left > 0 ? left : 0);
  if (foreign < 0) foreign = 0;
  if (order < window->foreign_order && foreign <= window->foreign) return;
  if (order > window->foreign_order) window->foreign_order = order;
  window->foreign = foreign;
  window->foreign_until_us = until_us;
}

int64_t mr_window_free(const struct mr_window *window, int64_t pending) {
  int64_t vacant = window->count - window->held - window->foreign - pending;
  return vacant > 0 ? vacant : 0;
}

int64_t mr_window_reset_us(const struct mr_window *window, int64_t now_us) {
  int64_t reset_us = now_us;
  if (window->held > 0) reset_us = window->newest.base_us + window->hold_us;
  if (window->foreign > 0 && window->foreign_until_us > reset_us)
    reset_us = window->foreign_until_us;
  return reset_us > now_us ? reset_us : now_us;
}

void mr_window_renew(struct mr_window *window, int64_t now_us) {
  if (window->held < 0 || window->held > window->count) window->held = window->count;
  window->newest = (struct mr_cell){.base_us = now_us, .units = window->held};
  window->first = window->size = 0;
  window->spaced_us = now_us;
  if (window->foreign_until_us > now_us + window->hold_us)
    window->foreign_until_us = now_us + window->hold_us;
}

void mr_window_shift(struct mr_window *window, struct mr_cell *cells, int64_t shift_us) {
  uint32_t at = window->first;
  for (uint32_t i = 0; i < window->size; i++) {
    cells[at].base_us += shift_us;
    at = at + 1 == window->capacity ? 0 : at + 1;
  }
  window->newest.base_us += shift_us;
  window->spaced_us += shift_us;
  window->foreign_until_us += shift_us;
}

void mr_window_refresh(struct mr_window *window) {
  if (window->held + window->foreign > 0) return;
  window->blocked = false;
  window->spaced_us = 0;
}
