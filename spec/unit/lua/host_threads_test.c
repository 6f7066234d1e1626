/* Several lua_States, each in a thread of its own, with limits that they share. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "fault_server.h"
#include "moonrest.h"

#define THREADS 4
#define CALLS   6 /* of each state: the server counts connections, and each call may have its own */
#define ROUNDS  6
#define FORKS   12

#define SECONDS_MAX 20 /* of a child: a hang is killed */

#define ANSWER                                                                                     \
  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"size\": 17}"

static const struct fault_script well = {{DO_REQUEST, DO_SEND(ANSWER), DO_AGAIN}};

static const char program[] =
    "local moonrest = require 'moonrest'\n"
    "local port, calls = ...\n"
    "require 'moonrest.core'.share 'local'\n"
    "if in_thread then moonrest.configure { io = 'thread' } end\n"
    "local client = moonrest.open({ name = 'host', title = 'Host', servers = { production = "
    "'http://127.0.0.1:1' },\n"
    "  limits = { default = 'all', buckets = { all = { '10000/s' } } },\n"
    "  resources = { things = { get = { 'GET /things', 'Shows them.' } } } }, { base_url = "
    "'http://127.0.0.1:' .. port })\n"
    "good = 0\n"
    "for i = 1, calls do moonrest.spawn(function()\n"
    "  if assert(client.things:get()).size == 17 then good = good + 1 end end) end\n";

struct worker {
  pthread_t thread;
  int port;
  bool in_thread;
  lua_Integer good;
  char problem[300];
};

static void note(struct worker *worker, const char *text) {
  snprintf(worker->problem, sizeof worker->problem, "%s", text ? text : "an error without a text");
}

static void step_all(struct worker *worker, lua_State *L) {
  struct mr_step_result step;
  do {
    step = mr_step(L, 500);
    if (step.message) note(worker, step.message);
  } while (step.status == MR_STEP_BUSY);
}

static void use_state(struct worker *worker, lua_State *L) {
  luaL_openlibs(L);
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  bool good = luaL_loadstring(L, program) == LUA_OK;
  lua_pushboolean(L, worker->in_thread);
  lua_setglobal(L, "in_thread");
  lua_pushinteger(L, worker->port);
  lua_pushinteger(L, CALLS);
  if (!good || lua_pcall(L, 2, 0, 0) != LUA_OK) {
    note(worker, lua_tostring(L, -1));
    return;
  }
  step_all(worker, L);
  lua_getglobal(L, "good");
  worker->good += lua_tointeger(L, -1);
}

static void *work(void *argument) {
  struct worker *worker = argument;
  for (int i = 0; i < ROUNDS; i++) {
    lua_State *L = luaL_newstate();
    use_state(worker, L);
    lua_close(L);
  }
  return NULL;
}

static void run_states(bool in_thread) {
  struct worker workers[THREADS] = {0};
  struct fault_server *server = fault_server_run(&well);
  for (int i = 0; i < THREADS; i++) {
    workers[i].in_thread = in_thread;
    workers[i].port = fault_server_port(server);
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    assert_string_equal(workers[i].problem, "");
    assert_int_equal(workers[i].good, ROUNDS * CALLS);
  }
  assert_int_equal(fault_server_requests(server), THREADS * ROUNDS * CALLS);
  fault_server_stop(server);
}

static void test_states_in_threads(void **state) {
  (void)state;
  run_states(false);
}

static void test_states_with_threads(void **state) {
  (void)state;
  run_states(true);
}

/* A child that uses the library, whatever the threads of its parent were about to do. */
static bool child_works(int port, bool in_thread) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    struct worker worker = {.port = port, .in_thread = in_thread};
    alarm(SECONDS_MAX);
    lua_State *L = luaL_newstate();
    use_state(&worker, L);
    if (worker.problem[0]) fprintf(stderr, "child: %s\n", worker.problem);
    _exit(worker.good == CALLS ? 0 : 1);
  }
  return waitpid(child, &status, 0) == child && status == 0;
}

static void fork_beside(bool in_thread) {
  if (getenv("MOONREST_SANITIZED")) skip(); /* the sanitizer's own allocator does not survive it */
  struct worker workers[THREADS] = {0};
  struct fault_server *server = fault_server_run(&well);
  bool good = true;
  for (int i = 0; i < THREADS; i++) {
    workers[i].in_thread = in_thread;
    workers[i].port = fault_server_port(server);
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (int i = 0; i < FORKS && good; i++)
    good = child_works(fault_server_port(server), in_thread);
  for (int i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    assert_string_equal(workers[i].problem, "");
    assert_int_equal(workers[i].good, ROUNDS * CALLS);
  }
  fault_server_stop(server);
  assert_true(good);
}

static void test_forks_beside_threads(void **state) {
  (void)state;
  fork_beside(false);
}

/* Those that fork have a thread for the network, and so has their child. */
static void test_forks_with_threads(void **state) {
  (void)state;
  fork_beside(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_states_in_threads), cmocka_unit_test(test_forks_beside_threads),
      cmocka_unit_test(test_states_with_threads), cmocka_unit_test(test_forks_with_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
