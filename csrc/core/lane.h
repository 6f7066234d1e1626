/*
** Tickets that wait for the same set of buckets, in the order in which they
** may go: by priority; within it those that jump, then the tasks in turn; within
** a task first come, first served.
*/
#ifndef MR_LANE_H
#define MR_LANE_H

#include <stdbool.h>
#include <stdint.h>

#include "hash_table.h"
#include "heap.h"
#include "limiter.h"

struct mr_lane;

struct mr_line { /* the tickets of one task */
  struct mr_hash_link link;
  struct mr_lane *lane;
  struct mr_ticket *first, *last;
  struct mr_line *previous, *next; /* a ring of the tasks of one priority */
  uint64_t task;
  int64_t units;
  uint8_t priority;
  bool jump; /* part of its lane, and in no ring */
};

struct mr_gate;

struct mr_lane {
  struct mr_hash_link link;
  struct mr_gate *gates[MR_TICKET_BUCKETS]; /* the queue's view of the buckets, in their order */
  uint32_t gate_count;
  uint32_t parked_place;   /* in the heap of the gate where it waits */
  uint32_t deadline_place; /* in the queue's heap of lanes */
  struct mr_gate *parked;
  uint64_t turn;            /* when it had its last one */
  uint32_t size;            /* tickets */
  struct mr_heap deadlines; /* tickets, the earliest first */
  struct mr_line jumps[MR_PRIORITY_COUNT];
  struct mr_line *rings[MR_PRIORITY_COUNT]; /* whose turn is next */
  uint32_t tasks[MR_PRIORITY_COUNT];        /* in the ring */
  int64_t units[MR_PRIORITY_COUNT];         /* all that wait */
};

/* 'lines' is the queue's table of all tasks in all lanes. */
void mr_lane_init(struct mr_lane *lane);
void mr_lane_free(struct mr_lane *lane); /* empty */

/* MR_LIMIT: no memory, and the ticket waits nowhere. */
enum mr_kind mr_lane_add(struct mr_lane *lane, struct mr_hash_table *lines,
                         struct mr_ticket *ticket);
struct mr_ticket *mr_lane_next(const struct mr_lane *lane); /* who may go; stays */
void mr_lane_remove(struct mr_hash_table *lines, struct mr_ticket *ticket, bool served);
struct mr_lane *mr_lane_of(const struct mr_ticket *ticket);

int64_t mr_lane_deadline_us(const struct mr_lane *lane); /* the earliest; MR_NEVER */
/* Units that certainly go before a ticket that enters now. */
int64_t mr_lane_ahead(const struct mr_lane *lane, const struct mr_hash_table *lines,
                      const struct mr_ticket *ticket);

/* Does a go before b at a bucket that both wait for? */
bool mr_lane_before(const void *a, const void *b);
bool mr_lane_deadline_before(const void *a, const void *b);

#endif
