/*
** moonrest.sandbox_server: starts the server and sends it commands. Everything
** about HTTP and the five systems is in the Lua application that it runs.
**
**   local server = require "moonrest.sandbox_server".start {
**     module = "moonrest.sandbox.application",   -- called with (options, native)
**     options = "text for the application",
**     port = 0, max_body = 16777216 }            -- or nil, message
**   server:call(name, text) -> text              -- raises what the application raises
**   server:port()   server:stop()                -- stop is idempotent; __gc and __close do it too
**   server:wait() -> "SIGINT" | "SIGTERM"        -- blocks until one of them comes
*/
#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "core/buffer.h"
#include "sandbox/script.h"
#include "sandbox/server.h"

#define SERVER_NAME   "moonrest.sandbox_server"
#define DEFAULT_BODY  ((lua_Integer)64 * 1024 * 1024)
#define MESSAGE_BYTES 2000

struct handle {
  struct mr_sandbox *server; /* NULL: stopped */
};

/* A reply on its way from one state to the other: freed whatever happens in between. */
#define REPLY_NAME "moonrest.sandbox_reply"

static int reply_gc(lua_State *L) {
  mr_buffer_free(luaL_checkudata(L, 1, REPLY_NAME));
  return 0;
}

static struct mr_buffer *push_reply(lua_State *L) {
  struct mr_buffer *reply = lua_newuserdatauv(L, sizeof *reply, 0);
  mr_buffer_init(reply, SIZE_MAX / 2);
  luaL_setmetatable(L, REPLY_NAME);
  return reply;
}

static struct handle *check_handle(lua_State *L) {
  return luaL_checkudata(L, 1, SERVER_NAME);
}

static struct mr_sandbox *to_server(lua_State *L) {
  struct mr_sandbox *server = check_handle(L)->server;
  const char *problem = NULL;
  if (!server)
    problem = "attempt to use a stopped sandbox";
  else if (server->owner != getpid())
    problem = "attempt to use the sandbox of a parent process";
  if (problem) luaL_error(L, "%s", problem);
  return server;
}

static int server_stop(lua_State *L) {
  struct handle *handle = check_handle(L);
  struct mr_sandbox *server = handle->server;
  handle->server = NULL;
  if (server) mr_sandbox_stop(server);
  return 0;
}

static int server_call(lua_State *L) {
  struct mr_sandbox *server = to_server(L);
  size_t size;
  const char *name = luaL_checkstring(L, 2);
  const char *text = luaL_optlstring(L, 3, "", &size);
  struct mr_buffer *reply = push_reply(L);
  mr_sandbox_lock(server);
  bool good = mr_script_call(server, name, text, size, reply);
  mr_sandbox_unlock(server);
  lua_pushlstring(L, mr_buffer_string(reply), reply->size);
  mr_buffer_free(reply);
  return good ? 1 : lua_error(L);
}

/* Blocked, the two signals wait for sigwait; no other thread of the server takes any. The function at 2, which may be
** absent, is called when they are: from there on none is lost. */
static int server_wait(lua_State *L) {
  sigset_t wanted, before;
  int got = 0, called = LUA_OK;
  to_server(L);
  lua_settop(L, 2);
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGINT);
  sigaddset(&wanted, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &wanted, &before);
  if (!lua_isnil(L, 2)) called = lua_pcall(L, 0, 0, 0);
  while (called == LUA_OK && sigwait(&wanted, &got) != 0)
    continue;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (called != LUA_OK) return lua_error(L);
  lua_pushstring(L, got == SIGINT ? "SIGINT" : "SIGTERM");
  return 1;
}

static int server_port(lua_State *L) {
  lua_pushinteger(L, to_server(L)->port);
  return 1;
}

static int server_tostring(lua_State *L) {
  struct handle *handle = check_handle(L);
  if (handle->server)
    lua_pushfstring(L, "sandbox server (port %d)", handle->server->port);
  else
    lua_pushliteral(L, "sandbox server (stopped)");
  return 1;
}

/* {======================================================
** start
** ======================================================= */

static const char *text_field(lua_State *L, const char *name, const char *otherwise) {
  if (lua_getfield(L, 1, name) == LUA_TNIL && otherwise) {
    lua_pop(L, 1);
    return otherwise;
  }
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "bad field '%s' (string expected, got %s)", name, luaL_typename(L, -1));
  const char *text = lua_tostring(L, -1); /* the table keeps it alive */
  lua_pop(L, 1);
  return text;
}

static lua_Integer integer_field(lua_State *L, const char *name, lua_Integer otherwise,
                                 lua_Integer highest) {
  bool absent = lua_getfield(L, 1, name) == LUA_TNIL;
  bool is_integer = absent || lua_isinteger(L, -1);
  lua_Integer value = absent ? otherwise : lua_tointeger(L, -1);
  if (!is_integer || value < 0 || value > highest)
    luaL_error(L, "bad field '%s' (integer of 0 to %I expected)", name, (LUAI_UACINT)highest);
  lua_pop(L, 1);
  return value;
}

/* Leaves the text on the stack: it must outlive the start. */
static const char *push_package_field(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "package");
  lua_getfield(L, -1, name);
  return luaL_checkstring(L, -1);
}

/* A host program with the library inside has it in package.preload. */
static lua_CFunction find_embedded(lua_State *L) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_getfield(L, -1, "moonrest.embedded");
  lua_CFunction function = lua_tocfunction(L, -1);
  lua_pop(L, 2);
  return function;
}

static int server_start(lua_State *L) {
  char message[MESSAGE_BYTES];
  luaL_checktype(L, 1, LUA_TTABLE);
  struct mr_sandbox_options options = {
      .module = text_field(L, "module", NULL),
      .options = text_field(L, "options", ""),
      .port = (uint16_t)integer_field(L, "port", 0, 65535),
      .max_body = (size_t)integer_field(L, "max_body", DEFAULT_BODY, INT32_MAX),
  };
  options.path = push_package_field(L, "path");
  options.cpath = push_package_field(L, "cpath");
  options.embedded = find_embedded(L);
  struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
  handle->server = NULL;
  luaL_setmetatable(L, SERVER_NAME);
  handle->server = mr_sandbox_start(&options, message, sizeof message);
  if (handle->server) return 1;
  luaL_pushfail(L);
  lua_pushstring(L, message);
  return 2;
}

/* }====================================================== */

static const luaL_Reg methods[] = {{"call", server_call},
                                   {"port", server_port},
                                   {"stop", server_stop},
                                   {"wait", server_wait},
                                   {NULL, NULL}};

static const luaL_Reg metamethods[] = {
    {"__gc", server_stop}, {"__close", server_stop}, {"__tostring", server_tostring}, {NULL, NULL}};

static const luaL_Reg functions[] = {{"start", server_start}, {NULL, NULL}};

__attribute__((visibility("default"))) int luaopen_moonrest_sandbox_server(lua_State *L);

int luaopen_moonrest_sandbox_server(lua_State *L) {
  luaL_checkversion(L);
  luaL_newmetatable(L, REPLY_NAME);
  lua_pushcfunction(L, reply_gc);
  lua_setfield(L, -2, "__gc");
  luaL_newmetatable(L, SERVER_NAME);
  luaL_setfuncs(L, metamethods, 0);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  return 1;
}
