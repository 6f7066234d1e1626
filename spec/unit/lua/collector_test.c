/* Lua's collector in steps, on a clock that goes on by some microseconds whenever it is read. */
#include "lua/collector.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lua/marker.h"

#define TICK_US 10

struct scene {
  lua_State *L;
  struct mr_lua_collector collector;
  struct mr_clock clock;
  int64_t now_us;
};

static int64_t tick(void *context) {
  struct scene *scene = context;
  return scene->now_us += TICK_US;
}

static void open(struct scene *scene) {
  *scene = (struct scene){.L = luaL_newstate()};
  scene->clock = (struct mr_clock){.monotonic_us = tick, .wall_us = tick, .context = scene};
  assert_non_null(scene->L);
  lua_gc(scene->L, LUA_GCINC, 200, 4, 10);
}

static void make_garbage(lua_State *L, int tables) {
  for (int i = 0; i < tables; i++) {
    lua_createtable(L, 16, 0);
    lua_pop(L, 1);
  }
}

static int kib(lua_State *L) {
  return lua_gc(L, LUA_GCCOUNT);
}

/* Returns whether the step was for more than the collector. */
static bool step(struct scene *scene, int64_t budget_us, int tables) {
  int64_t begun_us = scene->now_us;
  bool works = mr_lua_collector_hold(scene->L, &scene->collector, budget_us) != MR_NEVER;
  if (works) make_garbage(scene->L, tables);
  mr_lua_collector_release(scene->L, &scene->collector, &scene->clock, begun_us + budget_us);
  return works;
}

static void does_nothing_while_it_is_held(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  mr_lua_collector_hold(scene.L, &scene.collector, 1000);
  int before = kib(scene.L);
  make_garbage(scene.L, 10000);
  assert_true(kib(scene.L) - before > 2500);
  mr_lua_collector_release(scene.L, &scene.collector, &scene.clock, 1000);
  lua_close(scene.L);
}

static void keeps_memory_bounded(void **state) {
  struct scene scene;
  int worked = 0, most = 0;
  (void)state;
  open(&scene);
  for (int i = 0; i < 20000; i++) {
    worked += step(&scene, i % 2 ? 0 : 100, 50);
    if (kib(scene.L) > most) most = kib(scene.L);
  }
  assert_true(worked > 1000);
  assert_true(most < 10240); /* of some 15 KiB in each of them */
  lua_close(scene.L);
}

/* As answers are decoded in steps. */
static void step_with_marks(struct scene *scene, int tables) {
  lua_State *L = scene->L;
  int64_t begun_us = scene->now_us;
  if (mr_lua_collector_hold(L, &scene->collector, 1000) != MR_NEVER) {
    int marker = mr_lua_marker_push(L);
    for (int i = 0; i < tables; i++) {
      lua_createtable(L, 16, 0);
      if (marker && mr_lua_collector_is_marking(&scene->collector)) mr_lua_mark(L, marker, -1);
      lua_pop(L, 1);
    }
    lua_settop(L, 0);
  }
  mr_lua_collector_release(L, &scene->collector, &scene->clock, begun_us + 1000);
}

static void keeps_memory_bounded_when_all_is_marked(void **state) {
  struct scene scene;
  int most = 0;
  (void)state;
  open(&scene);
  for (int i = 0; i < 20000; i++) {
    step_with_marks(&scene, 500);
    if (kib(scene.L) > most) most = kib(scene.L);
  }
  assert_true(most < 10240); /* of some 150 KiB in each of them */
  lua_close(scene.L);
}

static void works_after_the_step_as_the_host_has_set_it(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  lua_gc(scene.L, LUA_GCSETPAUSE, 240);
  lua_gc(scene.L, LUA_GCSETSTEPMUL, 40);
  for (int i = 0; i < 1000; i++)
    step(&scene, 200, 50);
  assert_int_equal(lua_gc(scene.L, LUA_GCISRUNNING), 1);
  assert_int_equal(lua_gc(scene.L, LUA_GCSETPAUSE, 200), 240);
  assert_int_equal(lua_gc(scene.L, LUA_GCSETSTEPMUL, 100), 40);
  make_garbage(scene.L, 200000); /* 50 MB, were it not for the collector */
  assert_true(kib(scene.L) < 16384);
  lua_close(scene.L);
}

static void leaves_a_stopped_one_alone(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  lua_gc(scene.L, LUA_GCSTOP);
  int before = kib(scene.L);
  for (int i = 0; i < 100; i++)
    assert_true(step(&scene, 1000, 100));
  assert_true(kib(scene.L) - before > 2500);
  assert_int_equal(lua_gc(scene.L, LUA_GCISRUNNING), 0);
  lua_close(scene.L);
}

static void heeds_who_stops_it_in_a_step(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  mr_lua_collector_hold(scene.L, &scene.collector, 1000);
  lua_gc(scene.L, LUA_GCSTOP);
  mr_lua_collector_release(scene.L, &scene.collector, &scene.clock, 1000);
  assert_int_equal(lua_gc(scene.L, LUA_GCISRUNNING), 0);
  lua_close(scene.L);
}

static void leaves_a_generational_one_alone(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  lua_gc(scene.L, LUA_GCGEN, 0, 0);
  assert_int_equal(mr_lua_collector_hold(scene.L, &scene.collector, 1000), 0);
  assert_false(scene.collector.is_held);
  mr_lua_collector_release(scene.L, &scene.collector, &scene.clock, 1000);
  assert_int_equal(lua_gc(scene.L, LUA_GCINC, 0, 0, 0), LUA_GCGEN);
  lua_close(scene.L);
}

/* After the first cycles, when it is known what a piece takes. */
static void keeps_to_the_budget(void **state) {
  struct scene scene;
  int late = 0;
  (void)state;
  open(&scene);
  for (int i = 0; i < 5000; i++) {
    int64_t begun_us = scene.now_us;
    step(&scene, 600, 20);
    late += i > 100 && scene.now_us - begun_us > 600 + TICK_US;
  }
  assert_int_equal(late, 0);
  lua_close(scene.L);
}

/* So that its longest piece comes beside nothing else. */
static void has_steps_of_its_own_when_the_budget_is_small(void **state) {
  struct scene scene;
  int own = 0, in_a_row = 0;
  (void)state;
  open(&scene);
  for (int i = 0; i < 20000; i++) {
    int64_t begun_us = scene.now_us;
    bool works = step(&scene, 150, 20);
    if (works) assert_true(scene.now_us - begun_us <= TICK_US); /* the clock was not asked */
    assert_true(scene.now_us - begun_us <= 150);
    in_a_row = works ? 0 : in_a_row + 1;
    assert_true(in_a_row < 2 || scene.collector.phase.has_marked || scene.collector.phase.nears);
    assert_true(in_a_row < 4);
    own += !works;
  }
  assert_true(own > 20);
  assert_true(own < 10000);
  lua_close(scene.L);
}

/* It is seen coming, and then neither much before it nor more to be marked comes in between. */
static void ends_marking_in_steps_of_its_own(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  step(&scene, 150, 20);
  scene.collector.closing_us = 140;
  scene.collector.phase = (struct mr_lua_phase){.tells = true, .nears = true};
  scene.collector.owed_us = 1000;
  for (int i = 0; i < 3; i++) {
    int64_t begun_us = scene.now_us;
    scene.collector.phase.nears = true;
    assert_false(step(&scene, 150, 20));
    assert_true(scene.now_us - begun_us <= 4 * TICK_US);
  }
  scene.collector.phase.nears = true;
  assert_true(step(&scene, 150, 20));
  lua_close(scene.L);
}

/* It takes no piece of the collector's own for the end of marking then. */
static void heeds_that_the_host_collects(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  do
    step(&scene, 150, 20);
  while (scene.collector.is_resting || scene.collector.phase.has_marked);
  scene.collector.closing_us = 140;
  lua_gc(scene.L, LUA_GCCOLLECT);
  scene.collector.owed_us = 1000;
  while (step(&scene, 150, 20))
    continue;
  assert_true(scene.collector.phase.has_marked);
  assert_int_equal(scene.collector.closing_us, 140);
  lua_close(scene.L);
}

static void leaves_much_of_a_large_budget(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  step(&scene, 10000, 10);
  scene.collector.owed_us = 4000;
  assert_int_equal(mr_lua_collector_hold(scene.L, &scene.collector, 10000), 4000);
  assert_int_equal(mr_lua_collector_hold(scene.L, &scene.collector, 1000), MR_NEVER);
  lua_close(scene.L);
}

static int finalize(lua_State *L) {
  struct scene *scene = lua_touserdata(L, lua_upvalueindex(1));
  struct mr_buffer body;
  mr_buffer_init(&body, SIZE_MAX);
  assert_int_equal(mr_buffer_reserve(&body, 100000), MR_NONE);
  assert_true(scene->collector.is_working);
  mr_waste_take(&scene->collector.waste, &body);
  return 0;
}

static void frees_what_finalizers_leave(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  step(&scene, 1000, 10);
  lua_createtable(scene.L, 0, 0);
  lua_createtable(scene.L, 0, 0);
  lua_pushlightuserdata(scene.L, &scene);
  lua_pushcclosure(scene.L, finalize, 1);
  lua_setfield(scene.L, -2, "__gc");
  lua_setmetatable(scene.L, -2);
  lua_pop(scene.L, 1);
  for (int i = 0; i < 3000; i++)
    step(&scene, 200, 50);
  assert_null(scene.collector.waste.first);
  lua_close(scene.L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(does_nothing_while_it_is_held),
      cmocka_unit_test(keeps_memory_bounded),
      cmocka_unit_test(keeps_memory_bounded_when_all_is_marked),
      cmocka_unit_test(works_after_the_step_as_the_host_has_set_it),
      cmocka_unit_test(leaves_a_stopped_one_alone),
      cmocka_unit_test(heeds_who_stops_it_in_a_step),
      cmocka_unit_test(leaves_a_generational_one_alone),
      cmocka_unit_test(keeps_to_the_budget),
      cmocka_unit_test(has_steps_of_its_own_when_the_budget_is_small),
      cmocka_unit_test(ends_marking_in_steps_of_its_own),
      cmocka_unit_test(heeds_that_the_host_collects),
      cmocka_unit_test(leaves_much_of_a_large_budget),
      cmocka_unit_test(frees_what_finalizers_leave),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
