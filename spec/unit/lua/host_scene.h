/*
** A host program: liblua, libmoonrest.a, and nothing else. The Lua state has an allocator with a hard limit and finds
** no file; the server is in a thread.
*/
#ifndef HOST_SCENE_H
#define HOST_SCENE_H

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

static inline void *lua_allocator(void *context, void *block, size_t old_size, size_t size) {
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

static inline void run(lua_State *L, const char *code) {
  if (luaL_dostring(L, code) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  lua_settop(L, 0);
}

static inline bool is_true(lua_State *L, const char *expression) {
  char code[1000];
  snprintf(code, sizeof code, "return %s", expression);
  if (luaL_dostring(L, code) != LUA_OK) fail_msg("%s", lua_tostring(L, -1));
  bool result = lua_toboolean(L, -1);
  lua_settop(L, 0);
  return result;
}

static inline lua_State *open_state(struct memory *memory) {
  lua_State *L = lua_newstate(lua_allocator, memory);
  assert_non_null(L);
  luaL_openlibs(L);
  run(L, "package.path, package.cpath = '', ''");
  luaL_requiref(L, "moonrest", luaopen_moonrest, 0);
  lua_settop(L, 0);
  return L;
}

static inline void open_scene(struct scene *scene, const struct fault_script *script) {
  *scene = (struct scene){.server = fault_server_run(script)};
  scene->L = open_state(&scene->memory);
  lua_pushinteger(scene->L, fault_server_port(scene->server));
  lua_setglobal(scene->L, "port");
  run(scene->L, definition);
}

static inline void close_scene(struct scene *scene) {
  lua_close(scene->L);
  fault_server_stop(scene->server);
  assert_int_equal(scene->memory.used, 0);
  assert_int_equal(scene->memory.blocks, 0);
}

/* Steps until nothing is left to do; the server's threads get the processor in between. */
static inline void step_all(lua_State *L) {
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

#endif
