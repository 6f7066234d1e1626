/*
** The script that runs in Redis, in a Lua of its own, with a Redis of forty
** lines that knows the commands it calls: every schedule here is on virtual time.
** spec/redis_spec.lua has it in a real Redis.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "core/clock.h"
#include "core/limiter_redis.h"
#include "core/random.h"

static const char fake_redis[] =
    "local values = {}\n"
    "local function at(key, kind)\n"
    "  local value = values[key] or { kind = kind }\n"
    "  if value.kind ~= kind then error 'WRONGTYPE' end\n"
    "  values[key] = value\n"
    "  return value\n"
    "end\n"
    "local commands = {}\n"
    "function commands.TIME() return { '12', '500' } end\n"
    "function commands.DEL(key) values[key] = nil end\n"
    "function commands.PEXPIRE(key, time) assert(math.tointeger(time) > 0) end\n"
    "function commands.LINDEX(key, i)\n"
    "  local list = at(key, 'list')\n"
    "  return list[i < 0 and #list + 1 + i or i + 1] or false\n"
    "end\n"
    "function commands.RPUSH(key, cell) table.insert(at(key, 'list'), cell) end\n"
    "function commands.LSET(key, i, cell) assert(i == -1) local l = at(key, 'list') l[#l] = cell "
    "end\n"
    "function commands.LTRIM(key, first)\n"
    "  local list = at(key, 'list')\n"
    "  values[key] = table.move(list, first + 1, #list, 1, { kind = 'list' })\n"
    "end\n"
    "function commands.HMGET(key, ...)\n"
    "  local hash, found = at(key, 'hash'), {}\n"
    "  for i, field in ipairs { ... } do found[i] = hash[field] or false end\n"
    "  return found\n"
    "end\n"
    "function commands.HSET(key, ...)\n"
    "  local hash, words = at(key, 'hash'), { ... }\n"
    "  for i = 1, #words, 2 do hash[words[i]] = words[i + 1] end\n"
    "end\n"
    "function commands.ZADD(key, score, name) at(key, 'set')[name] = tonumber(score) end\n"
    "function commands.ZREMRANGEBYSCORE(key, least, most)\n"
    "  local set = at(key, 'set')\n"
    "  for name, score in pairs(set) do\n"
    "    if name ~= 'kind' and score <= tonumber(most) then set[name] = nil end\n"
    "  end\n"
    "end\n"
    "function commands.ZCARD(key)\n"
    "  local count = -1\n"
    "  for _ in pairs(at(key, 'set')) do count = count + 1 end\n"
    "  return count\n"
    "end\n"
    "redis = { call = function(name, ...) return commands[name](...) end }\n"
    "unpack, forget, values_of = table.unpack, function() values = {} end, at\n"
    "function length(key) return #at(key, 'list') end\n";

struct request {
  int64_t now_us, horizon_us, pause_us;
  int units;
  bool careful;
  const char *who;
  int cells, window_count;
  struct {
    const char *key;
    int64_t count, hold_us, burst;
  } windows[2];
};

struct reply {
  int64_t now_us, sharers, wait_us, slots_us[64];
  int count;
};

static int start(void **state) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (luaL_dostring(L, fake_redis) || luaL_loadstring(L, mr_redis_script))
    fail_msg("%s", lua_tostring(L, -1));
  lua_setfield(L, LUA_REGISTRYINDEX, "script");
  *state = L;
  return 0;
}

static int stop(void **state) {
  lua_close(*state);
  return 0;
}

static void forget(lua_State *L) {
  lua_getglobal(L, "forget");
  lua_call(L, 0, 0);
}

static void add_key(lua_State *L, const char *base, const char *what) {
  lua_pushfstring(L, "%s:%s", base, what);
  lua_seti(L, -2, luaL_len(L, -2) + 1);
}

static void add_number(lua_State *L, int64_t number) {
  lua_pushfstring(L, "%I", (LUAI_UACINT)number);
  lua_seti(L, -2, luaL_len(L, -2) + 1);
}

static void add_text(lua_State *L, const char *text) {
  lua_pushstring(L, text);
  lua_seti(L, -2, luaL_len(L, -2) + 1);
}

static void set_words(lua_State *L, const struct request *r) {
  lua_newtable(L);
  for (int i = 0; i < r->window_count; i++) {
    add_key(L, r->windows[i].key, "held");
    add_key(L, r->windows[i].key, "state");
  }
  add_text(L, "sharers");
  lua_setglobal(L, "KEYS");
  lua_newtable(L);
  if (r->now_us >= 0) add_number(L, r->now_us);
  if (r->now_us < 0) add_text(L, "");
  add_number(L, r->units);
  add_number(L, r->horizon_us);
  add_number(L, r->pause_us);
  add_number(L, r->careful);
  add_text(L, r->who ? r->who : "");
  add_number(L, r->cells ? r->cells : 2048);
  for (int i = 0; i < r->window_count; i++) {
    add_number(L, r->windows[i].count);
    add_number(L, r->windows[i].hold_us);
    add_number(L, r->windows[i].burst);
  }
  lua_setglobal(L, "ARGV");
}

static int64_t number_in(lua_State *L, int index) {
  lua_geti(L, -1, index);
  assert_true(lua_type(L, -1) == LUA_TSTRING); /* all are texts: Redis would cut a number */
  int64_t number = strtoll(lua_tostring(L, -1), NULL, 10);
  lua_pop(L, 1);
  return number;
}

static struct reply run(lua_State *L, const struct request *request) {
  struct reply reply = {0};
  set_words(L, request);
  lua_getfield(L, LUA_REGISTRYINDEX, "script");
  if (lua_pcall(L, 0, 1, 0)) fail_msg("%s", lua_tostring(L, -1));
  reply.now_us = number_in(L, 1);
  reply.sharers = number_in(L, 2);
  reply.wait_us = number_in(L, 3);
  reply.count = (int)luaL_len(L, -1) - 3;
  assert_in_range(reply.count, 0, 64);
  for (int i = 0; i < reply.count; i++)
    reply.slots_us[i] = number_in(L, i + 4);
  lua_pop(L, 1);
  return reply;
}

static struct request request_of(int64_t now_us, int units, int64_t count, int64_t hold_us) {
  return (struct request){.now_us = now_us,
                          .units = units,
                          .horizon_us = 10 * MR_SECOND,
                          .window_count = 1,
                          .windows = {{"a", count, hold_us, count}}};
}

static void test_a_burst_then_evenly(void **state) {
  struct request request = request_of(MR_SECOND, 6, 4, MR_SECOND);
  struct reply reply = run(*state, &request);
  const int64_t wanted_us[] = {1000000, 1000000, 1000000, 1000000, 2000000, 2250000};
  assert_int_equal(reply.count, 6);
  assert_memory_equal(reply.slots_us, wanted_us, sizeof(wanted_us));
  assert_int_equal(reply.wait_us, 0);
}

static void test_the_servers_time(void **state) {
  struct request request = request_of(-1, 1, 4, MR_SECOND);
  assert_int_equal(run(*state, &request).slots_us[0], 12000500);
}

static void test_the_horizon(void **state) {
  struct request request = request_of(MR_SECOND, 9, 4, MR_SECOND);
  request.horizon_us = 999999;
  struct reply reply = run(*state, &request);
  assert_int_equal(reply.count, 4);
  assert_int_equal(reply.wait_us, 1);
  request.now_us += reply.wait_us;
  assert_int_equal(run(*state, &request).slots_us[0], 2 * MR_SECOND);
}

static void test_a_careful_beginning(void **state) {
  struct request request = request_of(MR_SECOND, 4, 4, MR_SECOND);
  request.careful = true;
  struct reply reply = run(*state, &request);
  for (int i = 0; i < 4; i++)
    assert_int_equal(reply.slots_us[i], MR_SECOND + (i + 1) * MR_SECOND / 4);
}

/* Nothing leaves in it, whoever asks, and after it no burst. */
static void test_a_pause(void **state) {
  struct request request = request_of(MR_SECOND, 0, 4, MR_SECOND);
  request.pause_us = 5 * MR_SECOND;
  assert_int_equal(run(*state, &request).count, 0);
  request = request_of(2 * MR_SECOND, 2, 4, MR_SECOND);
  struct reply reply = run(*state, &request);
  assert_int_equal(reply.slots_us[0], 6 * MR_SECOND);
  assert_int_equal(reply.slots_us[1], 6250000);
}

static void test_clocks_that_jump(void **state) {
  struct request request = request_of(1000 * MR_SECOND, 4, 4, MR_SECOND);
  run(*state, &request);
  request.now_us = 10 * MR_SECOND; /* back: all of it counts as used now */
  struct reply reply = run(*state, &request);
  assert_int_equal(reply.slots_us[0], 11 * MR_SECOND);
  request.now_us = INT64_C(1) << 52; /* forth: all of it is free */
  reply = run(*state, &request);
  assert_int_equal(reply.slots_us[0], INT64_C(1) << 52);
  request.now_us = 0;
  assert_int_equal(run(*state, &request).slots_us[0], MR_SECOND);
}

/* A millisecond back is a server's clock that is corrected: nothing is forgotten and nothing held longer. */
static void test_a_clock_that_is_corrected(void **state) {
  struct request request = request_of(1000 * MR_SECOND, 2, 4, MR_SECOND);
  run(*state, &request);
  request.now_us -= 1000;
  struct reply reply = run(*state, &request);
  assert_int_equal(reply.slots_us[0], 1000 * MR_SECOND);
  assert_int_equal(reply.slots_us[1], 1000 * MR_SECOND);
}

static void test_those_who_share(void **state) {
  const char *const names[] = {"one", "two", "one", "three"};
  const int wanted[] = {1, 2, 2, 3};
  struct request request = request_of(MR_SECOND, 1, 1000, MR_SECOND);
  for (int i = 0; i < 4; i++) {
    request.who = names[i];
    request.now_us += 20 * MR_SECOND;
    assert_int_equal(run(*state, &request).sharers, wanted[i]);
  }
  request.now_us += 30 * MR_SECOND; /* "two" has said nothing for more than a minute */
  assert_int_equal(run(*state, &request).sharers, 2);
}

static void test_the_largest_limits(void **state) {
  struct request request =
      request_of(INT64_C(1) << 51, 60, INT64_C(1) << 53, INT64_C(366) * 86400 * MR_SECOND);
  struct reply reply = run(*state, &request);
  assert_int_equal(reply.count, 60);
  assert_int_equal(reply.slots_us[59], INT64_C(1) << 51);
  forget(*state);
  request = request_of(INT64_C(1) << 51, 2, 1, INT64_C(366) * 86400 * MR_SECOND);
  request.horizon_us = INT64_C(800) * 86400 * MR_SECOND;
  reply = run(*state, &request);
  assert_int_equal(reply.slots_us[1] - reply.slots_us[0], INT64_C(366) * 86400 * MR_SECOND);
}

/* Cells of a large window merge, so that never more of them are kept than was said; what that costs is little. */
static void test_a_large_window(void **state) {
  lua_State *L = *state;
  struct request request = request_of(MR_SECOND, 60, 100000, 100 * MR_SECOND);
  request.cells = 256;
  request.horizon_us = MR_SECOND;
  int64_t granted = 0;
  while (request.now_us < 1000 * MR_SECOND) {
    struct reply reply = run(L, &request);
    granted += reply.count;
    request.now_us = reply.count > 0 ? reply.slots_us[reply.count - 1] : request.now_us;
    request.now_us += reply.wait_us;
  }
  lua_getglobal(L, "length");
  lua_pushstring(L, "a:held");
  lua_call(L, 1, 1);
  assert_in_range(lua_tointeger(L, -1), 200, 260);
  lua_pop(L, 1);
  print_message("%.1f%% of the limit\n", (double)granted / 10 / 1000);
  assert_true(granted > 980000);
}

static void test_a_wrong_type_is_an_error(void **state) {
  lua_State *L = *state;
  struct request request = request_of(MR_SECOND, 1, 4, MR_SECOND);
  assert_int_equal(luaL_dostring(L, "values_of('a:held', 'hash')"), LUA_OK);
  set_words(L, &request);
  lua_getfield(L, LUA_REGISTRYINDEX, "script");
  assert_int_equal(lua_pcall(L, 0, 1, 0), LUA_ERRRUN);
  assert_non_null(strstr(lua_tostring(L, -1), "WRONGTYPE"));
  lua_pop(L, 1);
}

/*
** {======================================================
** Any schedule
** =======================================================
*/

enum { ROUNDS = 60, ASKS = 400, SLOTS_MAX = ROUNDS * ASKS };

static struct request random_request(struct mr_random *random) {
  struct request r = {.window_count = 1 + (int)mr_random_below(random, 2),
                      .cells = mr_random_below(random, 2) ? 2048 : 16};
  for (int i = 0; i < r.window_count; i++) {
    r.windows[i].key = i ? "b" : "a";
    r.windows[i].count = 1 + mr_random_below(random, i ? 300 : 40);
    r.windows[i].hold_us = (i ? 20 : 1) * MR_SECOND;
    r.windows[i].burst = 1 + mr_random_below(random, r.windows[i].count);
  }
  return r;
}

static void assert_window(const int64_t *slots_us, int count, int64_t most, int64_t hold_us) {
  for (int i = (int)most; i < count; i++)
    assert_true(slots_us[i] - slots_us[i - most] >= hold_us);
}

static void test_no_window_is_exceeded(void **state) {
  static int64_t slots_us[SLOTS_MAX];
  struct mr_random random;
  int all = 0;
  mr_random_seed(&random, 4711);
  for (int round = 0; round < ROUNDS; round++) {
    struct request request = random_request(&random);
    int count = 0;
    request.now_us = 1000 * MR_SECOND;
    forget(*state);
    for (int i = 0; i < ASKS; i++) {
      request.now_us += mr_random_below(&random, 4) * mr_random_below(&random, 300000);
      request.units = (int)mr_random_below(&random, 20);
      request.horizon_us = mr_random_below(&random, 3) * MR_SECOND;
      struct reply reply = run(*state, &request);
      for (int s = 0; s < reply.count && count < SLOTS_MAX; s++) {
        assert_true(reply.slots_us[s] >= request.now_us);
        assert_true(reply.slots_us[s] <= request.now_us + request.horizon_us);
        assert_true(count == 0 || reply.slots_us[s] >= slots_us[count - 1]);
        slots_us[count++] = reply.slots_us[s];
      }
      assert_true(reply.count == request.units || reply.wait_us > 0);
    }
    for (int w = 0; w < request.window_count; w++)
      assert_window(slots_us, count, request.windows[w].count, request.windows[w].hold_us);
    all += count;
  }
  print_message("%d slots\n", all);
  assert_true(all > 10000);
}

/* }====================================================== */

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_a_burst_then_evenly),
                                     TEST(test_the_servers_time),
                                     TEST(test_the_horizon),
                                     TEST(test_a_careful_beginning),
                                     TEST(test_a_pause),
                                     TEST(test_clocks_that_jump),
                                     TEST(test_a_clock_that_is_corrected),
                                     TEST(test_those_who_share),
                                     TEST(test_the_largest_limits),
                                     TEST(test_a_large_window),
                                     TEST(test_a_wrong_type_is_an_error),
                                     TEST(test_no_window_is_exceeded)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
