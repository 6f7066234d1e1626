/*
** The JSON codec when there is no memory: Lua's and ring 1's. From the n-th
** allocation on everything fails, for every n, until the error has come out:
** Lua tries each request twice, so that one failure alone would change nothing.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "core/memory.h"
#include "lua/json.h"

struct memory {
  size_t growths;   /* asked for since the round began */
  size_t fail_from; /* this one and all after it fail; 0: none does */
  size_t live;      /* blocks */
  bool failed;
};

/* What shrinks never fails: Lua counts on it. */
static void *lua_allocator(void *context, void *block, size_t old_size, size_t size) {
  struct memory *memory = context;
  if (size == 0) {
    memory->live -= block != NULL;
    free(block);
    return NULL;
  }
  bool grows = !block || size > old_size;
  if (grows && memory->fail_from > 0 && ++memory->growths >= memory->fail_from) {
    memory->failed = true;
    return NULL;
  }
  memory->live += block == NULL;
  return realloc(block, size);
}

static void *core_allocator(void *context, void *block, size_t size) {
  return lua_allocator(context, block, 0, size);
}

static const char sample[] =
    "{\"name\":\"caf\\u00e9\",\"list\":[1,2.5,null,true,[],{},\"a string that is longer than forty "
    "bytes, so that Lua does not intern "
    "it\"],\"caf\\u00e9\":{\"x\":[[[[[[\"deep\"]]]]]]},\"null\":null}";
static const char sample_sorted[] =
    "{\"caf\xc3\xa9\":{\"x\":[[[[[[\"deep\"]]]]]]},\"list\":[1,2.5,null,true,[],{},\"a string that "
    "is "
    "longer than forty bytes, so that Lua does not intern it\"],\"name\":\"caf\xc3\xa9\"}";

/* A buffer whose memory goes with the userdata that it lives in. */
static int buffer_gc(lua_State *L) {
  mr_buffer_free(lua_touserdata(L, 1));
  return 0;
}

static struct mr_buffer *push_buffer(lua_State *L) {
  struct mr_buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
  mr_buffer_init(buffer, 10000);
  lua_newtable(L);
  lua_pushcfunction(L, buffer_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return buffer;
}

/* Raises what decode or encode say, with the memory error's own words in it. */
static void check_good(lua_State *L, int good) {
  if (!good) lua_error(L);
}

static int at_one_go(lua_State *L) {
  struct mr_buffer *out = push_buffer(L);
  struct mr_json_encode_options options = mr_json_encode_defaults;
  options.sorted = true;
  check_good(L, mr_json_decode(L, sample, sizeof sample - 1, NULL));
  check_good(L, mr_json_encode(L, -1, out, &options));
  assert_string_equal(out->data, sample_sorted);
  mr_buffer_clear(out);
  check_good(L, mr_json_encode(L, -1, out, NULL));
  assert_int_equal(out->size, sizeof sample_sorted - 1);
  return 0;
}

static const char in_pieces_script[] =
    "local json, sample = ...\n"
    "local decoder = json.decoder()\n"
    "for i = 1, #sample, 7 do\n"
    "  assert(decoder:feed(sample:sub(i, i + 6)))\n"
    "  local done, wants = decoder:step(1)\n"
    "  if done == nil then error(wants, 0) end\n"
    "end\n"
    "local value = assert(decoder:finish())\n"
    "assert(#value.list == 7 and value['caf\\xc3\\xa9'].x[1][1][1][1][1][1] == 'deep')\n";

static const char messages_script[] =
    "local json, sample = ...\n"
    "local deep = {} deep.a = { [3] = deep }\n"
    "for _, value in ipairs { deep, { f = { print } }, { '\\xff' }, 0 / 0 } do\n"
    "  local text, message = json.encode(value)\n"
    "  if text then error('encoded') end\n"
    "  if message:find 'memory' then error(message, 0) end\n"
    "end\n"
    "local value, message = json.decode(sample:sub(1, -3))\n"
    "if value or message:find 'memory' then error(message, 0) end\n"
    "assert(json.encode(json.array()) == '[]')\n";

/* Upvalue 1: the script. Argument 1: the module. */
static int run_script(lua_State *L) {
  const char *script = lua_touserdata(L, lua_upvalueindex(1));
  if (luaL_loadstring(L, script) != LUA_OK) lua_error(L);
  lua_pushvalue(L, 1);
  lua_pushlstring(L, sample, sizeof sample - 1);
  lua_call(L, 2, 0);
  return 0;
}

/* Runs 'work' on the module at 'index'. True unless memory failed it. */
static bool survives(lua_State *L, struct memory *memory, int work, int module, size_t fail_from) {
  memory->growths = 0;
  memory->failed = false;
  memory->fail_from = fail_from;
  lua_pushvalue(L, work);
  lua_pushvalue(L, module);
  int status = lua_pcall(L, 1, 0, 0);
  memory->fail_from = 0;
  if (status == LUA_OK) return true;
  assert_true(status == LUA_ERRMEM || strstr(lua_tostring(L, -1), "not enough memory"));
  assert_true(memory->failed);
  lua_pop(L, 1);
  return false;
}

/* One round: a state, work in which the n-th allocation fails, and the same work again, which must
** succeed, as the state is none the worse. True when no allocation was left to fail. */
static bool run_round(struct memory *memory, lua_CFunction function, const char *script, size_t n) {
  lua_State *L = lua_newstate(lua_allocator, memory);
  assert_non_null(L);
  luaL_openlibs(L);
  mr_lua_open_json(L);
  lua_pushlightuserdata(L, (void *)script);
  lua_pushcclosure(L, function, 1);
  bool done = survives(L, memory, 2, 1, n) && !memory->failed;
  assert_true(survives(L, memory, 2, 1, 0));
  assert_int_equal(lua_gettop(L), 2);
  lua_close(L);
  assert_int_equal(memory->live, 0);
  return done;
}

static void run_rounds(lua_CFunction function, const char *script) {
  struct memory memory = {0};
  size_t n = 1;
  mr_memory_hook(core_allocator, &memory);
  while (!run_round(&memory, function, script, n))
    n++;
  mr_memory_hook(NULL, NULL);
  assert_true(n > 20);
}

static void test_decode_and_encode(void **state) {
  (void)state;
  run_rounds(at_one_go, NULL);
}

static void test_a_decoder_that_stops_and_goes_on(void **state) {
  (void)state;
  run_rounds(run_script, in_pieces_script);
}

static void test_messages(void **state) {
  (void)state;
  run_rounds(run_script, messages_script);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_decode_and_encode),
      cmocka_unit_test(test_a_decoder_that_stops_and_goes_on),
      cmocka_unit_test(test_messages),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
