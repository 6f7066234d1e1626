/*
** Things to do at a time: intrusive timers in a heap, O(log n) both ways.
*/
#ifndef MR_TIMERS_H
#define MR_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "heap.h"

struct mr_timer { /* zeroed before first use */
  int64_t at_us;
  bool is_set;
  uint32_t place; /* the heap's */
  void *owner;
};

struct mr_timers {
  struct mr_heap heap;
};

void mr_timers_init(struct mr_timers *timers);
void mr_timers_free(struct mr_timers *timers);
/* MR_LIMIT: no memory. */
enum mr_kind mr_timer_set(struct mr_timers *timers, struct mr_timer *timer, int64_t at_us);
void mr_timer_clear(struct mr_timers *timers, struct mr_timer *timer); /* fine when not set */
int64_t mr_timers_next_us(const struct mr_timers *timers); /* MR_NEVER when there is none */
/* Taken out; NULL: none is due. */
struct mr_timer *mr_timers_due(struct mr_timers *timers, int64_t now_us);

#endif
