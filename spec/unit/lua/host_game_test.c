/*
** The game example under allocators that fail: its Lua half, without the screen, for its first hundred frames, against a
** sandbox on the loopback. In each round the n-th allocation fails, alone or with all that follow in the same frame;
** rounds go over n. What must hold: no crash, no hang, no leak; an error says that memory was short, and the game goes
** on when there is memory again.
**
** There are tens of thousands of allocations: a sample of n is taken. With MOONREST_EVERY_ALLOCATION=FROM,TO every n of
** that range is, which takes a quarter of a second for each.
*/
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "moonrest.h"

#define FRAMES  100
#define SAMPLES 60

/* {====== Memory ====== */

/* Of Lua and of the core together, as far as this thread asks: the sandbox has threads of its own. */
struct memory {
  pthread_t thread;
  size_t blocks;  /* of Lua, that are alive */
  size_t growths; /* asked for since the round began */
  size_t fail_at; /* this one fails; 0: none does */
  bool all_after; /* and so do all after it, until the frame ends */
  bool is_failing;
  bool failed;
};

static struct memory memory;
static size_t
    memory_at_start; /* growths before the first frame, in the round in which nothing fails */

static bool fails(void) {
  if (!pthread_equal(pthread_self(), memory.thread)) return false;
  bool now = ++memory.growths == memory.fail_at;
  if (now && memory.all_after) memory.is_failing = true;
  if (now || memory.is_failing) memory.failed = true;
  return now || memory.is_failing;
}

static void *lua_allocator(void *context, void *block, size_t old_size, size_t size) {
  (void)context;
  if (size == 0) {
    memory.blocks -= block != NULL;
    free(block);
    return NULL;
  }
  if ((!block || size > old_size) && fails()) return NULL;
  memory.blocks += block == NULL;
  return realloc(block, size);
}

static void *core_allocator(void *context, void *block, size_t size) {
  (void)context;
  if (size > 0 && fails()) return NULL;
  if (size > 0) return realloc(block, size);
  free(block);
  return NULL;
}

static void begin_failing(size_t n, bool all_after) {
  memory.growths = 0;
  memory.fail_at = n;
  memory.all_after = all_after;
  memory.failed = memory.is_failing = false;
}

/* }====== */

/* {====== The sandbox, in a state that lacks nothing ====== */

static lua_State *world;

static const char furnish[] = "local sandbox = require 'moonrest.sandbox'\n"
                              "local start = sandbox.start\n"
                              "function sandbox.start(options)\n"
                              "  options.latency, options.limits = 0, false\n"
                              "  server = start(options)\n"
                              "  return server\n"
                              "end\n"
                              "require 'demo'.start()\n"
                              "url, token = server:base 'edgegap', server:token 'edgegap'\n";

static void open_libraries(lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  lua_getglobal(L, "package");
  lua_pushliteral(L, GAME_DIRECTORY "/?.lua");
  lua_setfield(L, -2, "path");
  lua_settop(L, 0);
}

static int open_world(void **state) {
  (void)state;
  memory.thread = pthread_self();
  if (!mr_set_allocator(core_allocator, NULL)) return -1;
  world = luaL_newstate();
  open_libraries(world);
  if (luaL_dostring(world, furnish) == LUA_OK) return 0;
  fprintf(stderr, "%s\n", lua_tostring(world, -1));
  return -1;
}

static int close_world(void **state) {
  (void)state;
  lua_getglobal(world, "server");
  lua_getfield(world, -1, "stop");
  lua_insert(world, -2);
  lua_call(world, 1, 0);
  lua_close(world);
  return 0;
}

/* }====== */

/* {====== The game ====== */

/* As examples/game/script.c, with that sandbox for the one of demo.lua and a canvas that only measures. */
static const char start[] =
    "local url, token, round = ...\n"
    "local moonrest = require 'moonrest'\n"
    "package.preload.demo = function()\n"
    "  return { start = function()\n"
    "    local edgegap = moonrest.open('edgegap', { base_url = url, token = token, account = round "
    "})\n"
    "    return require 'account'.new(edgegap, 'my-game', 'v1.0', { latitude = 50, longitude = 4 "
    "})\n"
    "  end }\n"
    "end\n"
    "local canvas = { width = function(words) return 7 * #words end }\n"
    "for _, name in ipairs { 'rectangle', 'disc', 'text', 'curve', 'globe' } do canvas[name] = "
    "function() end end\n"
    "local browser = require 'browser'\n"
    "browser.start {}\n"
    "local keys = { [30] = 'down', [40] = 'd', [60] = 'right', [75] = 'r', [90] = 'left' }\n"
    "function frame(number)\n"
    "  if keys[number] then browser.key(keys[number]) end\n"
    "  browser.draw(canvas, number / 60)\n"
    "end\n"
    "function is_whole() return #browser.servers > 0 and not browser.is_loading end\n"
    "function again() browser.servers = {} browser.key 'r' end\n";

struct given {
  const char *url, *token;
  size_t round;
};

static int prepare(lua_State *L) {
  const struct given *given = lua_touserdata(L, 1);
  open_libraries(L);
  if (luaL_loadstring(L, start) != LUA_OK) return lua_error(L);
  lua_pushstring(L, given->url);
  lua_pushstring(L, given->token);
  lua_pushfstring(L, "round %d", (int)given->round);
  lua_call(L, 3, 0);
  return 0;
}

static void must_have_failed(const char *what, size_t n, const char *message) {
  if (!memory.failed) fail_msg("%s, n = %zu: %s", what, n, message ? message : "no message");
  assert_non_null(message);
}

static void nap(void) {
  struct timespec millisecond = {.tv_nsec = 1000000};
  nanosleep(&millisecond, NULL);
}

static int call_frame(lua_State *L) {
  lua_getglobal(L, "frame");
  lua_insert(L, 1);
  lua_call(L, 1, 0);
  return 0;
}

/* What the host does in each frame: a step, then the picture. */
static void play_frame(lua_State *L, size_t n, int number) {
  struct mr_step_result step = mr_step(L, 1000);
  if (step.status == MR_STEP_FAILED) must_have_failed("step", n, step.message);
  lua_pushcfunction(L, call_frame);
  lua_pushinteger(L, number);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) must_have_failed("frame", n, lua_tostring(L, -1));
  lua_settop(L, 0);
  memory.is_failing = false;
}

/* With memory again the browser fills. */
static void check_it_goes_on(lua_State *L, size_t n) {
  memory.fail_at = 0;
  if (luaL_dostring(L, "again()") != LUA_OK) fail_msg("after n = %zu: %s", n, lua_tostring(L, -1));
  for (int left = 5000; left > 0; left--) {
    struct mr_step_result step = mr_step(L, 1000);
    if (step.status == MR_STEP_FAILED) fail_msg("after n = %zu: %s", n, step.message);
    if (luaL_dostring(L, "return is_whole()") != LUA_OK)
      fail_msg("after n = %zu: %s", n, lua_tostring(L, -1));
    bool is_whole = lua_toboolean(L, -1);
    lua_settop(L, 0);
    if (is_whole) return;
    nap();
  }
  fail_msg("after n = %zu: the browser stays empty", n);
}

static void drop_line(void *context, const char *event, const char *line) {
  (void)context;
  (void)event;
  (void)line;
}

static void play(lua_State *L, size_t n, size_t round) {
  struct given given = {.round = round};
  lua_getglobal(world, "url");
  lua_getglobal(world, "token");
  given.url = lua_tostring(world, -2);
  given.token = lua_tostring(world, -1);
  lua_pushcfunction(L, prepare); /* neither allocates */
  lua_pushlightuserdata(L, &given);
  bool started = lua_pcall(L, 1, 0, 0) == LUA_OK;
  if (!started) must_have_failed("start", n, lua_tostring(L, -1));
  lua_settop(L, 0);
  memory.is_failing = false;
  lua_settop(world, 0);
  if (!started) return;
  if (n == 0) memory_at_start = memory.growths;
  mr_set_log(L, drop_line, NULL);
  mr_set_blocking(L, false);
  for (int number = 1; number <= FRAMES; number++) {
    play_frame(L, n, number);
    nap();
  }
  check_it_goes_on(L, n);
}

/* True when there was an n-th allocation. */
static bool run_round(size_t n, bool all_after) {
  static size_t round = 0; /* each has limits of its own: this is one account */
  begin_failing(n, all_after);
  lua_State *L = lua_newstate(lua_allocator, NULL);
  if (L) {
    play(L, n, ++round);
    memory.fail_at = 0;
    lua_close(L);
  }
  assert_int_equal(memory.blocks, 0);
  return memory.failed;
}

/* }====== */

/* Every one at first, then fewer and fewer; from the first frame on a SAMPLES-th of what is left at a time. */
static size_t next_sample(size_t n, size_t all) {
  if (n < 16) return n + 1;
  size_t next = n + n / 4 + 1, first = memory_at_start;
  if (n >= first) return n + (all - first) / SAMPLES + 1;
  return next < first ? next : first;
}

static void test_any_allocation_of_the_game_may_fail(void **state) {
  const char *range = getenv("MOONREST_EVERY_ALLOCATION");
  size_t n = 1, last = SIZE_MAX, rounds = 0;
  (void)state;
  if (range && sscanf(range, "%zu,%zu", &n, &last) < 1)
    fail_msg("MOONREST_EVERY_ALLOCATION=FROM,TO");
  assert_false(run_round(0, false));
  size_t all = memory.growths;
  while (n <= last) {
    bool failed = run_round(n, false);
    failed = run_round(n, true) || failed;
    rounds += 2;
    if (!failed) break;
    n = range ? n + 1 : next_sample(n, all);
  }
  print_message("%zu allocations, %zu of them in %d frames; %zu rounds, the last n was %zu\n", all,
                all - memory_at_start, FRAMES, rounds, n);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_allocation_of_the_game_may_fail)};
  return cmocka_run_group_tests(tests, open_world, close_world);
}
