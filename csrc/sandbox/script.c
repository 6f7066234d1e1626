/*
** Every entry runs a prepared C function under lua_pcall with one light
** userdata, its 'struct call', so that nothing of Lua's can jump over a C
** frame that holds a resource.
*/
#include "sandbox/script.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/memory.h"
#include "sandbox/sender.h"

/* What an entry hands to its protected function, and takes back. */
struct call {
  struct mr_sandbox *server;
  struct mr_exchange *exchange;
  const char *name, *text;
  size_t size;
  char *bytes;
  struct mr_buffer *buffer;
  const struct mr_buffer *answer;
  const struct mr_sandbox_options *options;
  long long id;
  ssize_t got;
  double seconds;
};

/* {======================================================
** Running protected
** ======================================================= */

/* An error that the application has passed on brings the traceback of where it was raised. */
static int add_traceback(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  if (!text || !strstr(text, "stack traceback:")) luaL_traceback(L, L, text, 1);
  return 1;
}

/* True, or false with the error's text (which may be nil) on the stack. */
static bool run(struct mr_sandbox *server, lua_CFunction function, struct call *call) {
  lua_State *L = server->state;
  lua_settop(L, 0);
  lua_pushcfunction(L, add_traceback); /* neither allocates */
  lua_pushcfunction(L, function);
  lua_pushlightuserdata(L, call);
  return lua_pcall(L, 1, 0, 1) == LUA_OK;
}

static const char *error_text(lua_State *L) {
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  return text ? text : "an error that is not a text";
}

static void complain(struct mr_sandbox *server) {
  fprintf(stderr, "moonrest sandbox: %s\n", error_text(server->state));
  lua_settop(server->state, 0);
}

static struct call *to_call(lua_State *L) {
  return lua_touserdata(L, 1);
}

/* Pushes a function of the application. */
static void push_function(lua_State *L, struct mr_sandbox *server, const char *name) {
  luaL_checkstack(L, 20, "sandbox");
  lua_rawgeti(L, LUA_REGISTRYINDEX, server->application);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

/* }====================================================== */

/* {======================================================
** native: what the application may ask of the server
** ======================================================= */

static struct mr_sandbox *to_server(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

static int native_resume(lua_State *L) {
  mr_exchange_resume(to_server(L), (uint64_t)luaL_checkinteger(L, 1));
  return 0;
}

static int native_wake(lua_State *L) {
  pthread_cond_signal(&to_server(L)->timer_wake);
  return 0;
}

static int native_post(lua_State *L) {
  lua_Integer id = luaL_checkinteger(L, 1);
  const char *address = luaL_checkstring(L, 2);
  lua_Integer port = luaL_checkinteger(L, 3);
  size_t size;
  const char *bytes = luaL_checklstring(L, 4, &size);
  luaL_argcheck(L, port > 0 && port < 65536, 3, "not a port");
  const char *refused = mr_sender_post(to_server(L), id, address, (uint16_t)port, bytes, size);
  if (!refused) {
    lua_pushboolean(L, true);
    return 1;
  }
  luaL_pushfail(L);
  lua_pushstring(L, refused);
  return 2;
}

static int push_time(lua_State *L, clockid_t which) {
  struct timespec now;
  clock_gettime(which, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
  return 1;
}

static int native_monotonic(lua_State *L) {
  return push_time(L, CLOCK_MONOTONIC);
}

static int native_wall(lua_State *L) {
  return push_time(L, CLOCK_REALTIME);
}

static const luaL_Reg native_functions[] = {
    {"resume", native_resume},       {"wake", native_wake}, {"post", native_post},
    {"monotonic", native_monotonic}, {"wall", native_wall}, {NULL, NULL}};

/* }====================================================== */

/* {======================================================
** Opening and closing
** ======================================================= */

static void set_package_field(lua_State *L, const char *name, const char *value) {
  lua_getglobal(L, "package");
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static int open_protected(lua_State *L) {
  struct call *call = to_call(L);
  luaL_checkversion(L);
  luaL_openlibs(L);
  set_package_field(L, "path", call->options->path);
  set_package_field(L, "cpath", call->options->cpath);
  if (call->options->embedded) {
    lua_pushcfunction(L, call->options->embedded);
    lua_call(L, 0, 0);
  }
  lua_getglobal(L, "require");
  lua_pushstring(L, call->options->module);
  lua_call(L, 1, 1);
  lua_pushstring(L, call->options->options);
  luaL_newlibtable(L, native_functions);
  lua_pushlightuserdata(L, call->server);
  luaL_setfuncs(L, native_functions, 1);
  lua_call(L, 2, 1);
  luaL_checktype(L, -1, LUA_TTABLE);
  call->server->application = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

bool mr_script_open(struct mr_sandbox *server, const struct mr_sandbox_options *options,
                    char *message, size_t message_size) {
  struct call call = {.server = server, .options = options};
  server->state = luaL_newstate();
  if (!server->state) {
    snprintf(message, message_size, "no memory for the sandbox's Lua state");
    return false;
  }
  if (run(server, open_protected, &call)) return true;
  snprintf(message, message_size, "%s", error_text(server->state));
  mr_script_close(server);
  return false;
}

void mr_script_close(struct mr_sandbox *server) {
  if (server->state) lua_close(server->state);
  server->state = NULL;
}

/* }====================================================== */

/* {======================================================
** dispatch
** ======================================================= */

struct header_list {
  const char *texts[2 * 256]; /* name, value, name, value; owned by the connection */
  int count;
};

static enum MHD_Result collect_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      const char *value) {
  struct header_list *list = context;
  (void)kind;
  if (list->count + 2 > (int)(sizeof list->texts / sizeof *list->texts)) return MHD_NO;
  list->texts[list->count++] = name;
  list->texts[list->count++] = value ? value : "";
  return MHD_YES;
}

static void push_headers(lua_State *L, struct mr_exchange *exchange) {
  struct header_list list = {.count = 0};
  MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, collect_header, &list);
  lua_createtable(L, list.count, 0);
  for (int i = 0; i < list.count; i++) {
    lua_pushstring(L, list.texts[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static uint64_t to_size(lua_State *L, int index, uint64_t absent) {
  return lua_isnil(L, index) ? absent : (uint64_t)luaL_checkinteger(L, index);
}

/* 'index' is a text, true for a stream, or nil. Sets exchange->response. */
static void make_response(lua_State *L, struct mr_exchange *exchange, int index, int size_index) {
  size_t size = 0;
  const char *bytes = "";
  exchange->streaming = lua_isboolean(L, index) && lua_toboolean(L, index);
  if (lua_isstring(L, index)) bytes = lua_tolstring(L, index, &size);
  if (exchange->streaming) {
    exchange->response = mr_exchange_stream(exchange, to_size(L, size_index, MHD_SIZE_UNKNOWN));
  } else if (exchange->cut != MR_NO_CUT) {
    if (mr_buffer_append(&exchange->chunk, bytes, size) != MR_NONE) luaL_error(L, "no memory");
    exchange->response = mr_exchange_stream(exchange, size);
  } else {
    exchange->response =
        MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY);
  }
  if (!exchange->response) luaL_error(L, "no memory for an answer");
}

static void add_headers(lua_State *L, struct mr_exchange *exchange, int index) {
  luaL_checktype(L, index, LUA_TTABLE);
  lua_Integer count = luaL_len(L, index);
  for (lua_Integer i = 1; i < count; i += 2) {
    lua_geti(L, index, i);
    lua_geti(L, index, i + 1);
    const char *name = luaL_checkstring(L, -2);
    const char *value = luaL_checkstring(L, -1);
    if (MHD_add_response_header(exchange->response, name, value) != MHD_YES)
      luaL_error(L, "header '%s' cannot be sent", name);
    lua_pop(L, 2);
  }
}

static int dispatch_protected(lua_State *L) {
  struct call *call = to_call(L);
  struct mr_exchange *exchange = call->exchange;
  push_function(L, call->server, "dispatch");
  lua_pushinteger(L, (lua_Integer)exchange->id);
  lua_pushstring(L, call->name);
  lua_pushstring(L, exchange->uri);
  push_headers(L, exchange);
  lua_pushlstring(L, mr_buffer_string(&exchange->body), exchange->body.size);
  lua_call(L, 5, 6); /* status, headers, body, cut, size, sleep */
  exchange->drop = lua_isnil(L, 2);
  exchange->sleep = lua_toboolean(L, 7);
  if (exchange->drop) return 0;
  exchange->status = (unsigned)luaL_checkinteger(L, 2);
  exchange->cut = to_size(L, 5, MR_NO_CUT);
  make_response(L, exchange, 4, 6);
  add_headers(L, exchange, 3);
  return 0;
}

/* The sandbox's own mistake: the answer says so, with the place. */
static void answer_failure(struct mr_exchange *exchange) {
  const char *text = error_text(exchange->server->state);
  if (exchange->response) MHD_destroy_response(exchange->response);
  exchange->response =
      MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
  exchange->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
  exchange->cut = MR_NO_CUT;
  exchange->streaming = exchange->sleep = exchange->drop = false;
  if (exchange->response) MHD_add_response_header(exchange->response, "Content-Type", "text/plain");
}

void mr_script_dispatch(struct mr_exchange *exchange, const char *method) {
  struct call call = {.server = exchange->server, .exchange = exchange, .name = method};
  if (!run(exchange->server, dispatch_protected, &call)) {
    answer_failure(exchange);
    complain(exchange->server);
  }
  mr_buffer_free(&exchange->body);
}

/* }====================================================== */

/* {======================================================
** Streams
** ======================================================= */

static ssize_t take_chunk(struct mr_exchange *exchange, char *bytes, size_t size) {
  size_t left = exchange->chunk.size - exchange->chunk_taken;
  if (size > left) size = left;
  memcpy(bytes, exchange->chunk.data + exchange->chunk_taken, size);
  exchange->chunk_taken += size;
  if (exchange->chunk_taken == exchange->chunk.size) {
    mr_buffer_clear(&exchange->chunk);
    exchange->chunk_taken = 0;
  }
  return (ssize_t)size;
}

static int pull_protected(lua_State *L) {
  struct call *call = to_call(L);
  size_t size;
  push_function(L, call->server, "pull");
  lua_pushinteger(L, (lua_Integer)call->exchange->id);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) {
    call->got = MR_PULL_END;
  } else if (lua_isboolean(L, -1)) {
    call->got = MR_PULL_SLEEP;
  } else {
    const char *text = luaL_checklstring(L, -1, &size);
    if (mr_buffer_append(&call->exchange->chunk, text, size) != MR_NONE)
      return luaL_error(L, "no memory");
    call->got = 0;
  }
  return 0;
}

ssize_t mr_script_pull(struct mr_exchange *exchange, char *bytes, size_t size) {
  struct call call = {.server = exchange->server, .exchange = exchange};
  while (exchange->chunk.size == 0) {
    if (!exchange->streaming) return MR_PULL_END;
    if (!run(exchange->server, pull_protected, &call)) {
      complain(exchange->server);
      return MR_PULL_FAILED;
    }
    if (call.got != 0) return call.got;
  }
  return take_chunk(exchange, bytes, size);
}

static int closed_protected(lua_State *L) {
  struct call *call = to_call(L);
  push_function(L, call->server, "closed");
  lua_pushinteger(L, (lua_Integer)call->exchange->id);
  lua_call(L, 1, 0);
  return 0;
}

void mr_script_closed(struct mr_exchange *exchange) {
  struct call call = {.server = exchange->server, .exchange = exchange};
  if (!run(exchange->server, closed_protected, &call)) complain(exchange->server);
}

/* }====================================================== */

/* {======================================================
** Timers, webhooks, commands
** ======================================================= */

static int tick_protected(lua_State *L) {
  struct call *call = to_call(L);
  push_function(L, call->server, "tick");
  lua_call(L, 0, 1);
  call->seconds = lua_isnil(L, -1) ? -1 : luaL_checknumber(L, -1);
  return 0;
}

double mr_script_tick(struct mr_sandbox *server) {
  struct call call = {.server = server, .seconds = -1};
  if (!run(server, tick_protected, &call)) complain(server);
  return call.seconds;
}

static int delivered_protected(lua_State *L) {
  struct call *call = to_call(L);
  push_function(L, call->server, "delivered");
  lua_pushinteger(L, call->id);
  if (call->answer)
    lua_pushlstring(L, mr_buffer_string(call->answer), call->answer->size);
  else
    lua_pushnil(L);
  lua_pushstring(L, call->text);
  lua_call(L, 3, 0);
  return 0;
}

void mr_script_delivered(struct mr_sandbox *server, long long id, const struct mr_buffer *answer,
                         const char *message) {
  struct call call = {.server = server, .id = id, .answer = answer, .text = message};
  if (!run(server, delivered_protected, &call)) complain(server);
}

static int call_protected(lua_State *L) {
  struct call *call = to_call(L);
  size_t size;
  push_function(L, call->server, "call");
  lua_pushstring(L, call->name);
  lua_pushlstring(L, call->text, call->size);
  lua_call(L, 2, 1);
  const char *reply = luaL_checklstring(L, -1, &size);
  if (mr_buffer_append(call->buffer, reply, size) != MR_NONE) return luaL_error(L, "no memory");
  return 0;
}

bool mr_script_call(struct mr_sandbox *server, const char *name, const char *text, size_t size,
                    struct mr_buffer *reply) {
  struct call call = {.server = server, .name = name, .text = text, .size = size, .buffer = reply};
  if (run(server, call_protected, &call)) return true;
  mr_buffer_clear(reply);
  mr_buffer_text(reply, error_text(server->state));
  lua_settop(server->state, 0);
  return false;
}

/* }====================================================== */
