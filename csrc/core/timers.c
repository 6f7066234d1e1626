#include "timers.h"

#include "clock.h"

static bool is_earlier(const void *a, const void *b) {
  return ((const struct mr_timer *)a)->at_us < ((const struct mr_timer *)b)->at_us;
}

void mr_timers_init(struct mr_timers *timers) {
  mr_heap_init(&timers->heap, offsetof(struct mr_timer, place), is_earlier);
}

void mr_timers_free(struct mr_timers *timers) {
  mr_heap_free(&timers->heap);
}

enum mr_kind mr_timer_set(struct mr_timers *timers, struct mr_timer *timer, int64_t at_us) {
  mr_timer_clear(timers, timer);
  if (mr_heap_reserve(&timers->heap, timers->heap.size + 1)) return MR_LIMIT;
  timer->at_us = at_us;
  timer->is_set = true;
  timer->place = MR_HEAP_NOWHERE;
  mr_heap_add(&timers->heap, timer);
  return MR_NONE;
}

void mr_timer_clear(struct mr_timers *timers, struct mr_timer *timer) {
  if (!timer->is_set) return;
  timer->is_set = false;
  mr_heap_remove(&timers->heap, timer);
}

int64_t mr_timers_next_us(const struct mr_timers *timers) {
  const struct mr_timer *timer = mr_heap_first(&timers->heap);
  return timer ? timer->at_us : MR_NEVER;
}

struct mr_timer *mr_timers_due(struct mr_timers *timers, int64_t now_us) {
  struct mr_timer *timer = mr_heap_first(&timers->heap);
  if (!timer || timer->at_us > now_us) return NULL;
  mr_timer_clear(timers, timer);
  return timer;
}
