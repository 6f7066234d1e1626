/* Coroutines that compute, and what they hear of a hook of the main thread. */
#include "lua/interrupt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct scene {
  lua_State *L;
  struct mr_lua_interrupt interrupt;
  bool is_full; /* nothing more can be had */
};

static void *allocate(void *context, void *block, size_t old_size, size_t size) {
  const struct scene *scene = context;
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (scene->is_full && (!block || size > old_size)) return NULL;
  return realloc(block, size);
}

static void open(struct scene *scene) {
  *scene = (struct scene){0};
  scene->L = lua_newstate(allocate, scene);
  assert_non_null(scene->L);
  lua_gc(scene->L, LUA_GCSTOP);
  mr_lua_interrupt_init(scene->L, &scene->interrupt);
  mr_lua_interrupt_listen(scene->L, &scene->interrupt);
}

static void hook(lua_State *L, lua_Debug *event) {
  (void)event;
  lua_sethook(L, NULL, 0, 0);
}

/* What the main thread would hear has no turn there. */
static bool is_heard(struct scene *scene) {
  lua_State *thread = lua_newthread(scene->L);
  lua_sethook(scene->L, hook, LUA_MASKCOUNT, 1 << 30);
  lua_gc(thread, LUA_GCCOLLECT);
  bool is_put = lua_gethook(thread) == hook;
  lua_sethook(scene->L, NULL, 0, 0);
  lua_pop(scene->L, 1);
  return is_put;
}

static void hears_in_each_cycle(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  for (int i = 0; i < 4; i++)
    assert_true(is_heard(&scene));
  lua_gc(scene.L, LUA_GCGEN, 0, 0);
  for (int i = 0; i < 4; i++)
    assert_true(is_heard(&scene));
  lua_close(scene.L);
}

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* The stack has room for one more call, as that of a program that runs. */
static int collect_when_full(lua_State *L) {
  struct scene *scene = lua_touserdata(L, 1);
  lua_pushcfunction(L, nothing);
  lua_call(L, 0, 0);
  scene->is_full = true;
  lua_gc(L, LUA_GCCOLLECT);
  scene->is_full = false;
  return 0;
}

static void hears_after_there_was_no_memory(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  for (int i = 0; i < 4; i++) {
    lua_pushcfunction(scene.L, collect_when_full);
    lua_pushlightuserdata(scene.L, &scene);
    lua_call(scene.L, 1, 0);
    assert_true(is_heard(&scene));
  }
  lua_close(scene.L);
}

static void makes_no_more_of_them(void **state) {
  struct scene scene;
  (void)state;
  open(&scene);
  for (int i = 0; i < 4; i++)
    lua_gc(scene.L, LUA_GCCOLLECT);
  int bytes = lua_gc(scene.L, LUA_GCCOUNT) * 1024 + lua_gc(scene.L, LUA_GCCOUNTB);
  for (int i = 0; i < 100; i++)
    lua_gc(scene.L, LUA_GCCOLLECT);
  assert_int_equal(lua_gc(scene.L, LUA_GCCOUNT) * 1024 + lua_gc(scene.L, LUA_GCCOUNTB), bytes);
  lua_close(scene.L);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hears_in_each_cycle),
      cmocka_unit_test(hears_after_there_was_no_memory),
      cmocka_unit_test(makes_no_more_of_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
