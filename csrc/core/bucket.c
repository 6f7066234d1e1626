#include "bucket.h"

#include <string.h>

#define COUNT_MAX          (INT64_C(1) << 53)
#define PERIOD_MIN_US      MR_MILLISECOND
#define PERIOD_MAX_US      (INT64_C(366) * 24 * 3600 * MR_SECOND)
#define SOON_WINDOWS       4 /* refusals within so many windows' worth of answers are no accident */
#define STIFFEN            2 /* eighths of an interval */
#define LATENCY_SAMPLES    64
#define UNKNOWN_LATENCY_US MR_SECOND
#define MARGIN_LEAST_US    7500 /* what a busy machine is late by, */
#define MARGIN_LEAST       133  /* but at most this part of a period */
#define MARGIN_MOST        40   /* the part of a period that a margin may cost */

static enum mr_kind check_window(const struct mr_window_limit *window, uint32_t index,
                                 const char *key, struct mr_error *error) {
  if (window->count < 1 || window->count > COUNT_MAX)
    return mr_fail(error, MR_LIMIT, "limits of %s: window %u allows %lld units; give 1 to 2^53",
                   key, index + 1, (long long)window->count);
  if (window->period_us < PERIOD_MIN_US || window->period_us > PERIOD_MAX_US)
    return mr_fail(error, MR_LIMIT,
                   "limits of %s: window %u is %lld us long; give 1 ms to 366 days", key, index + 1,
                   (long long)window->period_us);
  return MR_NONE;
}

enum mr_kind mr_bucket_check(const struct mr_bucket_limits *limits, const char *key,
                             struct mr_error *error) {
  if (limits->window_count > MR_BUCKET_WINDOWS)
    return mr_fail(error, MR_LIMIT, "limits of %s: %u windows; a bucket has at most %d", key,
                   limits->window_count, MR_BUCKET_WINDOWS);
  if (limits->burst < 0)
    return mr_fail(error, MR_LIMIT, "limits of %s: burst is %lld; give 1 or more, or 0 for all",
                   key, (long long)limits->burst);
  for (uint32_t i = 0; i < limits->window_count; i++) {
    enum mr_kind kind = check_window(&limits->windows[i], i, key, error);
    if (kind) return kind;
  }
  return MR_NONE;
}

bool mr_bucket_same_limits(const struct mr_bucket_limits *a, const struct mr_bucket_limits *b) {
  bool same = a->window_count == b->window_count && a->concurrent == b->concurrent &&
              a->strict == b->strict && a->renewing == b->renewing && a->burst == b->burst;
  for (uint32_t i = 0; same && i < a->window_count; i++)
    same = a->windows[i].count == b->windows[i].count &&
           a->windows[i].period_us == b->windows[i].period_us;
  return same;
}

static uint32_t count_cells(const struct mr_bucket_limits *limits) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < limits->window_count; i++)
    count += mr_window_capacity(&limits->windows[i]);
  return count;
}

size_t mr_bucket_state_size(const struct mr_bucket_limits *limits) {
  return sizeof(struct mr_bucket_state) + count_cells(limits) * sizeof(struct mr_cell);
}

static struct mr_cell *cells_of(const struct mr_bucket_state *state, uint32_t window) {
  struct mr_cell *cells = (struct mr_cell *)(uintptr_t)(state + 1);
  return cells + state->windows[window].start;
}

/* How long after the send a slot is held beyond the period: the spread of the latencies, within reason. In
** strict mode the answer has come, and nothing is left to guess. */
static void set_margins(struct mr_bucket_state *state) {
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    struct mr_window *window = &state->windows[i];
    int64_t least_us = window->period_us / MARGIN_LEAST, most_us = window->period_us / MARGIN_MOST;
    if (least_us > MARGIN_LEAST_US) least_us = MARGIN_LEAST_US;
    int64_t margin_us = state->spread_us > least_us ? state->spread_us : least_us;
    if (margin_us > most_us) margin_us = most_us;
    mr_window_set_margin(window, state->limits.strict ? 0 : margin_us);
  }
}

/* 'burst' is said of the shortest window; the longer ones would be exhausted by no single burst. */
static uint32_t shortest_window(const struct mr_bucket_limits *limits) {
  uint32_t shortest = 0;
  for (uint32_t i = 1; i < limits->window_count; i++)
    if (limits->windows[i].period_us < limits->windows[shortest].period_us) shortest = i;
  return shortest;
}

void mr_bucket_state_init(struct mr_bucket_state *state, const struct mr_bucket_limits *limits) {
  memset(state, 0, sizeof(*state));
  state->limits = *limits;
  uint32_t shortest = shortest_window(limits);
  for (uint32_t i = 0; i < limits->window_count; i++) {
    struct mr_window *window = &state->windows[i];
    mr_window_init(window, &limits->windows[i], i == shortest ? limits->burst : 0,
                   limits->renewing);
    window->start = state->cell_count;
    state->cell_count += window->capacity;
  }
  state->server_limit = state->server_remaining = state->server_reset_at_us = -1;
  set_margins(state);
}

/* The window of the same period knows best what the new one must hold; else the shortest that is longer, which
** has seen all that matters; else the longest. */
static uint32_t best_source(const struct mr_bucket_state *old, int64_t period_us) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < old->limits.window_count; i++) {
    int64_t best_us = old->windows[best].period_us, this_us = old->windows[i].period_us;
    bool closer = this_us >= period_us ? best_us < period_us || this_us < best_us
                                       : best_us < period_us && this_us > best_us;
    if (closer) best = i;
  }
  return best;
}

void mr_bucket_state_adopt(struct mr_bucket_state *state, const struct mr_bucket_state *old) {
  struct mr_bucket_state fresh = *state;
  *state = *old;
  state->limits = fresh.limits;
  state->cell_count = fresh.cell_count;
  memcpy(state->windows, fresh.windows, sizeof(state->windows));
  for (uint32_t i = 0; i < state->limits.window_count && old->limits.window_count > 0; i++) {
    uint32_t source = best_source(old, state->windows[i].period_us);
    mr_window_adopt(&state->windows[i], cells_of(state, i), &old->windows[source],
                    cells_of(old, source));
  }
  set_margins(state);
}

static int64_t units_of(const struct mr_window *window, int64_t weight) {
  return weight < window->count ? weight : window->count;
}

static int64_t later(int64_t a, int64_t b) {
  return a > b ? a : b;
}

int64_t mr_bucket_ready(struct mr_bucket_state *state, int64_t weight, int64_t now_us) {
  int64_t ready_us = later(now_us, state->paused_until_us);
  if (state->probing == MR_PROBE_OUT) ready_us = later(ready_us, state->probe_until_us);
  if (state->limits.concurrent > 0 && state->running >= state->limits.concurrent)
    ready_us = MR_NEVER;
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    struct mr_window *window = &state->windows[i];
    int64_t window_us = mr_window_ready(window, cells_of(state, i), units_of(window, weight),
                                        state->pending, now_us);
    ready_us = later(ready_us, window_us);
  }
  return ready_us;
}

int64_t mr_bucket_estimate(struct mr_bucket_state *state, int64_t ahead, int64_t weight,
                           int64_t now_us) {
  int64_t estimate_us = later(now_us, state->paused_until_us);
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    struct mr_window *window = &state->windows[i];
    const struct mr_cell *cells = cells_of(state, i);
    mr_window_release(window, cells, now_us);
    estimate_us =
        later(estimate_us, mr_window_estimate(window, cells, ahead, units_of(window, weight),
                                              state->pending, now_us));
  }
  return estimate_us;
}

void mr_bucket_take(struct mr_bucket_state *state, int64_t weight, int64_t now_us) {
  state->pending += weight;
  state->unsent += weight;
  state->running++;
  state->granted++;
  if (state->probing == MR_PROBE_DUE) {
    state->probing = MR_PROBE_OUT;
    state->probe_until_us = now_us + MR_PROBE_US;
  }
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    mr_window_take(&state->windows[i], units_of(&state->windows[i], weight), now_us);
}

/* A slot that was granted by a shared bucket may come back to the one that replaced it, which never gave it. */
static void lower(int64_t *units, int64_t weight) {
  *units -= weight < *units ? weight : *units;
}

static void one_less_running(struct mr_bucket_state *state) {
  if (state->running > 0) state->running--;
}

void mr_bucket_give_back(struct mr_bucket_state *state, int64_t weight) {
  lower(&state->pending, weight);
  lower(&state->unsent, weight);
  one_less_running(state);
  if (state->granted > 0) state->granted--;
  if (state->probing == MR_PROBE_OUT) state->probing = MR_PROBE_DUE;
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    mr_window_give_back(&state->windows[i], units_of(&state->windows[i], weight));
}

static void set_base(struct mr_bucket_state *state, int64_t weight, uint64_t *slot,
                     int64_t base_us) {
  if (*slot & MR_SLOT_BASE_KNOWN) return;
  *slot |= MR_SLOT_BASE_KNOWN;
  lower(&state->pending, weight);
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    struct mr_window *window = &state->windows[i];
    mr_window_push(window, cells_of(state, i), units_of(window, weight), base_us);
  }
}

void mr_bucket_sent(struct mr_bucket_state *state, int64_t weight, uint64_t *slot, int64_t now_us) {
  lower(&state->unsent, weight);
  state->sent_units += (uint64_t)weight;
  *slot = state->sent_units & MR_SLOT_ORDER;
  if (!state->limits.strict) set_base(state, weight, slot, now_us);
}

/* A generation begins with its highest as its only one: the second is then not known. */
static void latency_begin(struct mr_latency *latency, int64_t sample_us) {
  bool first = latency->samples == 0;
  latency->low_us[1] = first ? sample_us : latency->low_us[0];
  latency->high_us[1] = first ? sample_us : latency->high_us[0];
  latency->second_us[1] = first ? INT64_MIN : latency->second_us[0];
  latency->low_us[0] = latency->high_us[0] = sample_us;
  latency->second_us[0] = INT64_MIN;
  latency->samples = 1;
}

static void latency_add(struct mr_latency *latency, int64_t sample_us) {
  if (latency->samples == LATENCY_SAMPLES || latency->samples == 0) {
    latency_begin(latency, sample_us);
    return;
  }
  latency->samples++;
  if (sample_us < latency->low_us[0]) latency->low_us[0] = sample_us;
  int64_t lower_us = sample_us;
  if (sample_us > latency->high_us[0]) {
    lower_us = latency->high_us[0];
    latency->high_us[0] = sample_us;
  }
  if (lower_us > latency->second_us[0]) latency->second_us[0] = lower_us;
}

/* The single highest one is left out: a lone straggler must not cost everyone rate. */
static int64_t latency_spread(const struct mr_latency *latency) {
  int64_t low_us = latency->low_us[0],
          high_us = later(latency->second_us[0], latency->second_us[1]);
  if (latency->low_us[1] < low_us) low_us = latency->low_us[1];
  return high_us > low_us ? high_us - low_us : 0;
}

void mr_bucket_answered(struct mr_bucket_state *state, int64_t weight, uint64_t *slot,
                        int64_t latency_us, int64_t now_us) {
  set_base(state, weight, slot, now_us);
  latency_add(&state->latency, latency_us > 0 ? latency_us : 0);
  int64_t spread_us = latency_spread(&state->latency);
  if (spread_us == state->spread_us) return;
  state->spread_us = spread_us;
  set_margins(state);
}

/* Without an answer nobody knows whether the request has arrived yet: it may, for as long as others took. */
static int64_t still_arriving(const struct mr_latency *latency) {
  if (latency->samples == 0) return UNKNOWN_LATENCY_US;
  return later(latency->high_us[0], latency->high_us[1]);
}

void mr_bucket_closed(struct mr_bucket_state *state, int64_t weight, uint64_t *slot,
                      int64_t now_us) {
  set_base(state, weight, slot, now_us + still_arriving(&state->latency));
  one_less_running(state);
}

static uint64_t soon(const struct mr_window *window) {
  return SOON_WINDOWS * (uint64_t)window->count;
}

/* A server that refuses the first request after a pause counts something else than spacing. */
void mr_bucket_refused(struct mr_bucket_state *state) {
  struct mr_window *window = &state->windows[shortest_window(&state->limits)];
  bool soon_again = state->refusals > 0 && state->since_refusal < soon(window);
  if (state->limits.window_count > 0 && state->strikes == 0 && soon_again)
    mr_window_stiffen(window, STIFFEN);
  state->strikes++;
  state->refusals++;
  state->since_refusal = 0;
}

void mr_bucket_accepted(struct mr_bucket_state *state) {
  state->strikes = 0;
  if (state->probing == MR_PROBE_OUT) state->probing = MR_PROBE_NONE;
  state->since_refusal++;
  if (state->limits.window_count == 0) return;
  struct mr_window *window = &state->windows[shortest_window(&state->limits)];
  if (window->stiffness > 0 && state->since_refusal % soon(window) == 0)
    mr_window_stiffen(window, -1);
}

/* Afterwards one request goes first, and the others one by one: no stampede. */
void mr_bucket_pause(struct mr_bucket_state *state, int64_t until_us, int64_t now_us) {
  if (until_us > now_us + MR_PAUSE_MAX_US) until_us = now_us + MR_PAUSE_MAX_US;
  if (until_us <= state->paused_until_us) return;
  state->paused_until_us = until_us;
  state->paused_since_us = now_us;
  state->probing = MR_PROBE_DUE;
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    mr_window_flatten(&state->windows[i], until_us);
}

void mr_bucket_release_all(struct mr_bucket_state *state, int64_t now_us) {
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    mr_window_release(&state->windows[i], cells_of(state, i), now_us);
}

/* Changes nothing, so that it may be asked of a state that nobody guards against a sudden end. */
bool mr_bucket_is_idle(const struct mr_bucket_state *state, int64_t now_us) {
  bool idle = state->running == 0 && state->pending == 0 && state->paused_until_us <= now_us;
  for (uint32_t i = 0; idle && i < state->limits.window_count; i++)
    idle = mr_window_reset_us(&state->windows[i], now_us) <= now_us;
  return idle;
}

void mr_bucket_abandon(struct mr_bucket_state *state, int64_t pending, int64_t unsent,
                       int64_t running, int64_t now_us) {
  uint64_t slot = 0;
  state->sent_units += (uint64_t)unsent;
  lower(&state->unsent, unsent);
  state->running -= running < (int64_t)state->running ? (uint32_t)running : state->running;
  if (pending > 0) set_base(state, pending, &slot, now_us + still_arriving(&state->latency));
}

void mr_bucket_renew(struct mr_bucket_state *state, int64_t now_us) {
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    mr_window_renew(&state->windows[i], now_us);
  if (state->paused_until_us > now_us + MR_PAUSE_MAX_US)
    state->paused_until_us = now_us + MR_PAUSE_MAX_US;
  state->probing = MR_PROBE_NONE;
}

bool mr_bucket_is_timely(const struct mr_bucket_state *state, int64_t now_us) {
  bool timely = state->paused_until_us <= now_us + MR_PAUSE_MAX_US + MR_SECOND;
  for (uint32_t i = 0; timely && i < state->limits.window_count; i++) {
    const struct mr_window *window = &state->windows[i];
    timely = (window->held == 0 || window->newest.base_us <= now_us + window->hold_us) &&
             window->spaced_us > -(INT64_C(1) << 60) &&
             window->spaced_us <= now_us + MR_PAUSE_MAX_US + 2 * window->hold_us;
  }
  return timely;
}

void mr_bucket_fill(struct mr_bucket_state *state, int64_t now_us) {
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    struct mr_window *window = &state->windows[i];
    mr_window_push(window, cells_of(state, i), window->count, now_us);
  }
}

void mr_bucket_shift(struct mr_bucket_state *state, int64_t shift_us) {
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    mr_window_shift(&state->windows[i], cells_of(state, i), shift_us);
  state->paused_until_us += shift_us;
  state->paused_since_us += shift_us;
  state->probe_until_us += shift_us;
  if (state->server_reset_at_us >= 0) state->server_reset_at_us += shift_us;
}

void mr_bucket_describe(struct mr_bucket_state *state, int64_t now_us,
                        struct mr_bucket_view *view) {
  mr_bucket_release_all(state, now_us);
  *view = (struct mr_bucket_view){.limits = state->limits};
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    view->remaining[i] = mr_window_free(&state->windows[i], state->pending);
    view->reset_us[i] = mr_window_reset_us(&state->windows[i], now_us) - now_us;
  }
  view->paused_us = later(state->paused_until_us - now_us, 0);
  view->server_limit = state->server_limit;
  view->server_remaining = state->server_remaining;
  view->server_reset_us =
      state->server_reset_at_us < 0 ? -1 : later(state->server_reset_at_us - now_us, 0);
  view->running = state->running;
  view->granted = state->granted;
  view->refused_429 = state->refused_429;
  view->waited_us = state->waited_us;
}
