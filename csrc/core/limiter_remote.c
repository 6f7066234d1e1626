#include "limiter_remote.h"

#include <string.h>

#include "hash_table.h"
#include "limiter_parts.h"
#include "memory.h"

#define MARGIN_PART     50             /* of the period, on top of it */
#define TOLERANCE(us)   ((us)*3 / 4)   /* of a margin: how late a slot may be used */
#define AHEAD_PART      16             /* of a window may be reserved by one process at a time */
#define LOOK_US         MR_MILLISECOND /* between looks for an answer */
#define SHARERS_UNKNOWN 16
#define LINES_MAX       4096 /* from here on idle ones go */

struct measures {
  int64_t shortest_us; /* period */
  int64_t interval_us; /* of the slowest */
  int64_t least_count;
};

struct line { /* the tickets that name the same buckets */
  struct mr_hash_link link;
  struct mr_bucket *buckets[MR_TICKET_BUCKETS];
  uint32_t bucket_count;
  int64_t slots_us[MR_KEEPER_SLOTS];
  uint32_t slot_count;
  bool asked;
  int64_t ask_again_us; /* the keeper has nothing before */
  int64_t alone_us;     /* next departure while the keeper is away */
  int64_t sharers;
  struct measures measures; /* as its buckets were when it was used last */
};

struct mr_remote {
  const struct mr_keeper_type *type;
  void *keeper;
  const struct mr_clock *clock;
  struct mr_hash_table lines;
  enum mr_keeper_state state;
  bool was_away;
};

enum mr_kind mr_remote_open(const struct mr_keeper_type *type, const struct mr_clock *clock,
                            const char *url, struct mr_remote **out, struct mr_error *error) {
  if (type->version != MR_KEEPER_VERSION)
    return mr_fail(error, MR_IO, "moonrest.%s is of another build of moonrest; reinstall it",
                   type->name);
  struct mr_remote *remote = mr_alloc_for("the shared limits", sizeof(*remote), error);
  if (!remote) return MR_LIMIT;
  *remote = (struct mr_remote){.type = type, .clock = clock, .state = MR_KEEPER_COMING};
  remote->keeper = type->open(clock, url, error);
  if (!remote->keeper) {
    mr_free(remote);
    return MR_IO;
  }
  *out = remote;
  return MR_NONE;
}

static void free_line(void *context, struct mr_hash_link *link) {
  (void)context;
  mr_free(link);
}

void mr_remote_close(struct mr_remote *remote) {
  if (!remote) return;
  mr_hash_table_each(&remote->lines, free_line, NULL);
  mr_hash_table_free(&remote->lines);
  remote->type->close(remote->keeper);
  mr_free(remote);
}

/* The slots are the parent's. */
static void forget_slots(void *context, struct mr_hash_link *link) {
  (void)context;
  struct line *line = (struct line *)link;
  line->slot_count = 0;
  line->asked = false;
}

void mr_remote_forked(struct mr_remote *remote) {
  mr_hash_table_each(&remote->lines, forget_slots, NULL);
  remote->type->forked(remote->keeper);
  remote->state = MR_KEEPER_COMING;
}

/*
** {======================================================
** Lines
** =======================================================
*/

static bool is_line_of(const struct line *line, const struct mr_ticket *ticket) {
  return line->bucket_count == ticket->bucket_count &&
         memcmp(line->buckets, ticket->buckets, ticket->bucket_count * sizeof(*line->buckets)) == 0;
}

static void visit_windows(const struct line *line, void *context,
                          void (*visit)(void *, const struct mr_bucket *,
                                        const struct mr_window_limit *)) {
  for (uint32_t i = 0; i < line->bucket_count; i++) {
    const struct mr_bucket_limits *limits = &line->buckets[i]->limits;
    for (uint32_t w = 0; w < limits->window_count; w++)
      visit(context, line->buckets[i], &limits->windows[w]);
  }
}

static void measure(void *context, const struct mr_bucket *bucket,
                    const struct mr_window_limit *window) {
  struct measures *measures = context;
  (void)bucket;
  int64_t interval_us = window->period_us / window->count + 1;
  if (window->period_us < measures->shortest_us) measures->shortest_us = window->period_us;
  if (window->count < measures->least_count) measures->least_count = window->count;
  if (interval_us > measures->interval_us) measures->interval_us = interval_us;
}

static struct line *measured(struct line *line) {
  line->measures = (struct measures){.shortest_us = MR_NEVER, .least_count = MR_NEVER};
  visit_windows(line, &line->measures, measure);
  return line;
}

/* The buckets of a line may be gone, or others may have their addresses: only one with a ticket is asked about them. */
static void free_idle(void *context, struct mr_hash_link *link) {
  struct mr_remote *remote = context;
  struct line *line = (struct line *)link;
  if (line->asked || line->slot_count > 0) return;
  mr_hash_table_remove(&remote->lines, link);
  mr_free(line);
}

static struct line *find_line(const struct mr_remote *remote, const struct mr_ticket *ticket) {
  struct mr_hash_link *link = mr_hash_table_find(&remote->lines, mr_ticket_hash(ticket));
  while (link && !is_line_of((struct line *)link, ticket))
    link = mr_hash_table_next(link);
  return (struct line *)link;
}

/* NULL: there is no memory. */
static struct line *line_of(struct mr_remote *remote, const struct mr_ticket *ticket) {
  struct line *line = find_line(remote, ticket);
  if (line) return measured(line);
  if (remote->lines.size >= LINES_MAX) mr_hash_table_each(&remote->lines, free_idle, remote);
  line = mr_alloc_zero(1, sizeof(*line));
  if (!line) return NULL;
  memcpy(line->buckets, ticket->buckets, sizeof(line->buckets));
  line->bucket_count = ticket->bucket_count;
  line->sharers = SHARERS_UNKNOWN;
  if (mr_hash_table_add(&remote->lines, &line->link, mr_ticket_hash(ticket))) return measured(line);
  mr_free(line);
  return NULL;
}

/* }====================================================== */

/*
** {======================================================
** Asking and hearing
** =======================================================
*/

static void add_window(void *context, const struct mr_bucket *bucket,
                       const struct mr_window_limit *window) {
  struct mr_keeper_ask *ask = context;
  const struct mr_bucket_limits *limits = &bucket->limits;
  ask->windows[ask->window_count++] = (struct mr_keeper_window){
      .key = bucket->key,
      .count = window->count,
      .period_us = window->period_us,
      .hold_us = window->period_us + window->period_us / MARGIN_PART,
      .burst = limits->burst > 0 && limits->burst < window->count ? limits->burst : window->count};
}

static int64_t most_ahead(const struct line *line) {
  int64_t most = line->measures.least_count / AHEAD_PART + 1;
  return most < MR_KEEPER_SLOTS ? most : MR_KEEPER_SLOTS;
}

static bool ask(struct mr_remote *remote, struct line *line, int64_t units, int64_t pause_us) {
  int64_t most = most_ahead(line);
  struct mr_keeper_ask ask = {.tag = (uintptr_t)line,
                              .units = (uint32_t)(units < most ? units : most),
                              .horizon_us = line->measures.shortest_us,
                              .pause_us = pause_us,
                              .careful = remote->was_away};
  visit_windows(line, &ask, add_window);
  return remote->type->ask(remote->keeper, &ask);
}

static void hear(struct mr_remote *remote, int64_t now_us) {
  struct mr_keeper_answer answer;
  while (remote->type->answer(remote->keeper, &answer)) {
    struct line *line = (struct line *)(uintptr_t)answer.tag;
    line->asked = false;
    line->ask_again_us = now_us + answer.wait_us;
    if (answer.sharers > 0) line->sharers = answer.sharers;
    for (uint32_t i = 0; i < answer.slot_count && line->slot_count < MR_KEEPER_SLOTS; i++)
      line->slots_us[line->slot_count++] = answer.slots_us[i];
    remote->was_away = false;
  }
}

static void stop_asking(void *context, struct mr_hash_link *link) {
  struct line *line = (struct line *)link;
  int64_t now_us = *(const int64_t *)context;
  line->asked = false;
  line->slot_count = 0;
  line->alone_us = mr_time_after(now_us, line->measures.interval_us * line->sharers);
}

static void look_around(struct mr_remote *remote, int64_t now_us, struct mr_error *trouble) {
  struct mr_error why = {0};
  enum mr_keeper_state before = remote->state;
  remote->state = remote->type->step(remote->keeper, &why);
  if (remote->state == MR_KEEPER_AWAY && before != MR_KEEPER_AWAY) {
    mr_hash_table_each(&remote->lines, stop_asking, &now_us);
    if (!remote->was_away)
      mr_fail(trouble, MR_IO, "%s; requests go on at this process's part of the limits",
              why.message);
    remote->was_away = true;
  }
  if (remote->state == MR_KEEPER_HERE && before != MR_KEEPER_HERE && remote->was_away)
    mr_fail(trouble, MR_IO, "the limits are shared through %s again", remote->type->name);
  hear(remote, now_us);
}

/* }====================================================== */

static void drop_first(struct line *line, uint32_t count) {
  line->slot_count -= count;
  memmove(line->slots_us, line->slots_us + count, line->slot_count * sizeof(*line->slots_us));
}

static void drop_missed(struct line *line, int64_t now_us) {
  int64_t tolerance_us = TOLERANCE(line->measures.shortest_us / MARGIN_PART);
  uint32_t missed = 0;
  while (missed < line->slot_count && line->slots_us[missed] + tolerance_us < now_us)
    missed++;
  if (missed > 0) drop_first(line, missed);
}

/* More units than an answer brings can never be together: the last one's slot is then enough. */
static uint32_t units_of(const struct line *line, const struct mr_ticket *ticket) {
  int64_t most = most_ahead(line), units = mr_ticket_units(ticket);
  return (uint32_t)(units < most ? units : most);
}

static bool has_windows(const struct mr_ticket *ticket) {
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    if (ticket->buckets[i]->limits.window_count > 0) return true;
  return false;
}

int64_t mr_remote_ready(struct mr_remote *remote, const struct mr_ticket *ticket, int64_t wanted,
                        int64_t now_us, struct mr_error *trouble) {
  struct line *line = has_windows(ticket) ? line_of(remote, ticket) : NULL;
  if (!line) return has_windows(ticket) ? now_us + MR_SECOND : now_us;
  look_around(remote, now_us, trouble);
  if (remote->state == MR_KEEPER_COMING && !remote->was_away) return now_us + LOOK_US;
  if (remote->state != MR_KEEPER_HERE) return line->alone_us > now_us ? line->alone_us : now_us;
  drop_missed(line, now_us);
  uint32_t units = units_of(line, ticket);
  bool enough = line->slot_count >= units;
  if (!line->asked && now_us >= line->ask_again_us && line->slot_count < wanted &&
      line->slot_count < MR_KEEPER_SLOTS / 2)
    line->asked = ask(remote, line, wanted - line->slot_count, 0);
  int64_t ready_us = enough ? line->slots_us[units - 1] : MR_NEVER;
  if (ready_us <= now_us) return now_us;
  if (line->asked || !enough) {
    int64_t look_us = now_us + LOOK_US;
    if (!line->asked && line->ask_again_us > look_us) look_us = line->ask_again_us;
    return look_us < ready_us ? look_us : ready_us;
  }
  return ready_us;
}

void mr_remote_look(const struct mr_remote *remote, const struct mr_ticket *ticket,
                    struct mr_remote_view *view) {
  const struct line *line = find_line(remote, ticket);
  *view = (struct mr_remote_view){.name = remote->type->name};
  if (!line || remote->state == MR_KEEPER_HERE) return;
  view->is_awaited = remote->state == MR_KEEPER_COMING && !remote->was_away;
  if (view->is_awaited) return;
  view->sharers = line->sharers;
  view->alone_us = line->alone_us;
}

void mr_remote_take(struct mr_remote *remote, const struct mr_ticket *ticket, int64_t now_us) {
  struct line *line = has_windows(ticket) ? line_of(remote, ticket) : NULL;
  if (!line) return;
  uint32_t units = units_of(line, ticket);
  if (remote->state != MR_KEEPER_HERE) {
    int64_t wait_us = line->measures.interval_us * line->sharers * mr_ticket_units(ticket);
    line->alone_us = mr_time_after(now_us, wait_us);
  } else if (line->slot_count >= units) {
    drop_first(line, units);
  }
}

/* Of use only as long as its moment has not passed. */
void mr_remote_give_back(struct mr_remote *remote, const struct mr_ticket *ticket) {
  struct line *line = has_windows(ticket) ? line_of(remote, ticket) : NULL;
  if (!line || remote->state != MR_KEEPER_HERE || line->slot_count == MR_KEEPER_SLOTS) return;
  memmove(line->slots_us + 1, line->slots_us, line->slot_count++ * sizeof(*line->slots_us));
  line->slots_us[0] = ticket->granted_us;
}

void mr_remote_pause(struct mr_remote *remote, const struct mr_ticket *ticket, int64_t pause_us) {
  struct line *line = has_windows(ticket) ? line_of(remote, ticket) : NULL;
  if (line && remote->state == MR_KEEPER_HERE && !line->asked)
    line->asked = ask(remote, line, 0, pause_us);
}
