#include "host_rounds.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "failing_memory.h"
#include "failing_rounds.h"
#include "fast_clock.h"
#include "lua/glue.h"
#include "moonrest.h"

#define FRAME_US     16667
#define WIRE_MS      20   /* that a frame waits at most for bytes, which are on their way */
#define STEPS_MAX    40   /* in a frame; without memory none gets any further */
#define LATE_FRAMES  1200 /* until a program must be whole again */
#define WORLD_TIMES  8    /* as fast for the servers: what is deployed is ready within the frames */
#define LONGEST_US   3000000 /* no window of a limit is longer */
#define LONGEST_TEXT 200

static struct {
  const struct host_program *program;
  int orders;    /* a byte: restore; its end ends the world */
  FILE *answers; /* a line when that is done */
  pid_t world_process;
  bool is_changed; /* the world, by a round that played its frames */
  char url[LONGEST_TEXT], token[LONGEST_TEXT];
  size_t core_blocks, descriptors, threads; /* when no state is open; SIZE_MAX: not counted yet */
  uint32_t tasks;                           /* when nothing fails, after the frames */
  bool was_heard;                           /* some word of want of memory */
  bool was_heard_wrong;
  char heard[1000];
} host;

/* {====== The sandbox, in a process of its own, whose memory never fails ====== */

static void open_libraries(lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  lua_pop(L, 1);
}

static void change_world(lua_State *L, const char *code) {
  if (luaL_dostring(L, code) == LUA_OK) return;
  fprintf(stderr, "the sandbox: %s\n", lua_tostring(L, -1));
  _exit(EXIT_FAILURE);
}

/* A line for each byte that is read: where the sandbox is. */
static void run_world(int orders, FILE *answers) {
  lua_State *L = luaL_newstate();
  char byte;
  open_libraries(L);
  change_world(L, host.program->furnish);
  while (read(orders, &byte, 1) > 0) {
    change_world(L, "restore() return server:base(system), server:token(system)");
    fprintf(answers, "%s %s\n", lua_tostring(L, -2), lua_tostring(L, -1));
    fflush(answers);
    lua_settop(L, 0);
  }
  change_world(L, "server:stop()");
  lua_close(L);
  exit(EXIT_SUCCESS);
}

static void open_world(void) {
  int orders[2], answers[2];
  if (!fast_clock_open() || pipe(orders) != 0 || pipe(answers) != 0)
    failing_rounds_problem("no room for a sandbox");
  host.world_process = fork();
  if (host.world_process == 0) {
    close(orders[1]);
    close(answers[0]);
    fast_clock_hurry_wall(WORLD_TIMES);
    run_world(orders[0], fdopen(answers[1], "w"));
  }
  close(orders[0]);
  close(answers[1]);
  host.orders = orders[1];
  host.answers = fdopen(answers[0], "r");
  host.is_changed = true; /* not told where it is yet */
}

/* The sandbox is as it was at its start. */
static void restore_world(void) {
  if (!host.is_changed) return;
  host.is_changed = false;
  bool good = write(host.orders, "r", 1) == 1;
  if (!good || fscanf(host.answers, "%199s %199s", host.url, host.token) != 2)
    failing_rounds_problem("the sandbox is gone");
}

static void begin(void) {
  open_world();
  host.core_blocks = SIZE_MAX;
  if (!mr_set_allocator(failing_memory_for_core, NULL)) failing_rounds_problem("a late allocator");
}

static void end(void) {
  close(host.orders);
  fclose(host.answers);
  waitpid(host.world_process, NULL, 0);
}

/* }====== */

/* {====== Words ====== */

static void check_words(const char *what, const char *words) {
  host.was_heard = true;
  if (!words) failing_rounds_problem("%s: an error without a word", what);
  if (!failing_memory_has_failed()) failing_rounds_problem("%s without a cause: %s", what, words);
  if (!strcasestr(words, "memory"))
    failing_rounds_problem("%s for another reason: %s", what, words);
}

/* Of the thread, where there is one, is heard a frame later. */
static void check_failure(const char *what, const char *words) {
#ifdef NETWORK_IN_THREAD
  unsigned latest = 2;
#else
  unsigned latest = 0;
#endif
  check_words(what, words);
  if (failing_memory_frames() > latest)
    failing_rounds_problem("%s, %u frames after memory was short: %s", what,
                           failing_memory_frames(), words);
}

static void hear(void *context, const char *event, const char *line) {
  (void)context;
  if (strcmp(event, "task_failed") != 0) return;
  host.was_heard = true;
  if (!strcasestr(line, "memory") && !host.was_heard_wrong) {
    host.was_heard_wrong = true;
    snprintf(host.heard, sizeof host.heard, "%s: %s", event, line);
  }
}

/* }====== */

/* {====== Opening and starting ====== */

static int start_protected(lua_State *L) {
  open_libraries(L);
#ifdef NETWORK_IN_THREAD
  if (!mr_set_network(L, MR_NETWORK_IN_THREAD)) luaL_error(L, "no memory for a thread");
#endif
  if (luaL_loadstring(L, host.program->start) != LUA_OK) return lua_error(L);
  lua_pushstring(L, host.url);
  lua_pushstring(L, host.token);
  lua_call(L, 2, 0);
  return 0;
}

static bool try_start(lua_State *L) {
  lua_pushcfunction(L, start_protected);
  bool good = lua_pcall(L, 0, 0, 0) == LUA_OK;
  if (!good) check_failure("the start fails", lua_tostring(L, -1));
  lua_settop(L, 0);
  return good;
}

/* Each may fail once. */
static void set_up(lua_State *L) {
  bool good = mr_set_log(L, hear, NULL) && mr_set_blocking(L, false);
  if (good) return;
  if (failing_memory_frames() > 0) failing_rounds_problem("settings fail");
  host.was_heard = true;
  failing_memory_frame();
  if (!mr_set_log(L, hear, NULL) || !mr_set_blocking(L, false))
    failing_rounds_problem("settings fail again");
}

/* Returns whether it went well at once. */
static bool start(lua_State *L) {
  bool good = try_start(L);
  if (!good) {
    failing_memory_frame();
    if (!try_start(L)) failing_rounds_problem("a second start fails");
  }
  set_up(L);
  return good;
}

/* }====== */

/* {====== Frames ====== */

/* Whether bytes are on their way: of nothing that waits for its turn. */
static struct mr_engine *busy_engine(lua_State *L) {
  struct mr_lua_engine *box = mr_lua_engine_peek(L);
  if (!box || !box->engine) return NULL;
  return mr_engine_pending(box->engine) > mr_engine_waits(box->engine).count ? box->engine : NULL;
}

/* What a server takes to answer is no frame. */
static bool wait_for_wire(lua_State *L) {
  struct mr_engine *engine = busy_engine(L);
  struct pollfd wire = {.events = POLLIN};
  if (!engine) return false;
  wire.fd = mr_engine_descriptor(engine);
  return wire.fd >= 0 && poll(&wire, 1, WIRE_MS) > 0;
}

static int call_frame(lua_State *L) {
  lua_getglobal(L, "frame");
  lua_insert(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

static uint32_t step(lua_State *L) {
  struct mr_step_result result = mr_step(L, 1000);
  if (result.status == MR_STEP_FAILED) check_failure("a step fails", result.message);
  return result.tasks;
}

/* What a host does in each: a step, then the picture. */
static void play_frame(lua_State *L, int number) {
  failing_memory_frame();
  step(L);
  lua_pushcfunction(L, call_frame);
  lua_pushinteger(L, number);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) check_failure("a frame fails", lua_tostring(L, -1));
  lua_settop(L, 0);
  for (int left = STEPS_MAX; left > 0 && wait_for_wire(L); left--)
    step(L);
  fast_clock_pass(FRAME_US);
}

/* }====== */

/* {====== What must hold at the end ====== */

static void run(lua_State *L, const char *what, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK) failing_rounds_problem("%s: %s", what, lua_tostring(L, -1));
}

static void check_it_goes_on(lua_State *L) {
  run(L, "starting afresh", "again()");
  for (int left = LATE_FRAMES; left > 0; left--) {
    play_frame(L, 0);
    run(L, "looking", "return is_whole()");
    bool is_whole = lua_toboolean(L, -1);
    lua_settop(L, 0);
    if (is_whole) return;
  }
  failing_rounds_problem("afterwards the program stays idle");
}

static void check_complaints(lua_State *L) {
  run(L, "the complaints", "return table.concat(complaints(), '\\n')");
  char *rest = NULL;
  char *text = strdup(lua_tostring(L, -1));
  for (char *one = strtok_r(text, "\n", &rest); one; one = strtok_r(NULL, "\n", &rest))
    check_words("a call fails", one);
  free(text);
  lua_settop(L, 0);
  if (host.was_heard_wrong)
    failing_rounds_problem("a task fails for another reason: %s", host.heard);
}

static const char quieten[] =
    "local task_life, engine = require 'moonrest.task_life', require 'moonrest.core'.engine()\n"
    "task_life.cancel_all()\n"
    "collectgarbage() collectgarbage()\n"
    "assert(task_life.live == 0, 'tasks are left')\n"
    "assert(engine:pending() == 0, 'requests are left')\n";

static const char check_limits[] =
    "for _, row in ipairs(client:limits()) do\n"
    "  local all = math.tointeger(row.limit:match '^%d+')\n"
    "  if row.remaining ~= all or row.queued > 0 or row.running > 0 then\n"
    "    error(('%s: %d of %s are left, %d queued, %d running'):format(row.bucket, row.remaining, "
    "row.limit,\n"
    "      row.queued, row.running))\n"
    "  end\n"
    "end\n";

static void check_nothing_is_held(lua_State *L) {
  run(L, "the quiet state", quieten);
  fast_clock_pass(LONGEST_US);
  run(L, "the limits", check_limits);
}

static size_t count_entries(const char *folder) {
  size_t count = 0;
  DIR *entries = opendir(folder);
  while (entries && readdir(entries))
    count++;
  if (entries) closedir(entries);
  return count;
}

static void check_count(const char *what, size_t count, size_t *known, bool is_first) {
  if (is_first) *known = count;
  if (count != *known) failing_rounds_problem("%zu %s are left, not %zu", count, what, *known);
}

#define MAIN_ALONE 3      /* thread, beside "." and ".." */
#define PATIENCE   100000 /* looks, each of which lets others run */

/* One that was joined leaves the process's list a moment later. */
static size_t count_threads(size_t expected) {
  size_t count = count_entries("/proc/self/task");
  for (int i = 0; i < PATIENCE && count > expected; i++) {
    sched_yield();
    count = count_entries("/proc/self/task");
  }
  return count;
}

static void check_nothing_is_left(void) {
  bool is_first = host.core_blocks == SIZE_MAX;
  if (failing_memory_lua_blocks() != 0)
    failing_rounds_problem("%zu blocks of Lua are left", failing_memory_lua_blocks());
  check_count("blocks of the core", failing_memory_core_blocks(), &host.core_blocks, is_first);
  check_count("descriptors", count_entries("/proc/self/fd"), &host.descriptors, is_first);
  check_count("threads", count_threads(is_first ? MAIN_ALONE : host.threads), &host.threads,
              is_first);
}

/* }====== */

/* What fails once is told of by those that it ended. */
static void check_nobody_went_silently(lua_State *L, const struct failing_round *round) {
  uint32_t tasks = step(L);
  if (round->n == 0) host.tasks = tasks;
  if (tasks < host.tasks && round->mode != FAIL_ALL_AFTER && !host.was_heard)
    failing_rounds_problem("%u tasks are left, not %u, and nothing was heard", (unsigned)tasks,
                           (unsigned)host.tasks);
}

static void play_frames(lua_State *L, const struct failing_round *round) {
  size_t at_start = failing_memory_growths();
  host.is_changed = true;
  for (int number = 1; number <= host.program->frames; number++)
    play_frame(L, number);
  if (round->n == 0) failing_rounds_count(failing_memory_growths(), at_start);
  failing_memory_relent();
  run(L, "the reports", "require 'moonrest.unheard'.report()");
  check_complaints(L);
  check_nobody_went_silently(L, round);
}

static void live(lua_State *L, const struct failing_round *round) {
  if (start(L)) play_frames(L, round);
  failing_memory_relent();
  check_it_goes_on(L);
  check_complaints(L);
  check_nothing_is_held(L);
}

static bool play(const struct failing_round *round) {
  host.was_heard = host.was_heard_wrong = false;
  restore_world();
  failing_memory_begin(round->n, round->mode);
  lua_State *L = lua_newstate(failing_memory_for_lua, NULL);
  if (L) {
    live(L, round);
    failing_memory_relent();
    lua_close(L);
  } else if (!failing_memory_has_failed()) {
    failing_rounds_problem("no state");
  }
  check_nothing_is_left();
  return round->n == 0 || failing_memory_has_failed();
}

size_t host_rounds_run(const struct host_program *program, size_t samples) {
  const struct failing_program rounds = {program->name, program->starts_whole, begin, play, end};
  host.program = program;
  return failing_rounds_run(&rounds, samples);
}
