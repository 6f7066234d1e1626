/*
** What the files of ring 2 share: the userdata and how they are told apart. One file per
** userdata; module.c holds the tables.
*/
#ifndef MR_GLUE_H
#define MR_GLUE_H

#include <lauxlib.h>
#include <lua.h>

#include "core/engine.h"
#include "core/sse.h"
#include "lua/collector.h"
#include "lua/interrupt.h"

#define MR_LUA_ENGINE   "moonrest.engine"
#define MR_LUA_ROUTE    "moonrest.route"
#define MR_LUA_BUCKET   "moonrest.bucket"
#define MR_LUA_ENDPOINT "moonrest.endpoint"
#define MR_LUA_REQUEST  "moonrest.request"
#define MR_LUA_RECORD   "moonrest.record"

struct mr_lua_engine {
  struct mr_engine *engine;      /* NULL: closed */
  struct mr_allowance allowance; /* for the bodies that requests of this state hold */
  uint32_t requests_max;         /* in flight at a time; 0: no bound */
  struct mr_lua_collector collector;
  int64_t work_until_us, finish_us; /* of the step with a budget that runs; MR_NEVER outside */
  bool has_news;                    /* requests ended with a fork: the next step tells */
  struct mr_lua_request
      *started; /* the last one that was started, until somebody has it; or NULL */
  struct mr_lua_interrupt interrupt;
};

struct mr_lua_route {
  struct mr_route route;
  bool is_open;
};

struct mr_lua_bucket {
  struct mr_bucket *bucket;
};

/* Where answers say what a program needs: JSON bodies of refusals at paths "a.b", whose first present one counts. All
** are lists of texts, each ended by a zero byte. */
struct mr_lua_hints {
  struct mr_buffer retry_after, code;        /* paths */
  struct mr_buffer final_codes, right_codes; /* codes: no use to retry; a 401 about rights */
  struct mr_buffer deprecation;              /* header fields that say: this is going away */
};

struct mr_lua_endpoint {
  struct mr_endpoint *endpoint;
  struct mr_lua_engine *engine; /* the state's; outlives every endpoint that can be called */
  struct mr_lua_hints hints;
  char *literals; /* the URL before and behind its one path parameter; NULL: another operation */
  uint16_t before_size, after_size;
  uint32_t retired_count; /* in the table of the user value MR_LUA_ENDPOINT_RETIRED */
};

/* The user values of an endpoint: what must live as long, request userdata that wait for their next call, and how
** messages name the operation. */
enum {
  MR_LUA_ENDPOINT_ROUTE = 1,
  MR_LUA_ENDPOINT_RETIRED = 2,
  MR_LUA_ENDPOINT_LABEL = 3,
  MR_LUA_ENDPOINT_VALUES = 3
};

struct mr_lua_request {
  struct mr_request *request; /* NULL: closed */
  struct mr_lua_engine *engine;
  struct mr_lua_hints *hints;
  bool busy;          /* its body is being decoded: a close waits */
  struct mr_sse *sse; /* NULL until the first event is asked for */
  size_t sse_used;    /* bytes of the answer that the parser has taken */
};

/* The user values of a request. */
enum { MR_LUA_REQUEST_ENDPOINT = 1, MR_LUA_REQUEST_DECODER = 2, MR_LUA_REQUEST_VALUES = 2 };

/* Pushes the engine userdata of this lua_State, making it when it is the first time. */
struct mr_lua_engine *mr_lua_engine(lua_State *L);
struct mr_lua_engine *mr_lua_engine_peek(lua_State *L); /* NULL when there is none yet */
/* Raises when closed. */
struct mr_engine *mr_lua_engine_open(lua_State *L, struct mr_lua_engine *box);
/* Loads the libcurl transport when this engine has none yet. Raises when it cannot be loaded. */
void mr_lua_engine_connect(lua_State *L, struct mr_lua_engine *box);
/* One step: the engine's, then questions, then events. Returns what mr_engine_step does, or -1 when Ctrl-C ended it:
** its error is on top then. 'spend_us' bounds one that does not wait. */
int mr_lua_engine_pump(lua_State *L, struct mr_lua_engine *box, int64_t timeout_us,
                       int64_t spend_us);

/* The request at index 1 of one of its methods. Raises when it was closed. */
struct mr_lua_request *mr_lua_check_request(lua_State *L);
struct mr_lua_request *mr_lua_request_new(lua_State *L, struct mr_lua_endpoint *endpoint,
                                          int endpoint_index);
/* A new request into an empty userdata of this endpoint. */
void mr_lua_request_fill(lua_State *L, struct mr_lua_request *box,
                         struct mr_lua_endpoint *endpoint);
/* As mr_lua_request_new, in a retired userdata where there is one: only for calls that end by mr_lua_request_retire. */
struct mr_lua_request *mr_lua_request_renew(lua_State *L, struct mr_lua_endpoint *endpoint,
                                            int endpoint_index);
/* The finished request at index 1 will not be used again by anybody: pushes its record, or the request itself where there
** is none. */
void mr_lua_request_retire(lua_State *L);
int mr_lua_request_start(lua_State *L); /* endpoint:start */
int mr_lua_request_start_single(lua_State *L);
int mr_lua_request_await_single(lua_State *L);
/* An error came between the start of a request and the moment when somebody had it: it ends. 'task' is who started it,
** 0 outside of tasks. */
void mr_lua_request_forsake(struct mr_lua_engine *box, uint64_t task);
/* Waits at most so long, in any number of steps. False when Ctrl-C ended it: its error is on top then. */
bool mr_lua_request_pass(lua_State *L, struct mr_lua_request *box, int64_t timeout_us);
int mr_lua_request_read(lua_State *L); /* methods of a request that stand in files of their own */
int mr_lua_request_event(lua_State *L);
int mr_lua_request_failure(lua_State *L);
int mr_lua_request_outcome(lua_State *L);
int mr_lua_request_plain(lua_State *L);
int mr_lua_request_plain_single(lua_State *L);
int mr_lua_request_deprecates(lua_State *L);
int mr_lua_request_decode(lua_State *L);
int mr_lua_request_decode_until(lua_State *L);
int mr_lua_request_limits(lua_State *L);
/* Pushes the value of a small body. */
bool mr_lua_decode_small(lua_State *L, struct mr_lua_request *box);
void mr_lua_meaning(lua_State *L, struct mr_request *request, struct mr_meaning *meaning);

int mr_lua_open_engine(lua_State *L); /* each registers its metatable and pushes its constructor */
int mr_lua_open_route(lua_State *L);
void mr_lua_open_bucket(lua_State *L);
int mr_lua_bucket_new(lua_State *L); /* a method of the engine */
int mr_lua_share(lua_State *L);
int mr_lua_open_endpoint(lua_State *L);
void mr_lua_open_request(lua_State *L);
void mr_lua_open_record(lua_State *L);
/* The tables url, date, header and clock, into the table on top. */
void mr_lua_open_values(lua_State *L);

/* luaL_error, declared as what it is: a function that does not return. */
_Noreturn void mr_lua_error(lua_State *L, const char *format, ...);

/* For a state whose memory may end: strings of any length can be made in it from now on. */
void mr_lua_make_string_box(lua_State *L);

/* Small readers. 'field' tells misuse where it is. */
int64_t mr_lua_seconds(lua_State *L, int index, const char *field); /* raises for what is no time */
bool mr_lua_field_seconds(lua_State *L, int table, const char *field, int64_t *out_us);
bool mr_lua_field_integer(lua_State *L, int table, const char *field, lua_Integer least,
                          lua_Integer *out);
bool mr_lua_field_boolean(lua_State *L, int table, const char *field);
int mr_lua_failure(lua_State *L, const struct mr_error *error); /* nil, kind, message */
/* The userdata at index 1 of a function that mr_lua_metatable registered: the metatable is its upvalue. */
void *mr_lua_self(lua_State *L, const char *name);
void mr_lua_metatable(lua_State *L, const char *name, const luaL_Reg *metamethods,
                      const luaL_Reg *methods);

#endif
