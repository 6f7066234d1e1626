/*
** moonrest inside a host program: a game engine, a server, an editor.
**
**   luaL_requiref(L, "moonrest", luaopen_moonrest, 1);   -- the Lua half is inside: no file is needed
**   for (;;) {
**     struct mr_step_result step = mr_step(L, 2000);      -- once a frame: at most 2 ms, never waits
**     if (step.status == MR_STEP_FAILED) log_error(step.message);
**     draw();
**   }
**
** All of these belong to the static library. A lua_State needs the standard libraries (luaL_openlibs) before
** luaopen_moonrest and as long as it is used, and is used by one thread at a time; any number of states may live in any
** number of threads.
** Nothing here raises a Lua error but luaopen_moonrest, which is called like every other opening function.
*/
#ifndef MOONREST_H
#define MOONREST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;

/* Returns the module's table. Raises when there is no memory, or no 'package' library to put the parts into. */
int luaopen_moonrest(struct lua_State *L);

enum mr_step_status {
  MR_STEP_IDLE,  /* no task is left */
  MR_STEP_BUSY,  /* there are tasks: step again */
  MR_STEP_FAILED /* see the message. The state can be used on, and stepped again. */
};

struct mr_step_result {
  enum mr_step_status status;
  uint32_t tasks;      /* that have not ended */
  const char *message; /* NULL unless it failed; valid until the next call with this state */
};

/* Does what can be done within so many microseconds and waits for nothing: moonrest.step for hosts. A step of
** an idle state allocates nothing. A task that fails does not fail the step: see mr_set_log. */
struct mr_step_result mr_step(struct lua_State *L, int64_t budget_us);

/* false: calls outside of tasks raise instead of blocking the program. The result tells whether it took effect:
** it does not when moonrest was not opened in this state, or when there is no memory. */
bool mr_set_blocking(struct lua_State *L, bool allowed);

/* Who drives the network of a state: its calls and steps, or a thread of the library's own, so that neither a TLS
** handshake nor a slow turn of libcurl is part of a step: moonrest.configure { io = "thread" } for hosts. */
enum mr_network { MR_NETWORK_IN_STEPS, MR_NETWORK_IN_THREAD };

/* Before the first request of the state; later it changes nothing and the result is false, as for mr_set_blocking. */
bool mr_set_network(struct lua_State *L, enum mr_network network);

/* Bounds of one lua_State, 0 for none: bytes of response bodies that are held at a time (more fails with kind
** "too_large"), and requests in flight or queued (more fail with kind "limit"). */
struct mr_limits {
  uint64_t memory_bytes;
  uint32_t requests;
};

/* Take effect for what comes next. The result as for mr_set_blocking. */
bool mr_set_limits(struct lua_State *L, const struct mr_limits *limits);

/* Called from calls and steps of the state: 'event' is one of those of moonrest.on ("retry", "queue", "task_failed",
** ...), 'line' what there is to say, without a secret. It must not use the state. */
typedef void (*mr_logger)(void *context, const char *event, const char *line);

/* One for each state; NULL ends it. The result as for mr_set_blocking. */
bool mr_set_log(struct lua_State *L, mr_logger logger, void *context);

/* Like realloc: a size of 0 frees and returns NULL; NULL for a larger size means that there is no memory, which
** fails a request and nothing else. Must be safe to call from several threads if states are used by several, or if the
** network of one is in a thread, or if the sandbox runs, which has threads of its own. */
typedef void *(*mr_allocator)(void *context, void *block, size_t size);

/* For all states of the process: what moonrest's C core allocates (buffers, requests, limits), beside what the
** lua_State gets from the allocator of lua_newstate, and what libcurl takes from the C library. Only before the
** first luaopen_moonrest; later it changes nothing and the result is false. NULL: the C library's. */
bool mr_set_allocator(mr_allocator allocator, void *context);

#ifdef __cplusplus
}
#endif

#endif
