#include "gate.h"
#include "memory.h"

/* Between looks when only somebody else's event can free a slot. */
#define POLL_US       (5 * MR_MILLISECOND)
#define LEAST_TOLD_US (50 * MR_MILLISECOND) /* of a wait: less is 0.0 s in a message */
#define SWEEP_US      MR_SECOND /* a wait so long is worth a look at everyone's deadline */

struct mr_queue *mr_queue_open(struct mr_limiter *limiter, const struct mr_clock *clock,
                               uint64_t seed) {
  struct mr_queue *queue = mr_alloc_zero(1, sizeof(*queue));
  if (!queue) return NULL;
  queue->limiter = limiter;
  queue->clock = clock;
  mr_random_seed(&queue->random, seed);
  mr_heap_init(&queue->wakes, offsetof(struct mr_gate, place), mr_gate_wake_before);
  mr_heap_init(&queue->deadlines, offsetof(struct mr_lane, deadline_place),
               mr_lane_deadline_before);
  mr_limiter_retain(limiter);
  atomic_fetch_add(&limiter->queues, 1);
  return queue;
}

void mr_queue_close(struct mr_queue *queue) {
  if (!queue) return;
  mr_hash_table_free(&queue->gates);
  mr_hash_table_free(&queue->lanes);
  mr_hash_table_free(&queue->lines);
  mr_heap_free(&queue->wakes);
  mr_heap_free(&queue->deadlines);
  atomic_fetch_sub(&queue->limiter->queues, 1);
  mr_limiter_close(queue->limiter);
  mr_free(queue);
}

/*
** {======================================================
** Lanes of this queue
** =======================================================
*/

static bool is_lane_of(const struct mr_lane *lane, const struct mr_ticket *ticket) {
  bool same = lane->gate_count == ticket->bucket_count;
  for (uint32_t i = 0; same && i < lane->gate_count; i++)
    same = lane->gates[i]->bucket == ticket->buckets[i];
  return same;
}

static struct mr_lane *find_lane(const struct mr_queue *queue, const struct mr_ticket *ticket) {
  struct mr_hash_link *link = mr_hash_table_find(&queue->lanes, mr_ticket_hash(ticket));
  while (link && !is_lane_of((struct mr_lane *)link, ticket))
    link = mr_hash_table_next(link);
  return (struct mr_lane *)link;
}

static void drop_lane(struct mr_queue *queue, struct mr_lane *lane) {
  mr_heap_remove(&queue->deadlines, lane);
  mr_gate_close_all(queue, lane);
  mr_hash_table_remove(&queue->lanes, &lane->link);
  mr_lane_free(lane);
  mr_free(lane);
}

static struct mr_lane *make_lane(struct mr_queue *queue, const struct mr_ticket *ticket) {
  if (mr_heap_reserve(&queue->deadlines, queue->lanes.size + 1)) return NULL;
  struct mr_lane *lane = mr_alloc(sizeof(*lane));
  if (!lane) return NULL;
  mr_lane_init(lane);
  lane->turn = ++queue->turn;
  if (mr_hash_table_add(&queue->lanes, &lane->link, mr_ticket_hash(ticket))) {
    if (!mr_gate_open_all(queue, lane, ticket->buckets, ticket->bucket_count)) return lane;
    mr_hash_table_remove(&queue->lanes, &lane->link);
  }
  mr_free(lane);
  return NULL;
}

static void track_deadline(struct mr_queue *queue, struct mr_lane *lane) {
  bool timed = lane->deadlines.size > 0, tracked = lane->deadline_place != MR_HEAP_NOWHERE;
  if (timed && tracked)
    mr_heap_moved(&queue->deadlines, lane);
  else if (timed)
    mr_heap_add(&queue->deadlines, lane);
  else
    mr_heap_remove(&queue->deadlines, lane);
}

static void count_queued(const struct mr_ticket *ticket, unsigned change) {
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    atomic_fetch_add_explicit(&ticket->buckets[i]->queued, change, memory_order_relaxed);
}

static void remove_ticket(struct mr_queue *queue, struct mr_ticket *ticket, bool served) {
  struct mr_lane *lane = mr_lane_of(ticket);
  mr_lane_remove(&queue->lines, ticket, served);
  count_queued(ticket, -1U);
  queue->size--;
  if (served) lane->turn = ++queue->turn;
  if (lane->size == 0) {
    drop_lane(queue, lane);
    return;
  }
  track_deadline(queue, lane);
  mr_gate_park(lane->parked, lane);
}

/* }====================================================== */

/*
** {======================================================
** In
** =======================================================
*/

static struct mr_gate *crowded_gate(const struct mr_queue *queue, const struct mr_ticket *ticket) {
  for (uint32_t i = 0; i < ticket->bucket_count && queue->size > 0; i++) {
    struct mr_gate *gate = mr_gate_find(queue, ticket->buckets[i]);
    if (gate && gate->lanes.size > 0) return gate;
  }
  return NULL;
}

/* Named twice, a bucket would be asked for one unit twice and lose two. */
static void drop_repeated_buckets(struct mr_ticket *ticket) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < ticket->bucket_count; i++) {
    bool seen = false;
    for (uint32_t j = 0; j < kept; j++)
      seen = seen || ticket->buckets[j] == ticket->buckets[i];
    if (!seen) ticket->buckets[kept++] = ticket->buckets[i];
  }
  ticket->bucket_count = kept;
}

static enum mr_kind comes_too_late(const struct mr_ticket *ticket, int64_t retry_after_us,
                                   struct mr_error *error) {
  return mr_fail(error, MR_THROTTLED,
                 "the limits allow this request in %.1f s at the earliest, and it may wait %.1f s",
                 (double)retry_after_us / MR_SECOND,
                 (double)(ticket->deadline_us - ticket->entered_us) / MR_SECOND);
}

static enum mr_kind check_fit(struct mr_queue *queue, const struct mr_lane *lane,
                              const struct mr_ticket *ticket, int64_t *retry_after_us,
                              struct mr_error *error) {
  if (ticket->deadline_us == MR_NEVER) return MR_NONE;
  int64_t ahead = lane ? mr_lane_ahead(lane, &queue->lines, ticket) : 0;
  int64_t at_us = mr_limiter_estimate(queue->limiter, ticket, ahead, ticket->entered_us);
  if (at_us <= ticket->deadline_us) return MR_NONE;
  *retry_after_us = at_us - ticket->entered_us;
  return comes_too_late(ticket, *retry_after_us, error);
}

static enum mr_kind wait_in(struct mr_queue *queue, struct mr_lane *lane, struct mr_ticket *ticket,
                            struct mr_gate *gate, int64_t ready_us, struct mr_error *error) {
  if (!lane) lane = make_lane(queue, ticket);
  if (!lane || mr_lane_add(lane, &queue->lines, ticket)) {
    if (lane && lane->size == 0) drop_lane(queue, lane);
    return mr_fail(error, MR_LIMIT, "out of memory for a waiting request");
  }
  ticket->state = MR_TICKET_QUEUED;
  queue->size++;
  count_queued(ticket, 1);
  track_deadline(queue, lane);
  if (!lane->parked || lane->size == 1) mr_gate_park(gate, lane);
  mr_gate_park(lane->parked, lane);
  if (ready_us < lane->parked->wake_us) mr_gate_wake(queue, lane->parked, ready_us);
  return MR_NONE;
}

static int64_t or_poll(struct mr_queue *queue, int64_t ready_us, int64_t now_us) {
  if (ready_us != MR_NEVER || !mr_limiter_is_shared(queue->limiter)) return ready_us;
  return now_us + POLL_US + mr_random_below(&queue->random, POLL_US / 4);
}

/* Behind others only the head of the line needs a look, and only when that is the newcomer. */
static enum mr_kind enter_behind(struct mr_queue *queue, struct mr_ticket *ticket,
                                 struct mr_gate *gate, int64_t *retry_after_us,
                                 struct mr_error *error) {
  struct mr_lane *lane = find_lane(queue, ticket);
  enum mr_kind kind = check_fit(queue, lane, ticket, retry_after_us, error);
  if (!kind) kind = wait_in(queue, lane, ticket, gate, MR_NEVER, error);
  if (kind) return kind;
  gate = mr_lane_of(ticket)->parked;
  if (mr_lane_next(mr_heap_first(&gate->lanes)) == ticket)
    mr_gate_wake(queue, gate, ticket->entered_us);
  return MR_NONE;
}

enum mr_kind mr_queue_enter(struct mr_queue *queue, struct mr_ticket *ticket,
                            int64_t *retry_after_us, struct mr_error *error) {
  int64_t now_us = mr_clock_now(queue->clock), ready_us = now_us;
  uint32_t blocker = 0;
  if (ticket->state != MR_TICKET_IDLE) mr_ticket_cancel(queue, ticket);
  if (ticket->priority >= MR_PRIORITY_COUNT) ticket->priority = MR_PRIORITY_LOW;
  drop_repeated_buckets(ticket);
  ticket->entered_us = now_us;
  struct mr_gate *gate = crowded_gate(queue, ticket);
  if (!gate && mr_limiter_take(queue->limiter, ticket, now_us, &blocker, &ready_us)) return MR_NONE;
  if (queue->size >= MR_QUEUE_MAX)
    return mr_fail(error, MR_LIMIT, "%d requests wait already; let some finish first",
                   MR_QUEUE_MAX);
  if (gate) return enter_behind(queue, ticket, gate, retry_after_us, error);
  enum mr_kind kind = check_fit(queue, NULL, ticket, retry_after_us, error);
  if (kind) return kind;
  struct mr_lane *lane = make_lane(queue, ticket);
  if (!lane) return mr_fail(error, MR_LIMIT, "out of memory for a waiting request");
  return wait_in(queue, lane, ticket, lane->gates[blocker], or_poll(queue, ready_us, now_us),
                 error);
}

/* }====================================================== */

/*
** {======================================================
** Out
** =======================================================
*/

static struct mr_ticket *give_up(struct mr_queue *queue, struct mr_ticket *ticket, int64_t now_us,
                                 int64_t *retry_after_us) {
  struct mr_remote_view view = {0};
  int64_t at_us = mr_limiter_estimate(queue->limiter, ticket, 0, now_us);
  mr_limiter_look_elsewhere(queue->limiter, ticket, &view);
  *retry_after_us = (view.alone_us > at_us ? view.alone_us : at_us) - now_us;
  remove_ticket(queue, ticket, false);
  ticket->state = MR_TICKET_IDLE;
  return ticket;
}

static struct mr_ticket *overdue(struct mr_queue *queue, int64_t now_us) {
  struct mr_lane *lane = mr_heap_first(&queue->deadlines);
  bool late = lane && mr_lane_deadline_us(lane) < now_us;
  return late ? mr_heap_first(&lane->deadlines) : NULL;
}

/* Somebody at this gate whose deadline comes before the gate can open. */
static struct mr_ticket *unfit(struct mr_gate *gate, struct mr_lane *lane, int64_t ready_us,
                               int64_t now_us) {
  if (ready_us == MR_NEVER) return NULL;
  if (mr_lane_deadline_us(lane) < ready_us) return mr_heap_first(&lane->deadlines);
  if (ready_us - now_us < SWEEP_US || ready_us <= gate->swept_us) return NULL;
  for (uint32_t i = 0; i < gate->lanes.size; i++) {
    struct mr_lane *other = gate->lanes.items[i];
    if (mr_lane_deadline_us(other) < ready_us) return mr_heap_first(&other->deadlines);
  }
  gate->swept_us = ready_us;
  return NULL;
}

static struct mr_ticket *try_gate(struct mr_queue *queue, struct mr_gate *gate, int64_t now_us,
                                  int64_t *retry_after_us) {
  struct mr_lane *lane = mr_heap_first(&gate->lanes);
  if (!lane) {
    mr_gate_wake(queue, gate, MR_NEVER);
    return NULL;
  }
  struct mr_ticket *ticket = mr_lane_next(lane);
  uint32_t blocker = 0;
  int64_t ready_us;
  if (mr_limiter_take(queue->limiter, ticket, now_us, &blocker, &ready_us)) {
    remove_ticket(queue, ticket, true);
    return ticket;
  }
  struct mr_gate *closed = lane->gates[blocker];
  if ((ticket = unfit(closed, lane, ready_us, now_us)))
    return give_up(queue, ticket, now_us, retry_after_us);
  ready_us = or_poll(queue, ready_us, now_us);
  mr_gate_park(closed, lane);
  if (closed == gate || ready_us < closed->wake_us) mr_gate_wake(queue, closed, ready_us);
  return NULL;
}

struct mr_ticket *mr_queue_next(struct mr_queue *queue, int64_t *retry_after_us) {
  if (queue->size == 0) return NULL;
  int64_t now_us = mr_clock_now(queue->clock);
  struct mr_ticket *ticket = overdue(queue, now_us);
  if (ticket) return give_up(queue, ticket, now_us, retry_after_us);
  struct mr_gate *gate;
  while ((gate = mr_heap_first(&queue->wakes)) && gate->wake_us <= now_us) {
    ticket = try_gate(queue, gate, now_us, retry_after_us);
    if (ticket) return ticket;
  }
  return NULL;
}

enum mr_kind mr_queue_explain(struct mr_queue *queue, const struct mr_ticket *ticket,
                              int64_t retry_after_us, struct mr_error *error) {
  struct mr_remote_view view = {0};
  double could_s = (double)(ticket->deadline_us - ticket->entered_us) / MR_SECOND;
  mr_limiter_look_elsewhere(queue->limiter, ticket, &view);
  if (view.sharers > 0 && retry_after_us >= LEAST_TOLD_US)
    return mr_fail(
        error, MR_THROTTLED,
        "%s, which shares the limits, is away; the 1/%lld of them that this process goes on "
        "with allows this request in %.1f s at the earliest, and it may wait %.1f s: raise "
        "max_wait or timeout, or see why it is away",
        view.name, (long long)view.sharers, (double)retry_after_us / MR_SECOND, could_s);
  if (view.is_awaited)
    return mr_fail(
        error, MR_THROTTLED,
        "%s, which shares the limits, has not answered in the %.1f s that this request may "
        "wait: raise max_wait or timeout, or see why it does not answer",
        view.name, could_s);
  if (retry_after_us >= LEAST_TOLD_US) return comes_too_late(ticket, retry_after_us, error);
  return mr_fail(error, MR_THROTTLED,
                 "no slot in the %.1f s that this request may wait, others were before it: raise "
                 "max_wait or timeout, or ask for less at once",
                 could_s);
}

int64_t mr_queue_wake_us(struct mr_queue *queue) {
  const struct mr_gate *gate = mr_heap_first(&queue->wakes);
  const struct mr_lane *lane = mr_heap_first(&queue->deadlines);
  int64_t wake_us = gate ? gate->wake_us : MR_NEVER;
  int64_t late_us = lane ? mr_time_after(mr_lane_deadline_us(lane), 1) : MR_NEVER;
  return wake_us < late_us ? wake_us : late_us;
}

/* }====================================================== */

void mr_queue_leave(struct mr_queue *queue, struct mr_ticket *ticket) {
  remove_ticket(queue, ticket, false);
  ticket->state = MR_TICKET_IDLE;
}

void mr_queue_rearm(struct mr_queue *queue, const struct mr_ticket *ticket, bool freed) {
  if (queue->size == 0) return;
  int64_t now_us = mr_clock_now(queue->clock);
  for (uint32_t i = 0; i < ticket->bucket_count; i++) {
    struct mr_gate *gate = mr_gate_find(queue, ticket->buckets[i]);
    if (gate && gate->lanes.size > 0 && (freed || gate->wake_us == MR_NEVER))
      mr_gate_wake(queue, gate, now_us);
  }
}

void mr_queue_look_again(struct mr_queue *queue, const struct mr_bucket *bucket) {
  struct mr_gate *gate = queue->size > 0 ? mr_gate_find(queue, bucket) : NULL;
  if (gate && gate->lanes.size > 0) mr_gate_wake(queue, gate, mr_clock_now(queue->clock));
}

struct mr_limiter *mr_queue_limiter(const struct mr_queue *queue) {
  return queue->limiter;
}
const struct mr_clock *mr_queue_clock(const struct mr_queue *queue) {
  return queue->clock;
}
