#include "lane.h"

#include <string.h>

#include "limiter_parts.h"
#include "memory.h"

static bool ticket_deadline_before(const void *a, const void *b) {
  return ((const struct mr_ticket *)a)->deadline_us < ((const struct mr_ticket *)b)->deadline_us;
}

void mr_lane_init(struct mr_lane *lane) {
  memset(lane, 0, sizeof(*lane));
  lane->parked_place = lane->deadline_place = MR_HEAP_NOWHERE;
  mr_heap_init(&lane->deadlines, offsetof(struct mr_ticket, heap_index), ticket_deadline_before);
  for (int i = 0; i < MR_PRIORITY_COUNT; i++)
    lane->jumps[i] = (struct mr_line){.lane = lane, .priority = (uint8_t)i, .jump = true};
}

void mr_lane_free(struct mr_lane *lane) {
  mr_heap_free(&lane->deadlines);
}

struct mr_lane *mr_lane_of(const struct mr_ticket *ticket) {
  return ((const struct mr_line *)ticket->lane)->lane;
}

/*
** {======================================================
** Lines of tasks
** =======================================================
*/

static uint64_t line_hash(const struct mr_lane *lane, const struct mr_ticket *ticket) {
  return mr_hash_mix(mr_hash_mix((uintptr_t)lane, ticket->task), ticket->priority);
}

static struct mr_line *find_line(const struct mr_lane *lane, const struct mr_hash_table *lines,
                                 const struct mr_ticket *ticket) {
  struct mr_hash_link *link = mr_hash_table_find(lines, line_hash(lane, ticket));
  for (; link; link = mr_hash_table_next(link)) {
    struct mr_line *line = (struct mr_line *)link;
    if (line->lane == lane && line->task == ticket->task && line->priority == ticket->priority)
      return line;
  }
  return NULL;
}

/* A new task comes behind all others: before the one whose turn it is, in a ring. */
static void join_ring(struct mr_lane *lane, struct mr_line *line) {
  struct mr_line *first = lane->rings[line->priority];
  if (!first) {
    lane->rings[line->priority] = line->previous = line->next = line;
  } else {
    line->next = first;
    line->previous = first->previous;
    line->previous->next = line;
    first->previous = line;
  }
  lane->tasks[line->priority]++;
}

static void leave_ring(struct mr_lane *lane, struct mr_line *line) {
  struct mr_line **ring = &lane->rings[line->priority];
  if (*ring == line) *ring = line->next == line ? NULL : line->next;
  line->previous->next = line->next;
  line->next->previous = line->previous;
  lane->tasks[line->priority]--;
}

static struct mr_line *make_line(struct mr_lane *lane, struct mr_hash_table *lines,
                                 const struct mr_ticket *ticket) {
  struct mr_line *line = mr_alloc_zero(1, sizeof(*line));
  if (!line) return NULL;
  line->lane = lane;
  line->task = ticket->task;
  line->priority = ticket->priority;
  if (!mr_hash_table_add(lines, &line->link, line_hash(lane, ticket))) {
    mr_free(line);
    return NULL;
  }
  join_ring(lane, line);
  return line;
}

static void drop_line(struct mr_hash_table *lines, struct mr_line *line) {
  leave_ring(line->lane, line);
  mr_hash_table_remove(lines, &line->link);
  mr_free(line);
}

/* }====================================================== */

static void link_ticket(struct mr_line *line, struct mr_ticket *ticket) {
  ticket->lane = line;
  ticket->next = NULL;
  ticket->previous = line->last;
  if (line->last)
    line->last->next = ticket;
  else
    line->first = ticket;
  line->last = ticket;
}

static void unlink_ticket(struct mr_line *line, struct mr_ticket *ticket) {
  if (ticket->previous)
    ticket->previous->next = ticket->next;
  else
    line->first = ticket->next;
  if (ticket->next)
    ticket->next->previous = ticket->previous;
  else
    line->last = ticket->previous;
  ticket->previous = ticket->next = NULL;
  ticket->lane = NULL;
}

/* NULL: no memory for a new one. */
static struct mr_line *line_for(struct mr_lane *lane, struct mr_hash_table *lines,
                                struct mr_ticket *ticket) {
  if (ticket->jump) return &lane->jumps[ticket->priority];
  struct mr_line *line = find_line(lane, lines, ticket);
  return line ? line : make_line(lane, lines, ticket);
}

enum mr_kind mr_lane_add(struct mr_lane *lane, struct mr_hash_table *lines,
                         struct mr_ticket *ticket) {
  bool timed = ticket->deadline_us != MR_NEVER;
  ticket->heap_index = MR_HEAP_NOWHERE;
  if (timed && mr_heap_reserve(&lane->deadlines, lane->deadlines.size + 1)) return MR_LIMIT;
  struct mr_line *line = line_for(lane, lines, ticket);
  if (!line) return MR_LIMIT;
  link_ticket(line, ticket);
  if (timed) mr_heap_add(&lane->deadlines, ticket);
  line->units += mr_ticket_units(ticket);
  lane->units[ticket->priority] += mr_ticket_units(ticket);
  lane->size++;
  return MR_NONE;
}

struct mr_ticket *mr_lane_next(const struct mr_lane *lane) {
  for (uint32_t i = 0; i < MR_PRIORITY_COUNT; i++) {
    if (lane->jumps[i].first) return lane->jumps[i].first;
    if (lane->rings[i]) return lane->rings[i]->first;
  }
  return NULL;
}

/* Whoever was served lets the other tasks go first. */
void mr_lane_remove(struct mr_hash_table *lines, struct mr_ticket *ticket, bool served) {
  struct mr_line *line = ticket->lane;
  struct mr_lane *lane = line->lane;
  mr_heap_remove(&lane->deadlines, ticket);
  unlink_ticket(line, ticket);
  line->units -= mr_ticket_units(ticket);
  lane->units[line->priority] -= mr_ticket_units(ticket);
  lane->size--;
  if (line->jump) return;
  if (served) lane->rings[line->priority] = line->next;
  if (!line->first) drop_line(lines, line);
}

int64_t mr_lane_deadline_us(const struct mr_lane *lane) {
  const struct mr_ticket *ticket = mr_heap_first(&lane->deadlines);
  return ticket ? ticket->deadline_us : MR_NEVER;
}

/* Every task has at least one ticket, and a turn before that of a task that comes now. */
int64_t mr_lane_ahead(const struct mr_lane *lane, const struct mr_hash_table *lines,
                      const struct mr_ticket *ticket) {
  int64_t ahead = lane->jumps[ticket->priority].units;
  for (uint32_t i = 0; i < ticket->priority; i++)
    ahead += lane->units[i];
  if (ticket->jump) return ahead;
  const struct mr_line *line = find_line(lane, lines, ticket);
  uint32_t others = lane->tasks[ticket->priority] - (line ? 1 : 0);
  return ahead + others + (line ? line->units : 0);
}

/* High before normal; a jumper before the rest; then who has waited longest for a turn. */
bool mr_lane_before(const void *a, const void *b) {
  const struct mr_lane *left = a, *right = b;
  const struct mr_ticket *left_next = mr_lane_next(left), *right_next = mr_lane_next(right);
  if (!left_next || !right_next) return left_next != NULL;
  if (left_next->priority != right_next->priority)
    return left_next->priority < right_next->priority;
  if (left_next->jump != right_next->jump) return left_next->jump;
  return left->turn < right->turn;
}

bool mr_lane_deadline_before(const void *a, const void *b) {
  return mr_lane_deadline_us(a) < mr_lane_deadline_us(b);
}
