/*
** What a response teaches: how much others use, and when to be silent. The
** server's word can only lower what we believe to be free: it is kept as units that
** others hold until the reset, on top of our own.
*/
#include <string.h>

#include "limiter_parts.h"
#include "server_word.h"

#define BACKOFF_LEAST_US MR_SECOND /* after a 429 that does not say how long, doubled each time */
#define BACKOFF_FIRST_US (60 * MR_SECOND)
#define BACKOFF_MOST_US  (3600 * MR_SECOND)
#define FLOOR_US         (50 * MR_MILLISECOND) /* after a 429 that says "now", doubled each time */
#define DOUBLINGS_MAX    12

struct lesson {
  struct mr_server_words words;
  int64_t wait_us; /* what the server asks for in all; -1: nothing */
  int64_t now_us, sent_us;
  bool refused;
  struct mr_learnt learnt;
};

/* Servers round the reset up to whole seconds; a sliding counter looks back two periods. */
static bool plausible(const struct mr_window *window, int64_t reset_us) {
  return reset_us <= 2 * window->period_us + 2 * MR_SECOND;
}

/* Of the windows with the limit that the server names, the one with its period, or the shortest that can last until
** its reset. NULL: it names none of ours. */
static struct mr_window *matching(struct mr_bucket_state *state,
                                  const struct mr_server_word *word) {
  struct mr_window *best = NULL;
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    struct mr_window *window = &state->windows[i];
    if (window->count != word->limit) continue;
    if (word->window_us == window->period_us) return window;
    bool fits = word->reset_us <= window->period_us + MR_SECOND;
    if (!best || (fits && window->period_us < best->period_us) ||
        (!fits && window->period_us > best->period_us))
      best = window;
  }
  return best;
}

/* For a limit that is none of ours: where it hurts least and still lasts. */
static struct mr_window *nearest(struct mr_bucket_state *state, const struct mr_server_word *word) {
  struct mr_window *longest = NULL, *enough = NULL;
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    struct mr_window *window = &state->windows[i];
    if (!longest || window->period_us > longest->period_us) longest = window;
    if (window->period_us < word->reset_us) continue;
    if (!enough || window->period_us < enough->period_us) enough = window;
  }
  return enough ? enough : longest;
}

static void keep_for_view(struct mr_bucket_state *state, const struct mr_server_word *word,
                          int64_t now_us) {
  if (word->limit >= 0) state->server_limit = word->limit;
  if (word->remaining >= 0) state->server_remaining = word->remaining;
  if (word->reset_us >= 0) state->server_reset_at_us = now_us + word->reset_us;
}

/* What the server counted when it answered, less what has left since then. */
static int64_t left_now(const struct mr_bucket_state *state, const struct mr_server_word *word,
                        uint64_t order) {
  int64_t since = (int64_t)((state->sent_units & MR_SLOT_ORDER) - order);
  return word->remaining - state->unsent - (since > 0 ? since : 0);
}

static void heed(struct mr_bucket_state *state, struct mr_window *window,
                 const struct mr_server_word *word, uint64_t order, int64_t now_us) {
  keep_for_view(state, word, now_us);
  if (word->remaining < 0 || word->reset_us == 0) return;
  int64_t left = left_now(state, word, order), reset_us = word->reset_us;
  if (!window) {
    if (left <= 0 && reset_us > 0) mr_bucket_pause(state, now_us + reset_us, now_us);
    return;
  }
  bool ours = window->count == word->limit;
  if (reset_us < 0 || (ours && !plausible(window, reset_us))) reset_us = window->period_us;
  if (reset_us > MR_PAUSE_MAX_US) reset_us = MR_PAUSE_MAX_US;
  /* What we hold is free before the server's is. */
  bool outlasts = !ours && reset_us > window->hold_us;
  int64_t own = state->pending + (outlasts ? 0 : window->held);
  mr_window_learn(window, left, now_us + reset_us, own, order);
}

static bool matches_any(const struct mr_ticket *ticket, const struct mr_server_word *word) {
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    if (matching(ticket->buckets[i]->state, word)) return true;
  return false;
}

static void doubt(struct lesson *lesson, struct mr_bucket *bucket, const struct mr_window *window,
                  const struct mr_server_word *word) {
  if (!window || word->limit < 0 || bucket->told_limit == word->limit) return;
  bucket->told_limit = word->limit;
  lesson->learnt.doubted = bucket;
  lesson->learnt.limit = window->count;
  lesson->learnt.server_limit = word->limit;
}

static void tell_garbage(struct lesson *lesson, struct mr_bucket *bucket) {
  if (lesson->words.garbage[0] == '\0' || bucket->told_garbage) return;
  bucket->told_garbage = true;
  lesson->learnt.garbled = bucket;
  memcpy(lesson->learnt.field, lesson->words.garbage, sizeof(lesson->learnt.field));
}

/* A word whose limit is a window's belongs to that window; any other to every bucket of the request. */
static void heed_all(struct mr_ticket *ticket, struct lesson *lesson) {
  for (uint32_t w = 0; w < lesson->words.count; w++) {
    const struct mr_server_word *word = &lesson->words.items[w];
    bool matched = matches_any(ticket, word);
    for (uint32_t i = 0; i < ticket->bucket_count; i++) {
      struct mr_bucket_state *state = ticket->buckets[i]->state;
      mr_bucket_release_all(state, lesson->now_us);
      struct mr_window *window = matching(state, word);
      if (matched && !window) continue;
      if (!window) {
        window = nearest(state, word);
        doubt(lesson, ticket->buckets[i], window, word);
      }
      heed(state, window, word, ticket->slots[i] & MR_SLOT_ORDER, lesson->now_us);
    }
  }
}

/*
** {======================================================
** 429
** =======================================================
*/

static int64_t longest_period(const struct mr_bucket_state *state) {
  int64_t longest_us = 0;
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    if (state->windows[i].period_us > longest_us) longest_us = state->windows[i].period_us;
  return longest_us;
}

static int64_t shortest_period(const struct mr_bucket_state *state) {
  int64_t shortest_us = longest_period(state);
  for (uint32_t i = 0; i < state->limits.window_count; i++)
    if (state->windows[i].period_us < shortest_us) shortest_us = state->windows[i].period_us;
  return shortest_us;
}

static int64_t bounded(int64_t value, int64_t least, int64_t most) {
  if (value < least) return least;
  return value < most ? value : most;
}

static int64_t doubled(int64_t wait_us, uint32_t strikes) {
  uint32_t doublings = strikes > 1 ? strikes - 1 : 0;
  return wait_us << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
}

static int64_t pause_of(const struct mr_bucket_state *state, int64_t wait_us) {
  int64_t least_us = doubled(FLOOR_US, state->strikes);
  if (wait_us < 0) {
    int64_t first_us = bounded(shortest_period(state), BACKOFF_LEAST_US, BACKOFF_FIRST_US);
    int64_t most_us = bounded(longest_period(state), BACKOFF_FIRST_US, BACKOFF_MOST_US);
    wait_us = bounded(doubled(first_us, state->strikes), first_us, most_us);
  }
  if (state->limits.renewing) least_us = longest_period(state);
  return wait_us > least_us ? wait_us : least_us;
}

/* The refusals of requests that were under way together are one strike. */
static void punish(struct mr_bucket *bucket, struct lesson *lesson) {
  struct mr_bucket_state *state = bucket->state;
  int64_t before_us = state->paused_until_us;
  if (state->strikes == 0 || lesson->sent_us >= state->paused_until_us) mr_bucket_refused(state);
  int64_t pause_us = pause_of(state, lesson->wait_us);
  if (pause_us > MR_PAUSE_MAX_US) pause_us = MR_PAUSE_MAX_US;
  mr_bucket_pause(state, lesson->now_us + pause_us, lesson->now_us);
  if (state->paused_until_us <= before_us || pause_us <= lesson->learnt.pause_us) return;
  lesson->learnt.paused = bucket;
  lesson->learnt.pause_us = pause_us;
}

/* Which of the buckets a refusal is about: those with the window that the server calls empty; if it names
** none, all. */
static bool is_about(struct mr_bucket_state *state, const struct mr_ticket *ticket,
                     const struct mr_server_words *words) {
  bool named = false;
  for (uint32_t w = 0; w < words->count; w++) {
    const struct mr_server_word *word = &words->items[w];
    if (word->remaining > 0 || word->limit < 0) continue;
    if (matching(state, word)) return true;
    named = named || matches_any(ticket, word);
  }
  return !named;
}

/* The longer of what header and body ask for; without them the latest reset of what is, or may be, empty. */
static int64_t asked_wait(const struct mr_server_words *words, int64_t body_us) {
  int64_t wait_us = words->retry_after_us > body_us ? words->retry_after_us : body_us;
  if (wait_us >= 0) return wait_us;
  for (uint32_t w = 0; w < words->count; w++)
    if (words->items[w].remaining <= 0 && words->items[w].reset_us > wait_us)
      wait_us = words->items[w].reset_us;
  return wait_us;
}

/* }====================================================== */

static void settle(struct mr_ticket *ticket, struct lesson *lesson, int status) {
  for (uint32_t i = 0; i < ticket->bucket_count; i++) {
    struct mr_bucket_state *state = ticket->buckets[i]->state;
    if (status == 429) state->refused_429++;
    if (!lesson->refused)
      mr_bucket_accepted(state);
    else if (is_about(state, ticket, &lesson->words))
      punish(ticket->buckets[i], lesson);
  }
}

struct mr_learnt mr_ticket_learn(struct mr_queue *queue, struct mr_ticket *ticket, int status,
                                 const struct mr_headers *headers, int64_t retry_after_us,
                                 bool final) {
  struct mr_limiter *limiter = mr_queue_limiter(queue);
  const struct mr_clock *clock = mr_queue_clock(queue);
  struct lesson lesson = {.now_us = mr_clock_now(clock), .sent_us = ticket->sent_us};
  mr_server_words_read(&lesson.words, headers, clock);
  lesson.wait_us = asked_wait(&lesson.words, retry_after_us);
  lesson.refused = (status == 429 && !final) || (status == 503 && lesson.words.retry_after_us >= 0);
  lesson.learnt.refused = lesson.refused || status == 429;
  mr_limiter_begin(limiter, ticket->buckets, ticket->bucket_count);
  heed_all(ticket, &lesson);
  settle(ticket, &lesson, status);
  if (limiter->remote && lesson.learnt.paused)
    mr_remote_pause(limiter->remote, ticket, lesson.learnt.pause_us);
  if (ticket->bucket_count > 0) tell_garbage(&lesson, ticket->buckets[0]);
  mr_limiter_end(limiter);
  mr_queue_rearm(queue, ticket, true);
  return lesson.learnt;
}
