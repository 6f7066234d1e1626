/* What a host program asks of the library: opening it, steps, hooks and limits. */
#include "host_scene.h"

/* {====== Opening ====== */

static void test_no_file_is_needed(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = open_state(&memory);
  run(L, "local moonrest = require 'moonrest'\n"
         "for name in pairs(moonrest) do assert(moonrest[name] ~= nil, name) end\n"
         "for name in pairs(package.preload) do assert(require(name), name) end\n"
         "assert(#require 'moonrest.digest'.sha256 '' == 32)\n"
         "assert(moonrest.definition 'edgegap')\n");
  lua_close(L);
  assert_int_equal(memory.used, 0);
}

static void test_only_names_of_the_library_are_added(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = lua_newstate(lua_allocator, &memory);
  luaL_openlibs(L);
  run(L, "package.preload['moonrest.help'] = function() return 'mine' end\n"
         "package.preload.other = print\n"
         "searchers = #package.searchers\n");
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  run(L, "for name in pairs(package.preload) do\n"
         "  assert(name == 'other' or name == 'moonrest' or name:find '^moonrest%.', name)\n"
         "end\n"
         "assert(require 'moonrest.help' == 'mine' and #package.searchers == searchers)\n"
         "for name in pairs(_G) do assert(not name:find 'moonrest', name) end\n");
  lua_close(L);
}

static void test_mistakes_are_told_at_the_line_of_the_host(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = open_state(&memory);
  assert_int_not_equal(luaL_loadbuffer(L, "\nrequire 'moonrest'.open(7)", 27, "@game.lua"), 1);
  assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
  assert_non_null(strstr(lua_tostring(L, -1), "game.lua:2: "));
  lua_close(L);
}

static int open_without_libraries(lua_State *L) {
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  return 0;
}

static void test_a_state_without_libraries_is_told_so(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = lua_newstate(lua_allocator, &memory);
  lua_pushcfunction(L, open_without_libraries);
  assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_ERRRUN);
  assert_non_null(strstr(lua_tostring(L, -1), "luaL_openlibs"));
  lua_close(L);
}

#ifdef MOONREST_WITH_SANDBOX
static void test_the_sandbox_is_inside(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = open_state(&memory);
  run(L, "local server = assert(require 'moonrest.sandbox'.start { seed = 1, systems = { 'edgegap' "
         "} })\n"
         "local edgegap = server:open 'edgegap'\n"
         "assert(type(assert(edgegap.apps:list())) == 'table')\n"
         "server:stop()\n");
  lua_close(L);
  assert_int_equal(memory.used, 0);
}
#endif

#ifdef MOONREST_WITH_REDIS
/* The module is there, and TLS in it: a file that does not exist is looked for. */
static void test_redis_is_inside(void **state) {
  (void)state;
  struct memory memory = {0};
  lua_State *L = open_state(&memory);
  assert_true(is_true(L, "require('moonrest.redis').keeper ~= nil"));
  run(L, "fine, problem = pcall(require('moonrest').configure, "
         "{ limiter = 'rediss://127.0.0.1?ca_file=/nowhere/ca.pem' })");
  assert_true(
      is_true(L, "not fine and problem:find('cannot be read from /nowhere/ca.pem', 1, true)"));
  lua_close(L);
}
#endif

/* }====== */

/* {====== Stepping ====== */

static void test_calls_run_in_steps(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &well);
  assert_int_equal(mr_step(scene.L, 1000).status, MR_STEP_IDLE);
  assert_true(mr_set_blocking(scene.L, false));
  run(scene.L,
      "task = require 'moonrest'.spawn(function() size = assert(client.things:get()).size end)");
  struct mr_step_result step = mr_step(scene.L, 0);
  assert_int_equal(step.status, MR_STEP_BUSY);
  assert_int_equal(step.tasks, 1);
  step_all(scene.L);
  assert_true(is_true(scene.L, "size == 17"));
  assert_false(is_true(scene.L, "(pcall(client.things.get))"));
  assert_true(mr_set_blocking(scene.L, true));
  assert_true(is_true(scene.L, "client.things:get().size == 17"));
  close_scene(&scene);
}

static void test_network_in_a_thread(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &well);
  assert_true(mr_set_network(scene.L, MR_NETWORK_IN_THREAD));
  run(scene.L,
      "task = require 'moonrest'.spawn(function() size = assert(client.things:get()).size end)");
  step_all(scene.L);
  assert_true(is_true(scene.L, "size == 17"));
  assert_true(mr_set_network(scene.L, MR_NETWORK_IN_THREAD));
  assert_false(mr_set_network(scene.L, MR_NETWORK_IN_STEPS)); /* too late */
  close_scene(&scene);
}

static void test_an_idle_step_allocates_nothing(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = open_state(&memory);
  mr_step(L, 1000);
  memory.growths = 0;
  memory.fail_from = SIZE_MAX;
  for (int i = 0; i < 100; i++)
    assert_int_equal(mr_step(L, 1000).status, MR_STEP_IDLE);
  assert_int_equal(memory.growths, 0);
  lua_close(L);
}

static void test_a_step_never_raises(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = open_state(&memory);
  int top = lua_gettop(L);
  run(L, "require 'moonrest'.spawn(function() end)");
  struct mr_step_result step = mr_step(L, -1);
  assert_int_equal(step.status, MR_STEP_FAILED);
  assert_non_null(strstr(step.message, "budget"));
  assert_int_equal(mr_step(L, 1000).status, MR_STEP_IDLE);
  run(L, "require 'moonrest.host'.step = function() error(setmetatable({}, { __tostring = error "
         "})) end");
  step = mr_step(L, 1000);
  assert_int_equal(step.status, MR_STEP_FAILED);
  assert_non_null(step.message);
  run(L, "require 'moonrest.host'.step = function() error() end");
  assert_string_equal(mr_step(L, 1000).message, "nil");
  assert_int_equal(lua_gettop(L), top);
  lua_close(L);
}

static int step_inside(lua_State *L) {
  struct mr_step_result step = mr_step(L, 1000);
  lua_pushstring(L, step.message);
  return 1;
}

static void test_a_step_within_a_step_fails(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = open_state(&memory);
  lua_register(L, "step_inside", step_inside);
  run(L, "require 'moonrest'.spawn(function() message = step_inside() end)");
  step_all(L);
  assert_true(is_true(L, "message:find 'a step within a step'"));
  lua_close(L);
}

static void test_a_state_that_did_not_open_it_is_told_so(void **state) {
  struct memory memory = {0};
  (void)state;
  lua_State *L = lua_newstate(lua_allocator, &memory);
  struct mr_step_result step = mr_step(L, 1000);
  assert_int_equal(step.status, MR_STEP_FAILED);
  assert_non_null(strstr(step.message, "luaopen_moonrest"));
  assert_false(mr_set_blocking(L, false));
  assert_false(mr_set_limits(L, &(struct mr_limits){.requests = 1}));
  assert_false(mr_set_log(L, NULL, NULL));
  lua_close(L);
}

/* }====== */

/* {====== Hooks and limits ====== */

static void collect_line(void *context, const char *event, const char *line) {
  snprintf(context, 500, "%s|%s", event, line);
}

static void test_the_log_hook_hears_of_failed_tasks(void **state) {
  struct memory memory = {0};
  char line[500] = "";
  (void)state;
  lua_State *L = open_state(&memory);
  assert_true(mr_set_log(L, collect_line, line));
  run(L, "require 'moonrest'.spawn(function() error 'no coffee' end)");
  step_all(L);
  run(L, "collectgarbage() collectgarbage()");
  assert_memory_equal(line, "task_failed|", 12);
  assert_non_null(strstr(line, "no coffee"));
  assert_true(mr_set_log(L, NULL, NULL));
  lua_close(L);
}

static void test_requests_are_limited(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene, &silent);
  assert_true(mr_set_limits(scene.L, &(struct mr_limits){.requests = 2}));
  run(scene.L, "local moonrest = require 'moonrest'\n"
               "errors, tasks = {}, {}\n"
               "for i = 1, 3 do tasks[i] = moonrest.spawn(function()\n"
               "  local ok, err = client.things:get() errors[#errors + 1] = err end) end\n");
  for (int i = 0; i < 3; i++)
    assert_int_equal(mr_step(scene.L, 1000).status, MR_STEP_BUSY);
  assert_true(is_true(scene.L, "#errors == 1 and errors[1].kind == 'limit'"));
  run(scene.L, "for _, task in ipairs(tasks) do task:cancel() end");
  close_scene(&scene);
}
/* }====== */

static void test_a_state_is_closed_with_requests_in_flight(void **state) {
  struct scene scene;
  (void)state;
  for (int i = 0; i < 3; i++) {
    open_scene(&scene, &silent);
    run(scene.L,
        "for i = 1, 20 do require 'moonrest'.spawn(function() client.things:get() end) end");
    for (int step = 0; step < i; step++)
      assert_int_equal(mr_step(scene.L, 1000).status, MR_STEP_BUSY);
    close_scene(&scene);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_file_is_needed),
      cmocka_unit_test(test_only_names_of_the_library_are_added),
      cmocka_unit_test(test_mistakes_are_told_at_the_line_of_the_host),
      cmocka_unit_test(test_a_state_without_libraries_is_told_so),
#ifdef MOONREST_WITH_REDIS
      cmocka_unit_test(test_redis_is_inside),
#endif
#ifdef MOONREST_WITH_SANDBOX
      cmocka_unit_test(test_the_sandbox_is_inside),
#endif
      cmocka_unit_test(test_calls_run_in_steps),
      cmocka_unit_test(test_network_in_a_thread),
      cmocka_unit_test(test_an_idle_step_allocates_nothing),
      cmocka_unit_test(test_a_step_never_raises),
      cmocka_unit_test(test_a_step_within_a_step_fails),
      cmocka_unit_test(test_a_state_that_did_not_open_it_is_told_so),
      cmocka_unit_test(test_the_log_hook_hears_of_failed_tasks),
      cmocka_unit_test(test_requests_are_limited),
      cmocka_unit_test(test_a_state_is_closed_with_requests_in_flight),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
