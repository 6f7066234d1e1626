/* Where a cycle is, against what can be seen of it from outside: a value that nobody has leaves a weak table. */
#include "lua/phase.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define VALUES 3000

struct scene {
  lua_State *L;
  int left; /* blocks that there is memory for; -1: any number */
};

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  struct scene *scene = context;
  (void)old_size;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (scene->left == 0) return NULL;
  if (scene->left > 0) scene->left--;
  return realloc(block, size);
}

/* With much to be marked. */
static void open(struct scene *scene) {
  *scene = (struct scene){.left = -1};
  lua_State *L = scene->L = lua_newstate(allocate, scene);
  assert_non_null(L);
  lua_gc(L, LUA_GCINC, 200, 4, 8);
  lua_gc(L, LUA_GCSTOP);
  for (int i = 0; i < VALUES; i++) {
    lua_createtable(L, 4, 0);
    luaL_ref(L, LUA_REGISTRYINDEX);
  }
  lua_gc(L, LUA_GCCOLLECT);
}

/* Leaves a table with weak values, and a value in it. */
static void put_into_weak_table(lua_State *L) {
  lua_createtable(L, 1, 0);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_createtable(L, 0, 0);
  lua_rawseti(L, -2, 1);
}

static bool is_there(lua_State *L) {
  bool is = lua_rawgeti(L, -1, 1) != LUA_TNIL;
  lua_pop(L, 1);
  return is;
}

static bool collect_piece(lua_State *L, struct mr_lua_phase *phase) {
  int64_t before = mr_lua_bytes_in_use(L);
  lua_gc(L, LUA_GCSETSTEPMUL, 0);
  bool is_over = lua_gc(L, LUA_GCSTEP, 0) == 1;
  mr_lua_phase_look(L, phase, before);
  return is_over;
}

struct seen {
  int near, marked; /* the first pieces after which it was so; 0: none */
  int pieces;
};

static struct seen go_through(lua_State *L, struct mr_lua_phase *phase) {
  struct seen seen = {0};
  bool is_over = false;
  put_into_weak_table(L);
  while (!is_over) {
    is_over = collect_piece(L, phase);
    seen.pieces++;
    if (phase->nears && !seen.near) seen.near = seen.pieces;
    if (phase->has_marked && !seen.marked) seen.marked = seen.pieces;
    assert_int_equal(phase->has_marked, !is_there(L));
    assert_false(phase->nears && phase->has_marked);
  }
  lua_pop(L, 1);
  return seen;
}

static void tells_when_the_end_of_marking_nears(void **state) {
  struct scene scene;
  struct mr_lua_phase phase;
  (void)state;
  open(&scene);
  for (int i = 0; i < 3; i++) {
    mr_lua_phase_begin(scene.L, &phase);
    assert_true(phase.tells);
    struct seen seen = go_through(scene.L, &phase);
    assert_true(seen.marked > 50);
    assert_in_range(seen.near, seen.marked - 10, seen.marked - 1);
    assert_true(seen.pieces > seen.marked);
  }
  lua_close(scene.L);
}

/* What is on its stack is marked behind it. */
static void nears_before_what_the_main_thread_has(void **state) {
  struct scene scene;
  struct mr_lua_phase phase;
  (void)state;
  open(&scene);
  lua_createtable(scene.L, VALUES, 0);
  for (int i = 1; i <= VALUES; i++) {
    lua_createtable(scene.L, 4, 0);
    lua_rawseti(scene.L, -2, i);
  }
  mr_lua_phase_begin(scene.L, &phase);
  struct seen seen = go_through(scene.L, &phase);
  assert_in_range(seen.near, 1, seen.marked - 50);
  lua_close(scene.L);
}

static void knows_what_is_marked_in_a_coroutine(void **state) {
  struct scene scene;
  struct mr_lua_phase phase;
  (void)state;
  open(&scene);
  lua_State *thread = lua_newthread(scene.L);
  mr_lua_phase_begin(thread, &phase);
  assert_false(phase.tells);
  assert_false(phase.has_marked);
  struct seen seen = go_through(thread, &phase);
  assert_int_equal(seen.near, 0);
  assert_true(seen.marked > 50);
  lua_close(scene.L);
}

static void knows_nothing_without_memory(void **state) {
  struct scene scene;
  struct mr_lua_phase phase = {.tells = false};
  int failed = 0;
  (void)state;
  open(&scene);
  for (int blocks = 0; !phase.tells; blocks++) {
    assert_true(blocks < 100);
    scene.left = blocks;
    mr_lua_phase_begin(scene.L, &phase);
    scene.left = -1;
    failed += phase.has_marked;
    assert_int_equal(lua_gettop(scene.L), 0);
    lua_gc(scene.L, LUA_GCCOLLECT);
  }
  assert_true(failed > 0);
  lua_close(scene.L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_when_the_end_of_marking_nears),
      cmocka_unit_test(nears_before_what_the_main_thread_has),
      cmocka_unit_test(knows_what_is_marked_in_a_coroutine),
      cmocka_unit_test(knows_nothing_without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
