#include "timers.h"

#include "clock.h"
#include "memory.h"

void mr_timers_init(struct mr_timers *timers) { *timers = (struct mr_timers){0}; }

void mr_timers_free(struct mr_timers *timers) {
  mr_free(timers->heap);
  mr_timers_init(timers);
}

static void put(struct mr_timers *timers, size_t place, struct mr_timer *timer) {
  timers->heap[place - 1] = timer;
  timer->place = place;
}

static void sift_up(struct mr_timers *timers, size_t place, struct mr_timer *timer) {
  while (place > 1 && timers->heap[place / 2 - 1]->at_us > timer->at_us) {
    put(timers, place, timers->heap[place / 2 - 1]);
    place /= 2;
  }
  put(timers, place, timer);
}

static void sift_down(struct mr_timers *timers, size_t place, struct mr_timer *timer) {
  for (;;) {
    size_t child = place * 2;
    if (child > timers->count) break;
    if (child < timers->count && timers->heap[child]->at_us < timers->heap[child - 1]->at_us)
      child++;
    if (timers->heap[child - 1]->at_us >= timer->at_us) break;
    put(timers, place, timers->heap[child - 1]);
    place = child;
  }
  put(timers, place, timer);
}

enum mr_kind mr_timer_set(struct mr_timers *timers, struct mr_timer *timer, int64_t at_us) {
  mr_timer_clear(timers, timer);
  if (timers->count == timers->capacity) {
    size_t capacity = timers->capacity ? timers->capacity * 2 : 16;
    struct mr_timer **heap = mr_realloc(timers->heap, capacity * sizeof *heap);
    if (!heap) return MR_LIMIT;
    timers->heap = heap;
    timers->capacity = capacity;
  }
  timer->at_us = at_us;
  sift_up(timers, ++timers->count, timer);
  return MR_NONE;
}

void mr_timer_clear(struct mr_timers *timers, struct mr_timer *timer) {
  size_t place = timer->place;
  if (place == 0) return;
  timer->place = 0;
  struct mr_timer *last = timers->heap[--timers->count];
  if (last == timer) return;
  if (place > 1 && timers->heap[place / 2 - 1]->at_us > last->at_us)
    sift_up(timers, place, last);
  else
    sift_down(timers, place, last);
}

int64_t mr_timers_next_us(const struct mr_timers *timers) {
  return timers->count ? timers->heap[0]->at_us : MR_NEVER;
}

struct mr_timer *mr_timers_due(struct mr_timers *timers, int64_t now_us) {
  if (mr_timers_next_us(timers) > now_us || timers->count == 0) return NULL;
  struct mr_timer *timer = timers->heap[0];
  mr_timer_clear(timers, timer);
  return timer;
}
