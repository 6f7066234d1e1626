/*
** A host program: liblua, libmoonrest.a, and nothing else. The Lua state has an allocator with a hard limit and finds
** no file; the server is in a thread.
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

#include "fault_server.h"
#include "moonrest.h"

/* {====== Memory ====== */

struct memory {
  size_t limit; /* bytes; 0: none */
  size_t used;
  size_t blocks;
  size_t growths;   /* asked for since the round began */
  size_t fail_from; /* this one and all after it fail until the round ends; 0: none does */
  bool failed;
};

static void *lua_allocator(void *context, void *block, size_t old_size, size_t size) {
  struct memory *memory = context;
  if (!block) old_size = 0;
  if (size == 0) {
    memory->used -= old_size;
    memory->blocks -= block != NULL;
    free(block);
    return NULL;
  }
  bool grows = size > old_size;
  bool over = memory->limit > 0 && memory->used - old_size + size > memory->limit;
  bool fails = grows && memory->fail_from > 0 && ++memory->growths >= memory->fail_from;
  if (grows && (over || fails)) {
    memory->failed = true;
    return NULL;
  }
  memory->used += size - old_size;
  memory->blocks += block == NULL;
  return realloc(block, size);
}

/* }====== */

/* {====== A scene ====== */

static const char definition[] = "local moonrest = require 'moonrest'\n"
                                 "client = moonrest.open({ name = 'host', title = 'Host', servers "
                                 "= { production = 'http://127.0.0.1:1' },\n"
                                 "  resources = { things = { get = { 'GET /things', 'Shows them.' "
                                 "} } } }, { base_url = 'http://127.0.0.1:' .. port })\n";

struct scene {
  struct memory memory;
  struct fault_server *server;
  lua_State *L;
};

static void run(lua_State *L, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_settop(L, 0);
}

static bool is_true(lua_State *L, const char *expression) {
  char code[1000];
  snprintf(code, sizeof code, "return %s", expression);
  if (luaL_dostring(L, code) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  bool result = lua_toboolean(L, -1);
  lua_settop(L, 0);
  return result;
}

static lua_State *open_state(struct memory *memory) {
  lua_State *L = lua_newstate(lua_allocator, memory);
  assert_non_null(L);
  luaL_openlibs(L);
  run(L, "package.path, package.cpath = '', ''");
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  lua_settop(L, 0);
  return L;
}

static void open_scene(struct scene *scene, const struct fault_script *script) {
  *scene = (struct scene){.server = fault_server_run(script)};
  scene->L = open_state(&scene->memory);
  lua_pushinteger(scene->L, fault_server_port(scene->server));
  lua_setglobal(scene->L, "port");
  run(scene->L, definition);
}

static void close_scene(struct scene *scene) {
  lua_close(scene->L);
  fault_server_stop(scene->server);
  assert_int_equal(scene->memory.used, 0);
  assert_int_equal(scene->memory.blocks, 0);
}

/* Steps until nothing is left to do; the server's threads get the processor in between. */
static void step_all(lua_State *L) {
  struct mr_step_result step;
  do {
    step = mr_step(L, 2000);
    if (step.message) fail_msg("%s", step.message);
  } while (step.status == MR_STEP_BUSY);
}

#define ANSWER                                                                                     \
  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"size\": 17}"

static const struct fault_script well = {{DO_REQUEST, DO_SEND(ANSWER), DO_AGAIN}};
static const struct fault_script silent = {{DO_REQUEST, DO_HANG}};

/* }====== */

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

/* }====== */

/* {====== Stepping ====== */

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

/* Of 'size' bytes: a list of ones. */
static void make_answer(char *out, size_t out_size, size_t size, bool announced) {
  char *body =
      out + snprintf(out, out_size, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n");
  body += announced ? sprintf(body, "Content-Length: %zu\r\n\r\n", size) : sprintf(body, "\r\n");
  assert_true(size % 2 == 1 && (size_t)(body - out) + size < out_size);
  for (size_t i = 0; i < size; i++)
    body[i] = i % 2 == 0 ? ',' : '1';
  body[0] = '[';
  body[size - 1] = ']';
  body[size] = '\0';
}

#define BIG 400001

static void check_too_large(bool announced) {
  struct scene scene;
  static char answer[BIG + 1000];
  make_answer(answer, sizeof answer, BIG, announced);
  const struct fault_script scripts[] = {{{DO_REQUEST, DO_SEND(answer)}}, well};
  scene = (struct scene){.server = fault_server_start(&(struct fault_server_options){
                             .scripts = scripts, .script_count = 2})};
  scene.L = open_state(&scene.memory);
  lua_pushinteger(scene.L, fault_server_port(scene.server));
  lua_setglobal(scene.L, "port");
  run(scene.L, definition);
  assert_true(mr_set_limits(scene.L, &(struct mr_limits){.memory_bytes = 100000}));
  run(scene.L, "data, err = client.things:get() collectgarbage()");
  assert_true(is_true(scene.L, "data == nil and err.kind == 'too_large'"));
  assert_true(is_true(scene.L, "err.message:find '100000 bytes'"));
  for (int i = 0; i < 10; i++)
    assert_true(is_true(scene.L, "client.things:get().size == 17"));
  close_scene(&scene);
}

static void test_an_announced_body_over_the_limit(void **state) {
  (void)state;
  check_too_large(true);
}

static void test_a_body_over_the_limit(void **state) {
  (void)state;
  check_too_large(false);
}

/* The values of the body need eight times its bytes. */
static void check_lua_memory(const char *call) {
  static char answer[BIG + 1000];
  make_answer(answer, sizeof answer, BIG, true);
  const struct fault_script script = {{DO_REQUEST, DO_SEND(answer), DO_AGAIN}};
  struct scene scene;
  open_scene(&scene, &script);
  run(scene.L, "require 'moonrest'.spawn(function() end):await()");
  scene.memory.limit = scene.memory.used + 1000000;
  for (int i = 0; i < 3; i++) {
    run(scene.L, call);
    step_all(scene.L);
    assert_true(scene.memory.failed);
    scene.memory.failed = false;
    assert_true(is_true(scene.L, "data == nil and err.kind == 'too_large'"));
    assert_true(is_true(scene.L, "err.message:find 'memory of this Lua state'"));
  }
  scene.memory.limit = 0;
  run(scene.L, call);
  step_all(scene.L);
  assert_true(is_true(scene.L, "#data == 200000"));
  close_scene(&scene);
}

static void test_values_over_the_limit_of_the_state(void **state) {
  (void)state;
  check_lua_memory("data, err = client.things:get()");
}

static void test_values_over_the_limit_of_the_state_in_slices(void **state) {
  (void)state;
  check_lua_memory("require 'moonrest'.spawn(function() data, err = client.things:get() end)");
}

/* It is tasks that hold the memory: only those that get on and fail give any of it back. */
static void test_tasks_that_take_all_memory_end(void **state) {
  (void)state;
  struct scene scene;
  open_scene(&scene, &well);
  run(scene.L, "assert(client.things:get()) require 'moonrest'.spawn(function() end):await()");
  run(scene.L, "told = 0 require 'moonrest'.on('task_failed', function() told = told + 1 end)");
  scene.memory.limit = scene.memory.used + 500000;
  run(scene.L, "for i = 1, 200 do require 'moonrest'.spawn(function()\n"
               "  local kept = {}\n"
               "  while true do\n"
               "    kept[#kept + 1] = ('x'):rep(500) .. #kept .. i\n"
               "    require 'moonrest'.sleep(0) end end) end");
  int steps = 0;
  while (mr_step(scene.L, 2000).status != MR_STEP_IDLE)
    assert_true(steps++ < 50000); /* on a busy machine a step gets little done */
  assert_true(scene.memory.failed);
  assert_true(is_true(scene.L, "client.things:get().size == 17"));
  run(scene.L, "collectgarbage()");
  assert_true(is_true(scene.L, "told > 0"));
  close_scene(&scene);
}

/* }====== */

/* {====== No memory at all ====== */

static const char scenario[] = "local moonrest = require 'moonrest'\n"
                               "local sizes = {}\n"
                               "local tasks = {}\n"
                               "for i = 1, 2 do tasks[i] = moonrest.spawn(function()\n"
                               "  local data, err = client.things:get()\n"
                               "  if not data then error(err.message, 0) end\n"
                               "  sizes[i] = data.size end) end\n"
                               "for _, task in ipairs(tasks) do task:await() end\n"
                               "assert(sizes[1] == 17 and sizes[2] == 17)\n";

/* One round: from the n-th allocation on Lua gets nothing, until the call has failed; the same again with memory
** must succeed. True when no allocation was left to fail. */
static bool run_round(struct scene *scene, size_t n) {
  lua_State *L = scene->L;
  if (luaL_loadstring(L, scenario) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  scene->memory.growths = 0;
  scene->memory.failed = false;
  scene->memory.fail_from = n;
  int status = lua_pcall(L, 0, 0, 0);
  scene->memory.fail_from = 0;
  bool done = status == LUA_OK && !scene->memory.failed;
  if (status != LUA_OK && !scene->memory.failed) fail_msg("round %zu: %s", n, lua_tostring(L, -1));
  lua_settop(L, 0);
  run(L, "require 'moonrest'.run()");
  run(L, scenario);
  return done;
}

static void drop_line(void *context, const char *event, const char *line) {
  (void)event;
  (void)line;
  ++*(size_t *)context;
}

static void test_every_allocation_of_lua_may_fail(void **state) {
  struct scene scene;
  size_t n = 1, lines = 0;
  (void)state;
  open_scene(&scene, &well);
  assert_true(mr_set_log(scene.L, drop_line, &lines));
  run(scene.L, scenario);
  while (!run_round(&scene, n))
    n++;
  assert_true(n > 50);
  close_scene(&scene);
}

static int open_protected(lua_State *L) {
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  return 0;
}

/* Opening may fail at any allocation, and can then be done again. */
static void test_opening_without_memory(void **state) {
  (void)state;
  for (size_t n = 1;; n += 7) {
    struct memory memory = {0};
    lua_State *L = lua_newstate(lua_allocator, &memory);
    luaL_openlibs(L);
    lua_pushcfunction(L, open_protected);
    memory.growths = 0;
    memory.fail_from = n;
    int status = lua_pcall(L, 0, 0, 0);
    memory.fail_from = 0;
    lua_pushcfunction(L, open_protected);
    assert_int_equal(lua_pcall(L, 0, 0, 0), LUA_OK);
    assert_int_equal(mr_step(L, 1000).status, MR_STEP_IDLE);
    lua_close(L);
    assert_int_equal(memory.used, 0);
    if (status == LUA_OK && !memory.failed) break;
  }
}

/* }====== */

/* {====== The core's allocator ====== */

static void *core_allocator(void *context, void *block, size_t size) {
  struct memory *memory = context;
  if (size == 0) {
    free(block);
    return NULL;
  }
  memory->growths++;
  if (memory->fail_from > 0 && memory->growths == memory->fail_from) {
    memory->failed = true;
    return NULL;
  }
  return realloc(block, size);
}

static struct memory core_memory; /* of the whole process, as its hook is */

static int set_allocator(void **state) {
  (void)state;
  if (!mr_set_allocator(core_allocator, &core_memory)) return -1;
  return 0;
}

/* As Lua leaves it when memory ends between the making of its metatable and the filling of that. */
static void test_a_half_made_box_for_strings_is_mended(void **state) {
  (void)state;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_newmetatable(L, "_UBOX*");
  lua_pop(L, 1);
  assert_int_not_equal(luaL_dostring(L, "return #string.rep('x', 5000)"), LUA_OK);
  lua_settop(L, 0);
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  if (luaL_dostring(L, "return #string.rep('x', 5000)")) fail_msg("%s", lua_tostring(L, -1));
  assert_int_equal(lua_tointeger(L, -1), 5000);
  lua_close(L);
}

static void test_the_allocator_is_asked_and_stays(void **state) {
  struct scene scene;
  (void)state;
  core_memory.growths = 0;
  open_scene(&scene, &well);
  assert_false(mr_set_allocator(NULL, NULL));
  assert_true(is_true(scene.L, "client.things:get().size == 17"));
  assert_true(core_memory.growths > 10);
  close_scene(&scene);
}

static void test_every_allocation_of_the_core_may_fail(void **state) {
  (void)state;
  for (size_t n = 1;; n++) {
    struct scene scene;
    open_scene(&scene, &well);
    core_memory.growths = 0;
    core_memory.failed = false;
    core_memory.fail_from = n;
    bool raised = luaL_dostring(scene.L, "return client.things:get()") != LUA_OK;
    core_memory.fail_from = 0;
    assert_true(core_memory.failed || !raised);
    lua_settop(scene.L, 0);
    assert_true(is_true(scene.L, "client.things:get().size == 17"));
    close_scene(&scene);
    if (!core_memory.failed) break;
  }
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
      cmocka_unit_test(test_an_announced_body_over_the_limit),
      cmocka_unit_test(test_a_body_over_the_limit),
      cmocka_unit_test(test_values_over_the_limit_of_the_state),
      cmocka_unit_test(test_values_over_the_limit_of_the_state_in_slices),
      cmocka_unit_test(test_tasks_that_take_all_memory_end),
      cmocka_unit_test(test_every_allocation_of_lua_may_fail),
      cmocka_unit_test(test_opening_without_memory),
      cmocka_unit_test(test_a_half_made_box_for_strings_is_mended),
      cmocka_unit_test(test_the_allocator_is_asked_and_stays),
      cmocka_unit_test(test_every_allocation_of_the_core_may_fail),
      cmocka_unit_test(test_a_state_is_closed_with_requests_in_flight),
  };
  return cmocka_run_group_tests(tests, set_allocator, NULL);
}
