#include "lua/collector.h"

#include "core/memory.h"
#include "lua/marker.h"

#define KIB 1024

/* While a step works. Should so much be allocated before it ends, the collector goes on by itself. */
#define HELD_KIB (16 * KIB)

/* That the host may allocate between two steps before the collector, in the middle of a cycle, works there. */
#define LENT_KIB 256

/* A cycle is not worth its while for less garbage: its longest piece, the end of marking, is as long as for more. With
** 200 tasks that is 0.2 to 0.3 ms, more than a small budget, and comes once in 30 s instead of twice with half of this. */
#define LEAST_GARBAGE ((int64_t)8 * KIB * KIB)

/* That comes while it runs. */
#define LEAST_ROOM ((int64_t)2 * KIB * KIB)

/* What a cycle takes for each byte, before one was seen, and at least. */
#define US_PER_BYTE       (1.0 / 400)
#define LEAST_US_PER_BYTE (US_PER_BYTE / 8)

/* What the end of marking takes, before one was seen. */
#define CLOSING_US 150

/* More than this is not put off, if it does not fit into a step beside the rest: nothing more is allocated before it is
** done. */
#define MOST_OWED_US 3000

/* What took longer was interrupted. */
#define MOST_PIECE_US 1000

/* Of a cycle: by then the registry was reached. */
#define FIRST_PIECES 4

/* Of a budget. */
#define MOST_SHARE 0.7

/* A smaller budget is not divided: its longest piece would not fit beside anything. */
#define LEAST_DIVIDED_US 500

/* What a step of the collector's own takes: at least where the end of marking nears; and of the budget, where that is not
** seen. And one piece more. */
#define LEAST_OWN_US 10
#define BLIND_SHARE  4

/* Steps of its own in a row where the end nears. */
#define MOST_OWN 3

/* Steps in a row that may have no time for it. */
#define MOST_SKIPPED 3

/* A step that works for nothing tells Lua how far it is until the next one. */
static void put_off(lua_State *L, int kib) {
  lua_gc(L, LUA_GCRESTART);
  lua_gc(L, LUA_GCSTEP, -kib);
}

/* To look at the mode is to change it. For the incremental one that is nothing. */
static bool is_generational(lua_State *L) {
  if (lua_gc(L, LUA_GCINC, 0, 0, 0) != LUA_GCGEN) return false;
  lua_gc(L, LUA_GCGEN, 0, 0);
  return true;
}

static bool is_steerable(lua_State *L, struct mr_lua_collector *collector) {
  if (collector->is_generational || lua_gc(L, LUA_GCISRUNNING) != 1) return false;
  collector->is_generational = is_generational(L);
  return !collector->is_generational;
}

/* Marking may end at any time, and will not be seen coming. */
static bool is_blind(const struct mr_lua_collector *collector) {
  return !collector->phase.tells && !collector->phase.has_marked;
}

/* What the next piece may take. */
static int64_t next_piece_us(const struct mr_lua_collector *collector) {
  bool may_close = collector->phase.nears || is_blind(collector);
  bool is_longer = may_close && collector->closing_us > collector->piece_us;
  return is_longer ? collector->closing_us : collector->piece_us;
}

/* So long that the longest piece that may come next would be through in time behind it. */
static int64_t own_us(const struct mr_lua_collector *collector, int64_t budget_us) {
  int64_t least_us = is_blind(collector) ? budget_us / BLIND_SHARE : LEAST_OWN_US;
  int64_t left_us = budget_us - next_piece_us(collector);
  return left_us > least_us ? left_us : least_us;
}

/* Never twice in a row, but when all else has to wait, or to be done with marking before there is more to be marked. */
static bool has_own_step(const struct mr_lua_collector *collector, int64_t budget_us) {
  if (collector->owed_us > MOST_OWED_US) return true;
  if (collector->own_steps > 0) return collector->phase.nears && collector->own_steps < MOST_OWN;
  return collector->waste.first || collector->owed_us >= (double)own_us(collector, budget_us);
}

int64_t mr_lua_collector_hold(lua_State *L, struct mr_lua_collector *collector, int64_t budget_us) {
  collector->is_held = is_steerable(L, collector);
  if (!collector->is_held) return 0;
  put_off(L, HELD_KIB);
  collector->is_apart = budget_us < LEAST_DIVIDED_US;
  if (collector->is_apart) {
    collector->own_steps = has_own_step(collector, budget_us) ? collector->own_steps + 1 : 0;
    return collector->own_steps > 0 ? MR_NEVER : 0;
  }
  double most_us = (double)budget_us * MOST_SHARE;
  if (collector->owed_us > MOST_OWED_US && collector->owed_us > most_us) return MR_NEVER;
  int64_t piece_us = next_piece_us(collector);
  double due_us = collector->owed_us + collector->recent_us;
  if (collector->owed_us > 0 && due_us < (double)piece_us) due_us = (double)piece_us;
  if (due_us > most_us && collector->skipped > 0 && (double)piece_us > most_us) return budget_us;
  if (due_us > most_us) due_us = most_us;
  return due_us > 0 ? (int64_t)due_us : 0;
}

/* {====== What is due ====== */

static int64_t pause_percent(lua_State *L) {
  int pause = lua_gc(L, LUA_GCSETPAUSE, 0);
  lua_gc(L, LUA_GCSETPAUSE, pause);
  return pause > 100 ? pause : 100;
}

static void rest(lua_State *L, struct mr_lua_collector *collector, int64_t bytes) {
  collector->is_resting = true;
  collector->start_bytes = bytes / 100 * pause_percent(L);
  if (collector->start_bytes < bytes + LEAST_GARBAGE)
    collector->start_bytes = bytes + LEAST_GARBAGE;
  collector->room_bytes = bytes / 2 > LEAST_ROOM ? bytes / 2 : LEAST_ROOM;
  collector->owed_us = 0;
}

static void begin(lua_State *L, struct mr_lua_collector *collector, int64_t bytes) {
  if (collector->room_bytes < LEAST_ROOM) collector->room_bytes = LEAST_ROOM;
  if (collector->us_per_byte < LEAST_US_PER_BYTE) collector->us_per_byte = US_PER_BYTE;
  if (collector->closing_us == 0) collector->closing_us = CLOSING_US;
  collector->is_resting = false;
  collector->start_bytes = collector->handled_bytes = bytes;
  collector->spent_us = 0;
  collector->pieces = 0;
  mr_lua_phase_begin(L, &collector->phase);
}

/* Adds the part of a cycle that these bytes stand for, and what they take themselves: they live until its end. */
static void charge(struct mr_lua_collector *collector, int64_t grown) {
  double due_us = 0;
  if (grown > 0) {
    double share = (double)collector->start_bytes / (double)collector->room_bytes;
    due_us = collector->us_per_byte * (double)grown * (share + 1);
    collector->handled_bytes += grown;
  }
  collector->owed_us += due_us;
  collector->recent_us += (due_us - collector->recent_us) / 4;
}

static void look(lua_State *L, struct mr_lua_collector *collector, int64_t bytes) {
  bool is_new = collector->start_bytes == 0; /* it may be anywhere in its cycle */
  int64_t grown = is_new ? 0 : bytes - collector->seen_bytes;
  if (is_new || (collector->is_resting && bytes >= collector->start_bytes))
    begin(L, collector, bytes);
  if (!collector->is_resting)
    charge(collector, grown);
  else
    collector->recent_us = 0;
}

/* }====== */

/* {====== Work ====== */

/* The least that Lua can be asked for. What it frees is joined at once: the C library would do it later, all together,
** when it is asked for something large. True at the end of a cycle. */
static bool work(lua_State *L, struct mr_lua_collector *collector) {
  if (mr_waste_free_one(&collector->waste)) return false;
  int multiplier = lua_gc(L, LUA_GCSETSTEPMUL, 0);
  bool is_over = lua_gc(L, LUA_GCSTEP, 0) == 1;
  lua_gc(L, LUA_GCSETSTEPMUL, multiplier);
  mr_memory_settle();
  return is_over;
}

static void note_piece(struct mr_lua_collector *collector, int64_t took_us) {
  collector->spent_us += took_us;
  collector->owed_us -= (double)took_us + 0.5;
  int64_t decayed_us = collector->piece_us - collector->piece_us / 16;
  collector->piece_us = took_us > decayed_us ? took_us : decayed_us;
  if (collector->piece_us > MOST_PIECE_US) collector->piece_us = MOST_PIECE_US;
  collector->pieces++;
}

/* What took longer was interrupted, and is no measure. */
static void note_closing(struct mr_lua_collector *collector, int64_t took_us) {
  if (took_us <= MOST_PIECE_US) collector->closing_us = took_us;
}

static bool is_due(const struct mr_lua_collector *collector) {
  if (collector->waste.first) return true;
  return !collector->is_resting && (collector->owed_us > 0 || collector->phase.nears);
}

/* Returns the time after it. */
static int64_t work_one(lua_State *L, struct mr_lua_collector *collector,
                        const struct mr_clock *clock, int64_t begun_us) {
  if (collector->pieces <= FIRST_PIECES) mr_lua_marker_lead(L);
  bool has_marked = collector->phase.has_marked;
  int64_t bytes = mr_lua_bytes_in_use(L);
  bool is_over = work(L, collector);
  int64_t now_us = mr_clock_now(clock);
  mr_lua_phase_look(L, &collector->phase, bytes);
  if (collector->phase.has_marked != has_marked) note_closing(collector, now_us - begun_us);
  note_piece(collector, now_us - begun_us);
  collector->skipped = 0;
  if (!is_over) return now_us;
  collector->us_per_byte = (double)collector->spent_us / (double)collector->handled_bytes;
  rest(L, collector, mr_lua_bytes_in_use(L));
  return now_us;
}

static void work_beside(lua_State *L, struct mr_lua_collector *collector,
                        const struct mr_clock *clock, int64_t deadline_us) {
  int64_t now_us = mr_clock_now(clock);
  bool must = collector->skipped++ >= MOST_SKIPPED || collector->owed_us > MOST_OWED_US;
  while (is_due(collector) && (must || now_us + next_piece_us(collector) <= deadline_us)) {
    now_us = work_one(L, collector, clock, now_us);
    must = false;
  }
}

/* In a step of its own: until the longest piece that may come next would not be through in time. */
static void work_apart(lua_State *L, struct mr_lua_collector *collector,
                       const struct mr_clock *clock, int64_t deadline_us) {
  int64_t now_us = mr_clock_now(clock), begun_us = now_us;
  int64_t left_us = deadline_us - now_us;
  while (is_due(collector) && now_us - begun_us < own_us(collector, left_us))
    now_us = work_one(L, collector, clock, now_us);
}

static void work_off(lua_State *L, struct mr_lua_collector *collector, const struct mr_clock *clock,
                     int64_t deadline_us) {
  collector->is_working = true;
  mr_lua_phase_look(L, &collector->phase, 0); /* the host may have collected since */
  mr_lua_marker_lead(L);
  if (collector->is_apart)
    work_apart(L, collector, clock, deadline_us);
  else
    work_beside(L, collector, clock, deadline_us);
  collector->is_working = false;
}

/* }====== */

static int kib_until_next(const struct mr_lua_collector *collector) {
  if (!collector->is_resting) return LENT_KIB;
  int64_t left = (collector->start_bytes - collector->seen_bytes) / KIB;
  return left < 0 ? 0 : left > INT32_MAX / KIB ? INT32_MAX / KIB : (int)left;
}

void mr_lua_collector_release(lua_State *L, struct mr_lua_collector *collector,
                              const struct mr_clock *clock, int64_t deadline_us) {
  if (!collector->is_held) return;
  collector->is_held = false;
  if (lua_gc(L, LUA_GCISRUNNING) != 1) return; /* a task has stopped it */
  look(L, collector, mr_lua_bytes_in_use(L));
  if (is_due(collector) && (!collector->is_apart || collector->own_steps > 0))
    work_off(L, collector, clock, deadline_us);
  collector->seen_bytes = mr_lua_bytes_in_use(L);
  put_off(L, kib_until_next(collector));
}
