/*
** Lua's collector while a step with a budget runs. Left to itself it works whenever something is allocated, for
** milliseconds at a time. So a step holds it while the tasks work, and has it do its part at the end, in small pieces
** that the clock is looked at in between: as much as keeps up with what was allocated since the last step, so that a
** cycle is through when half as much has come as the state held at the end of the last. A budget of less than half a
** millisecond is not divided: once enough is due a step is the collector's own, and at most every other one is, but where
** the end of marking nears.
**
** Only an incremental collector that runs is steered: a generational one cannot be divided, and one that is stopped is
** the host's. Between two steps it is as the host has set it. Nothing here raises.
*/
#ifndef MR_LUA_COLLECTOR_H
#define MR_LUA_COLLECTOR_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/clock.h"
#include "core/waste.h"
#include "lua/phase.h"

struct mr_lua_collector {
  bool is_held;
  bool is_working;       /* in a step: finalizers leave what is large to the waste */
  bool is_generational;  /* it was, when it was first looked at */
  bool is_resting;       /* between two cycles */
  bool is_apart;         /* the budget is too small to be divided */
  int own_steps;         /* then: so many in a row, with this one, are the collector's */
  int64_t seen_bytes;    /* in use at the end of the last step */
  int64_t start_bytes;   /* at which the next cycle begins, or at which this one began */
  int64_t room_bytes;    /* that may be allocated while a cycle runs */
  int64_t handled_bytes; /* by this cycle: there at its start, or made since */
  double us_per_byte;    /* what the last cycle took; 0: none was seen yet */
  int64_t spent_us;      /* in this cycle */
  double owed_us;        /* work that is due */
  double recent_us;      /* what came due in the last steps, each */
  int64_t piece_us;      /* what a piece takes at most, of late */
  struct mr_lua_phase phase;
  int64_t closing_us; /* what the last end of marking took */
  int pieces;         /* of this cycle */
  struct mr_waste waste;
  int skipped; /* steps that had no time for a piece which was due */
};

/* Holds the collector until it is released. Returns what of the budget should be left for it: all of it, when a piece
** was put off that takes most of one. MR_NEVER: so much is due that the step must do nothing else. */
int64_t mr_lua_collector_hold(lua_State *L, struct mr_lua_collector *collector, int64_t budget_us);

/* Whether a cycle is under way: what is built now is better marked by 'lua/marker.h' than looked at again. */
static inline bool mr_lua_collector_is_marking(const struct mr_lua_collector *collector) {
  return collector->is_held && !collector->is_resting;
}

/* Has it do what is due, in pieces that will probably be through by the deadline; one is put off for some steps at most.
** Fine when it is not held. */
void mr_lua_collector_release(lua_State *L, struct mr_lua_collector *collector,
                              const struct mr_clock *clock, int64_t deadline_us);

#endif
