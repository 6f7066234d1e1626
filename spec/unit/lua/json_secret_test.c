/*
** A secret in a value that becomes JSON: its bytes are in the buffer and nowhere else. Every block
** that goes back, Lua's too, is looked into.
*/
#include "failing_allocator.h"

#include <lauxlib.h>
#include <lua.h>

#include "core/buffer.h"
#include "lua/json.h"
#include "lua/secret.h"

#define VARIABLE "MOONREST_JSON_SECRET_TEST"
#define CANARY   "canary-51"
#define VALUE    CANARY "\"\\\xc3\xa9" CANARY
#define ESCAPED  CANARY "\\\"\\\\\xc3\xa9" CANARY

static void *lua_allocator(void *context, void *block, size_t old_size, size_t size) {
  (void)old_size;
  return failing_allocator_call(context, block, size);
}

struct world {
  struct failing_allocator memory;
  lua_State *L;
  struct mr_buffer out;
};

/* Leaves on the stack: a table of functions, and a secret that no Lua string has seen. */
static int set_up(void **state) {
  struct world *world = calloc(1, sizeof *world);
  *state = world;
  setenv(VARIABLE, VALUE, 1);
  failing_allocator_install(&world->memory);
  world->memory.needle = CANARY;
  world->L = lua_newstate(lua_allocator, &world->memory);
  mr_buffer_init(&world->out, 1000);
  mr_lua_open_secret(world->L);
  lua_getfield(world->L, -1, "env");
  lua_pushstring(world->L, VARIABLE);
  lua_call(world->L, 1, 1);
  return 0;
}

static int tear_down(void **state) {
  struct world *world = *state;
  mr_buffer_free(&world->out);
  lua_close(world->L);
  failing_allocator_remove(&world->memory);
  unsetenv(VARIABLE);
  free(world);
  return 0;
}

/* Pushes { plain, secret, other }; 'other' is what is on top. */
static void push_list(struct world *world) {
  lua_State *L = world->L;
  lua_createtable(L, 3, 0);
  lua_pushstring(L, "plain");
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, 2);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 3);
}

static void test_it_is_written_as_a_string(void **state) {
  struct world *world = *state;
  mr_buffer_text(&world->out, "before ");
  lua_pushinteger(world->L, 3);
  push_list(world);
  int top = lua_gettop(world->L);
  assert_true(mr_json_encode(world->L, -1, &world->out, NULL));
  assert_int_equal(lua_gettop(world->L), top);
  assert_string_equal(world->out.data, "before [\"plain\",\"" ESCAPED "\",3]");
  assert_true(world->out.secret);
}

/* It was in the buffer already when the failure came. */
static void test_nothing_of_it_stays_after_a_failure(void **state) {
  struct world *world = *state;
  mr_buffer_text(&world->out, "before");
  lua_pushnumber(world->L, 0.0 / 0.0);
  push_list(world);
  int top = lua_gettop(world->L);
  assert_false(mr_json_encode(world->L, -1, &world->out, NULL));
  assert_int_equal(lua_gettop(world->L), top + 1);
  assert_string_equal(lua_tostring(world->L, -1), "cannot encode NaN at value[3]");
  assert_string_equal(world->out.data, "before");
  assert_null(memmem(world->out.data, world->out.capacity, CANARY, strlen(CANARY)));
}

static void test_it_can_be_refused(void **state) {
  struct world *world = *state;
  struct mr_json_encode_options options = mr_json_encode_defaults;
  options.refuse_secrets = true;
  options.root = "body";
  lua_pushinteger(world->L, 3);
  push_list(world);
  assert_false(mr_json_encode(world->L, -1, &world->out, &options));
  assert_non_null(strstr(lua_tostring(world->L, -1), "cannot encode a secret at body[2]"));
  assert_int_equal(world->out.size, 0);
  assert_false(world->out.secret);
}

static void test_no_room_for_it(void **state) {
  struct world *world = *state;
  for (size_t limit = 0; limit < sizeof ESCAPED + 1; limit++) {
    mr_buffer_free(&world->out);
    mr_buffer_init(&world->out, limit);
    assert_false(mr_json_encode(world->L, 2, &world->out, NULL));
    assert_int_equal(world->out.size, 0);
    lua_pop(world->L, 1);
  }
  mr_buffer_free(&world->out);
  mr_buffer_init(&world->out, sizeof ESCAPED + 1);
  assert_true(mr_json_encode(world->L, 2, &world->out, NULL));
  assert_string_equal(world->out.data, "\"" ESCAPED "\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_it_is_written_as_a_string, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_nothing_of_it_stays_after_a_failure, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_it_can_be_refused, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_room_for_it, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
