/*
** Processes that end, or become two, with requests in flight. A child of fork checks with 'must', which ends it
** with a status, as cmocka belongs to the parent.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "fault_server.h"
#include "moonrest.h"

#define SECONDS_MAX 20 /* of a child: a hang is killed */
#define STEPS_MAX   1000

static const char program[] =
    "local moonrest = require 'moonrest'\n"
    "client = moonrest.open({ name = 'host', title = 'Host', servers = { production = "
    "'http://127.0.0.1:1' },\n"
    "  resources = { things = { get = { 'GET /things', 'Shows them.' },\n"
    "    file = { 'GET /file', 'The bytes.', returns = 'file' } } } }, { base_url = "
    "'http://127.0.0.1:' .. port })\n"
    "tasks = {}\n"
    "for i = 1, 3 do tasks[i] = moonrest.spawn(function() return client.things:get() end) end\n"
    "function outcomes()\n"
    "  local kinds = {}\n"
    "  for i, task in ipairs(tasks) do\n"
    "    local data, err = task:await()\n"
    "    kinds[i] = data and data.size or err.kind\n"
    "  end\n"
    "  return table.concat(kinds, ' ')\n"
    "end\n";

#define HALF                                                                                       \
  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"size"

/* The fork comes in the middle of the answers, whose rest is held until check_parent. */
static const struct fault_script held = {
    {DO_REQUEST, DO_SEND(HALF), DO_HOLD, DO_SEND("\": 17}"), DO_AGAIN}};
static const struct fault_script silent = {{DO_REQUEST, DO_HANG}};

struct scene {
  struct fault_server *server;
  lua_State *L;
};

static void run(lua_State *L, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_settop(L, 0);
}

/* Until so many requests have come in. */
static void step_until_sent(struct scene *scene, size_t count) {
  while (fault_server_requests(scene->server) < count)
    assert_int_equal(mr_step(scene->L, 1000).status, MR_STEP_BUSY);
}

static void open_scene(struct scene *scene, const struct fault_script *script) {
  scene->server = fault_server_run(script);
  scene->L = luaL_newstate();
  assert_non_null(scene->L);
  luaL_openlibs(scene->L);
  luaL_requiref(scene->L, "moonrest", luaopen_moonrest, 0);
  lua_pushinteger(scene->L, fault_server_port(scene->server));
  lua_setglobal(scene->L, "port");
#ifdef NETWORK_IN_THREAD
  assert_true(mr_set_network(scene->L, MR_NETWORK_IN_THREAD));
#endif
  run(scene->L, program);
  step_until_sent(scene, 3);
}

static void close_scene(struct scene *scene) {
  lua_close(scene->L);
  fault_server_stop(scene->server);
}

/* {====== In the child ====== */

static void must(bool good, const char *what) {
  if (good) return;
  fprintf(stderr, "child: %s\n", what);
  _exit(1);
}

static void must_run(lua_State *L, const char *code) {
  bool good = luaL_dostring(L, code) == LUA_OK;
  must(good, good ? "" : lua_tostring(L, -1));
  lua_settop(L, 0);
}

/* Forks; the child does its work, closes the state and ends well. */
static pid_t fork_child(struct scene *scene, void (*work)(lua_State *L)) {
  pid_t child = fork();
  if (child != 0) return child;
  alarm(SECONDS_MAX);
  if (work) work(scene->L);
  lua_close(scene->L);
  _exit(0);
}

static void wait_for(pid_t child) {
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

/* }====== */

static void check_parent(struct scene *scene) {
  fault_server_release(scene->server);
  run(scene->L, "assert(outcomes() == '17 17 17')");
  assert_true(fault_server_connections(scene->server) >= 3);
}

static void works_on(lua_State *L) {
  must_run(L, "assert(outcomes() == 'cancelled cancelled cancelled')");
  must_run(
      L,
      "local data, err = tasks[1]:await() assert(err.message:find 'before its fork', err.message)");
  must_run(L, "assert(client.things:get().size == 17)");
  must_run(L,
           "local task = require 'moonrest'.spawn(function() return client.things:get().size end)\n"
           "assert(task:await() == 17)");
}

/* Both go on: the child with connections of its own, the parent with those that it had. */
static void test_both_go_on_after_a_fork(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &held);
  pid_t child = fork_child(&scene, works_on);
  check_parent(&scene);
  wait_for(child);
  size_t connections = fault_server_connections(scene.server);
  run(scene.L, "assert(client.things:get().size == 17)");
  assert_int_equal(fault_server_connections(scene.server), connections);
  close_scene(&scene);
}

/* Until the child is rid of what its parent has under way; on a busy machine a step does but a bit of it. */
static void steps(lua_State *L) {
  struct mr_step_result step = {.status = MR_STEP_BUSY};
  for (int i = 0; i < STEPS_MAX && step.status == MR_STEP_BUSY; i++) {
    step = mr_step(L, 1000);
    must(step.status != MR_STEP_FAILED, step.message ? step.message : "");
  }
  must(step.status == MR_STEP_IDLE, "tasks of the parent never end in the child");
}

static void test_a_child_that_steps(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &held);
  pid_t child = fork_child(&scene, steps);
  check_parent(&scene);
  wait_for(child);
  close_scene(&scene);
}

static void test_a_child_that_only_ends(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &held);
  wait_for(fork_child(&scene, NULL));
  check_parent(&scene);
  close_scene(&scene);
}

static void forgets_all(lua_State *L) {
  must_run(L, "client, tasks = nil, nil collectgarbage() collectgarbage()");
}

/* Routes, requests and clients that are collected in the child hang up nothing of the parent's. */
static void test_a_child_that_collects_everything(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &held);
  wait_for(fork_child(&scene, forgets_all));
  check_parent(&scene);
  close_scene(&scene);
}

static void test_a_child_that_collects_idle_connections(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &held);
  check_parent(&scene);
  size_t connections = fault_server_connections(scene.server);
  wait_for(fork_child(&scene, forgets_all));
  run(scene.L, "assert(client.things:get().size == 17)");
  assert_int_equal(fault_server_connections(scene.server), connections);
  close_scene(&scene);
}

static void cancels_all(lua_State *L) {
  must_run(L, "for _, task in ipairs(tasks) do task:cancel() end");
  must_run(L, "assert(outcomes() == 'cancelled cancelled cancelled')");
}

static void test_a_child_that_cancels(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &held);
  wait_for(fork_child(&scene, cancels_all));
  check_parent(&scene);
  close_scene(&scene);
}

static void test_a_download_is_the_parents(void **state) {
  struct scene scene;
  char path[] = "/tmp/moonrest-fork-XXXXXX";
  (void)state;
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  close(descriptor);
  open_scene(&scene, &held);
  lua_pushstring(scene.L, path);
  lua_setglobal(scene.L, "path");
  run(scene.L, "file = require 'moonrest'.spawn(function()\n"
               "  return client.things:file({}, { to = path }) end)");
  step_until_sent(&scene, 4);
  wait_for(fork_child(&scene, steps));
  fault_server_release(scene.server);
  run(scene.L, "local done = assert(file:await()) assert(done.bytes == 12)\n"
               "assert(io.open(path):read 'a' == '{\"size\": 17}')");
  check_parent(&scene);
  close_scene(&scene);
  unlink(path);
}

/* The answer may be there at once: a step without time ends before it is heard. */
static void forks_again(lua_State *L) {
  int status = -1;
  must_run(L, "local moonrest = require 'moonrest'\n"
              "tasks = { moonrest.spawn(function() return client.things:get() end) }\n"
              "repeat moonrest.step(0) until tasks[1]:status() == 'waiting'");
  pid_t grandchild = fork();
  if (grandchild == 0) {
    alarm(SECONDS_MAX);
    must_run(L, "assert(outcomes() == 'cancelled')");
    lua_close(L);
    _exit(0);
  }
  must_run(L, "assert(outcomes() == '17')");
  must(waitpid(grandchild, &status, 0) == grandchild && status == 0, "the grandchild failed");
}

static void test_a_child_of_a_child(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &held);
  pid_t child = fork_child(&scene, forks_again);
  check_parent(&scene);
  wait_for(child);
  close_scene(&scene);
}

/* A connection that the parent ends is over for the server, whether or not its child lives on. */
static void test_a_child_keeps_no_connection_open(void **state) {
  struct scene scene;
  int ready[2], leave[2];
  char byte;
  (void)state;
  assert_int_equal(pipe(ready), 0);
  assert_int_equal(pipe(leave), 0);
  open_scene(&scene, &silent);
  pid_t child = fork();
  if (child == 0) {
    alarm(SECONDS_MAX);
    close(leave[1]);
    steps(scene.L);
    must(write(ready[1], "", 1) == 1, "write");
    must(read(leave[0], &byte, 1) == 0, "read");
    _exit(0);
  }
  close(leave[0]);
  assert_int_equal(read(ready[0], &byte, 1), 1);
  run(scene.L, "for _, task in ipairs(tasks) do task:cancel() end");
  lua_close(scene.L);
  assert_true(fault_server_wait_open(scene.server, 0));
  close(leave[1]);
  wait_for(child);
  close(ready[0]);
  close(ready[1]);
  fault_server_stop(scene.server);
}

/* {====== The end of a process ====== */

static void exits(lua_State *L) {
  must_run(L, "os.exit(true, true)");
  must(false, "os.exit came back");
}

/* A process of its own that has requests in flight, one of them waiting for a name, and ends by os.exit. */
static void test_os_exit_with_requests_in_flight(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) {
    struct scene scene;
    alarm(SECONDS_MAX);
    open_scene(&scene, &silent);
    must_run(scene.L, "local moonrest = require 'moonrest'\n"
                      "local lost = moonrest.open({ name = 'lost', title = 'Lost',\n"
                      "  servers = { production = 'https://nowhere.invalid' },\n"
                      "  resources = { things = { get = { 'GET /things', 'Shows them.' } } } })\n"
                      "moonrest.spawn(function() lost.things:get() end)");
    mr_step(scene.L, 1000);
    exits(scene.L);
  }
  wait_for(child);
}

/* }====== */

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_os_exit_with_requests_in_flight),
      cmocka_unit_test(test_both_go_on_after_a_fork),
      cmocka_unit_test(test_a_child_that_steps),
      cmocka_unit_test(test_a_child_that_only_ends),
      cmocka_unit_test(test_a_child_that_collects_everything),
      cmocka_unit_test(test_a_child_that_collects_idle_connections),
      cmocka_unit_test(test_a_child_that_cancels),
      cmocka_unit_test(test_a_download_is_the_parents),
      cmocka_unit_test(test_a_child_of_a_child),
      cmocka_unit_test(test_a_child_keeps_no_connection_open),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
