/* The marker, in cycles that are gone through piece by piece. */
#include "lua/marker.h"

#include <lauxlib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lua/json.h"

#define TABLES 20000

static const char text[] =
    "[{\"a\":[1]},{\"a\":[2]},{\"a\":[3]},{\"a\":[4]},{\"a\":[5]},{\"a\":[6]}]";

struct scene {
  lua_State *L;
  int freed; /* blocks */
};

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  struct scene *scene = context;
  (void)old_size;
  if (size > 0) return realloc(block, size);
  scene->freed += block != NULL;
  free(block);
  return NULL;
}

static void open(struct scene *scene) {
  *scene = (struct scene){0};
  scene->L = lua_newstate(allocate, scene);
  assert_non_null(scene->L);
  lua_gc(scene->L, LUA_GCINC, 200, 4, 8);
  lua_gc(scene->L, LUA_GCSTOP);
}

/* Returns whether it was the last of its cycle. */
static bool collect_piece(lua_State *L) {
  lua_gc(L, LUA_GCSETSTEPMUL, 0);
  return lua_gc(L, LUA_GCSTEP, 0) == 1;
}

static void end_cycle(lua_State *L) {
  while (!collect_piece(L))
    continue;
}

static void make_garbage(lua_State *L) {
  for (int i = 0; i < TABLES; i++) {
    lua_createtable(L, 0, 0);
    lua_pop(L, 1);
  }
}

/* Values for the registry, which is where all that lives is found. */
static void fill_registry(lua_State *L) {
  for (int i = 0; i < 1000; i++) {
    lua_createtable(L, 4, 0);
    luaL_ref(L, LUA_REGISTRYINDEX);
  }
}

/* Returns how many blocks the greediest piece freed. */
static int most_freed(struct scene *scene, bool leads) {
  int most = 0;
  bool is_over = false;
  make_garbage(scene->L);
  while (!is_over) {
    scene->freed = 0;
    if (leads) mr_lua_marker_lead(scene->L);
    is_over = collect_piece(scene->L);
    if (scene->freed > most) most = scene->freed;
  }
  return most;
}

static void keeps_the_start_of_the_sweep_short(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  assert_true(most_freed(&scene, false) >= TABLES);
  assert_true(most_freed(&scene, true) < TABLES / 10);
  lua_close(scene.L);
}

/* The cycle has begun, and the registry was reached: so was the marker then, in the piece after it. */
static void begin_cycle(lua_State *L) {
  for (int i = 0; i < 12; i++) {
    mr_lua_marker_lead(L);
    assert_false(collect_piece(L));
  }
}

/* Leaves nothing of it. */
static void decode(lua_State *L, bool marks) {
  const struct mr_json_budget budget = {.marks = marks};
  mr_json_decoder_new(L, NULL);
  assert_int_equal(mr_json_decoder_run(L, -1, text, sizeof text - 1, false, &budget), MR_JSON_DONE);
  lua_pop(L, 2);
}

/* How many blocks of what was decoded meanwhile, and dropped, a cycle frees. */
static int freed_of_decoded(struct scene *scene, bool marks) {
  lua_State *L = scene->L;
  end_cycle(L);
  begin_cycle(L);
  for (int i = 0; i < 100; i++)
    decode(L, marks);
  scene->freed = 0;
  end_cycle(L);
  return scene->freed;
}

static void marks_what_is_decoded(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  fill_registry(scene.L);
  decode(scene.L, true); /* makes the workspace */
  assert_true(freed_of_decoded(&scene, false) > 2000);
  assert_true(freed_of_decoded(&scene, true) < 1000); /* the decoders */
  scene.freed = 0;
  end_cycle(scene.L);
  assert_true(scene.freed > 2000); /* the next one has them */
  lua_close(scene.L);
}

static void forgets(void **state) {
  struct scene scene;
  lua_State *L;
  (void)state;
  open(&scene);
  L = scene.L;
  assert_int_equal(mr_lua_marker_push(L), 0);
  mr_lua_marker_lead(L);
  int marker = mr_lua_marker_push(L);
  assert_int_equal(marker, lua_gettop(L));
  lua_pushboolean(L, 1);
  mr_lua_mark(L, marker, -1);
  lua_getupvalue(L, marker, 2);
  assert_true(lua_toboolean(L, -1));
  mr_lua_marker_forget(L, marker);
  lua_getupvalue(L, marker, 2);
  assert_true(lua_isnil(L, -1));
  lua_close(L);
}

static void leaves_the_registry_as_it_was(void **state) {
  struct scene scene;
  lua_State *L;
  (void)state;
  open(&scene);
  L = scene.L;
  mr_lua_marker_lead(L);
  assert_false(lua_getmetatable(L, LUA_REGISTRYINDEX));
  lua_newtable(L);
  const void *metatable = lua_topointer(L, -1);
  lua_setmetatable(L, LUA_REGISTRYINDEX);
  mr_lua_marker_lead(L);
  assert_true(lua_getmetatable(L, LUA_REGISTRYINDEX));
  assert_ptr_equal(lua_topointer(L, -1), metatable);
  lua_close(L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keeps_the_start_of_the_sweep_short),
      cmocka_unit_test(marks_what_is_decoded),
      cmocka_unit_test(forgets),
      cmocka_unit_test(leaves_the_registry_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
