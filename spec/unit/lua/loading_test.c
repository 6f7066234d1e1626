/* Which of a module's two forms is loaded. The compiled one of these tests returns another word than its source. */
#include "failing_allocator.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/buffer.h"
#include "lua/loading.h"

#define HEAD_SIZE 32 /* what precedes "=?" and the size of that in a chunk */
#define SOURCE    "local name, path = ...\nreturn 'source ' .. name .. ' ' .. path\n"
#define COMPILED  "local name, path = ...\nreturn 'compiled ' .. name .. ' ' .. path\n"

extern const char lua_ident[];

struct fixture {
  lua_State *L;
  struct mr_buffer chunk;
  char folder[300], path[340];
  struct mr_compiled modules[2];
  struct mr_compiled_set set;
};

static uint64_t mix(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ hash >> 32;
}

/* As compile.lua does. */
static uint64_t hash_of(const char *text) {
  size_t size = strlen(text);
  uint64_t lanes[4] = {0}, hash = 0;
  for (size_t i = 0; i < size || i % 32 > 0; i += 8) {
    uint64_t word = 0;
    for (size_t j = i; j < i + 8 && j < size; j++)
      word |= (uint64_t)(uint8_t)text[j] << 8 * (j - i);
    lanes[i / 8 % 4] = mix(lanes[i / 8 % 4], word);
  }
  for (int lane = 0; lane < 4; lane++)
    hash = mix(hash, lanes[lane]);
  return hash ^ size;
}

static int append(lua_State *L, const void *bytes, size_t size, void *buffer) {
  (void)L;
  return mr_buffer_append(buffer, bytes, size) != MR_NONE;
}

static void compile(struct fixture *fixture, const char *text) {
  struct mr_buffer *chunk = &fixture->chunk;
  assert_int_equal(luaL_loadbufferx(fixture->L, text, strlen(text), "=?", "t"), LUA_OK);
  assert_int_equal(lua_dump(fixture->L, append, chunk, false), 0);
  lua_pop(fixture->L, 1);
  assert_memory_equal(chunk->data + HEAD_SIZE, "\x83=?", 3);
  memmove(chunk->data + HEAD_SIZE, chunk->data + HEAD_SIZE + 3, chunk->size - HEAD_SIZE - 3);
  chunk->size -= 3;
}

static void write_source(struct fixture *fixture, const char *text) {
  FILE *file = fopen(fixture->path, "w");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

/* The name of the folder is so long that its size takes two bytes in a chunk. */
static int open_fixture(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  mr_buffer_init(&fixture->chunk, SIZE_MAX);
  snprintf(fixture->folder, sizeof fixture->folder, "/tmp/moonrest-loading-%0150d-XXXXXX", 0);
  assert_non_null(mkdtemp(fixture->folder));
  snprintf(fixture->path, sizeof fixture->path, "%s/probe.lua", fixture->folder);
  fixture->L = luaL_newstate();
  luaL_openlibs(fixture->L);
  lua_getglobal(fixture->L, "package");
  lua_pushfstring(fixture->L, "%s/?.lua", fixture->folder);
  lua_setfield(fixture->L, -2, "path");
  lua_pop(fixture->L, 1);
  write_source(fixture, SOURCE);
  compile(fixture, COMPILED);
  fixture->modules[0] = (struct mr_compiled){
      "probe", hash_of(SOURCE), (const unsigned char *)fixture->chunk.data, fixture->chunk.size};
  fixture->set = (struct mr_compiled_set){lua_ident, fixture->modules};
  *state = fixture;
  return 0;
}

static int close_fixture(void **state) {
  struct fixture *fixture = *state;
  lua_close(fixture->L);
  mr_buffer_free(&fixture->chunk);
  unlink(fixture->path);
  rmdir(fixture->folder);
  free(fixture);
  return 0;
}

static const char *run(struct fixture *fixture, const char *code) {
  if (luaL_dostring(fixture->L, code) != LUA_OK) print_error("%s\n", lua_tostring(fixture->L, -1));
  return lua_tostring(fixture->L, -1);
}

static void assert_loads(struct fixture *fixture, const char *form) {
  char expected[400];
  snprintf(expected, sizeof expected, "%s probe %s", form, fixture->path);
  mr_lua_install_compiled(fixture->L, &fixture->set);
  assert_string_equal(run(fixture, "return (require 'probe')"), expected);
}

static void test_same_source(void **state) {
  assert_loads(*state, "compiled");
}

static void test_changed_source(void **state) {
  write_source(*state, SOURCE " ");
  assert_loads(*state, "source");
}

/* One whose blocks are read in several pieces. */
static void test_long_source(void **state) {
  struct fixture *fixture = *state;
  char *text = calloc(1, sizeof SOURCE + 20000);
  memcpy(text, SOURCE, sizeof SOURCE - 1);
  memset(text + sizeof SOURCE - 1, '\n', 20000);
  write_source(fixture, text);
  fixture->modules[0].hash = hash_of(text);
  free(text);
  assert_loads(fixture, "compiled");
}

static void test_other_release(void **state) {
  struct fixture *fixture = *state;
  fixture->set.compiler = "Lua 5.4.99";
  assert_loads(fixture, "source");
}

static void test_unusable_chunks(void **state) {
  struct fixture *fixture = *state;
  fixture->modules[0].size = HEAD_SIZE + 8;
  assert_loads(fixture, "source");
  run(fixture, "package.loaded.probe = nil");
  fixture->modules[0].size = fixture->chunk.size;
  fixture->chunk.data[4] ^= 1; /* the version */
  assert_loads(fixture, "source");
}

static void test_name_in_messages(void **state) {
  struct fixture *fixture = *state;
  char expected[400];
  fixture->chunk.size = 0;
  compile(fixture, "\nreturn { fail = function()\n  error 'told'\nend }\n");
  fixture->modules[0].chunk = (const unsigned char *)fixture->chunk.data;
  fixture->modules[0].size = fixture->chunk.size;
  mr_lua_install_compiled(fixture->L, &fixture->set);
  snprintf(expected, sizeof expected, "@%s", fixture->path);
  run(fixture, "return debug.getinfo(require 'probe'.fail, 'S').source");
  assert_string_equal(lua_tostring(fixture->L, -1), expected);
  run(fixture, "return (select(2, pcall(require 'probe'.fail)):match ':%d+: .*')");
  assert_string_equal(lua_tostring(fixture->L, -1), ":3: told");
}

static void test_what_stands_there(void **state) {
  struct fixture *fixture = *state;
  run(fixture, "package.preload.probe = function() return 'mine' end");
  mr_lua_install_compiled(fixture->L, &fixture->set);
  assert_string_equal(run(fixture, "return (require 'probe')"), "mine");
}

/* Of a host that keeps its files elsewhere. */
static void test_other_searcher(void **state) {
  struct fixture *fixture = *state;
  unlink(fixture->path);
  run(fixture,
      "table.insert(package.searchers, function() return function() return 'found' end end)");
  mr_lua_install_compiled(fixture->L, &fixture->set);
  assert_string_equal(run(fixture, "return (require 'probe')"), "found");
}

static void test_installed_twice(void **state) {
  struct fixture *fixture = *state;
  mr_lua_install_compiled(fixture->L, &fixture->set);
  mr_lua_install_compiled(fixture->L, &fixture->set);
  assert_string_equal(run(fixture, "return tostring(#package.searchers)"), "5");
  assert_int_equal(lua_gettop(fixture->L), 1);
}

static void test_no_source(void **state) {
  struct fixture *fixture = *state;
  unlink(fixture->path);
  mr_lua_install_compiled(fixture->L, &fixture->set);
  run(fixture, "return tostring((pcall(require, 'probe')))");
  assert_string_equal(lua_tostring(fixture->L, -1), "false");
}

static void test_source_with_a_mistake(void **state) {
  struct fixture *fixture = *state;
  write_source(fixture, "return\n\n)");
  mr_lua_install_compiled(fixture->L, &fixture->set);
  run(fixture, "return (select(2, pcall(require, 'probe')):match 'probe.lua:%d+: .*')");
  assert_string_equal(lua_tostring(fixture->L, -1), "probe.lua:3: unexpected symbol near ')'");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)
  const struct CMUnitTest tests[] = {
      TEST(test_same_source),    TEST(test_changed_source),        TEST(test_long_source),
      TEST(test_other_release),  TEST(test_unusable_chunks),       TEST(test_name_in_messages),
      TEST(test_other_searcher), TEST(test_installed_twice),       TEST(test_what_stands_there),
      TEST(test_no_source),      TEST(test_source_with_a_mistake),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
