/* What a host program meets when memory is bounded, or fails anywhere. */
#include "host_scene.h"

/* {====== Bounds ====== */

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

#define TASKS 20

/* Each closes its variable when it ends. */
static const char greedy[] =
    "local moonrest = require 'moonrest'\n"
    "opened, closed = 0, 0\n"
    "local gate = { __close = function() closed = closed + 1 end }\n"
    "for i = 1, 20 do moonrest.spawn(function()\n"
    "  local _ <close> = setmetatable({}, gate)\n"
    "  opened = opened + 1\n"
    "  local kept = {}\n"
    "  while true do\n"
    "    kept[#kept + 1] = ('x'):rep(500) .. #kept .. i\n"
    "    moonrest.sleep(0) end end) end\n"
    "collectgarbage()\n"; /* also shortens the stack: the first step has to make it longer */

/* A step may fail, but not again and again while no task ends. */
static void step_until_all_have_ended(struct scene *scene, size_t spare) {
  uint32_t left = TASKS;
  int in_vain = 0;
  for (;;) {
    struct mr_step_result step = mr_step(scene->L, 2000);
    if (step.status == MR_STEP_IDLE) return;
    if (step.status == MR_STEP_BUSY && step.tasks < left) in_vain = 0;
    if (step.status == MR_STEP_BUSY) left = step.tasks;
    if (step.status == MR_STEP_FAILED && ++in_vain > 100)
      fail_msg("with %zu bytes %u tasks never end: %s", spare, (unsigned)left, step.message);
  }
}

static void check_tasks_end_with(size_t spare) {
  struct scene scene;
  open_scene(&scene, &well);
  run(scene.L, "assert(client.things:get()) require 'moonrest'.on('task_failed', function() end)");
  assert_int_equal(mr_step(scene.L, 2000).status, MR_STEP_IDLE);
  run(scene.L, greedy);
  scene.memory.limit = scene.memory.used + spare;
  step_until_all_have_ended(&scene, spare);
  assert_true(scene.memory.failed);
  assert_true(is_true(scene.L, "closed == opened"));
  scene.memory.limit = 0;
  assert_true(is_true(scene.L, "client.things:get().size == 17"));
  close_scene(&scene);
}

/* Where the last bytes go decides who is short of them: a task, the stack that ends it, or the step itself. */
static void test_tasks_end_wherever_memory_does(void **state) {
  (void)state;
  for (size_t spare = 0; spare < 2000; spare += 200)
    check_tasks_end_with(spare);
  for (size_t spare = 22000; spare < 24000; spare += 24)
    check_tasks_end_with(spare);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_announced_body_over_the_limit),
      cmocka_unit_test(test_a_body_over_the_limit),
      cmocka_unit_test(test_values_over_the_limit_of_the_state),
      cmocka_unit_test(test_values_over_the_limit_of_the_state_in_slices),
      cmocka_unit_test(test_tasks_that_take_all_memory_end),
      cmocka_unit_test(test_tasks_end_wherever_memory_does),
      cmocka_unit_test(test_every_allocation_of_lua_may_fail),
      cmocka_unit_test(test_opening_without_memory),
      cmocka_unit_test(test_a_half_made_box_for_strings_is_mended),
      cmocka_unit_test(test_the_allocator_is_asked_and_stays),
      cmocka_unit_test(test_every_allocation_of_the_core_may_fail),
  };
  return cmocka_run_group_tests(tests, set_allocator, NULL);
}
