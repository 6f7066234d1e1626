/*
** endpoint:start(target, options, task, go_on): from a call's values to a request on its way. Outside of tasks, where
** 'task' is nil, Ctrl-C that comes meanwhile ends it, and is go_on(request, problem), which raises.
*/
#include <string.h>

#include "core/memory.h"
#include "lua/glue.h"
#include "lua/json.h"
#include "lua/secret.h"

enum { ENDPOINT = 1, TARGET = 2, OPTIONS = 3, TASK = 4, START_GO_ON = 5, REQUEST = 6 };
enum { SINGLE_TASK = 3, SINGLE_THREAD = 4 };
enum { AWAIT_GO_ON = 3, AWAIT_SECONDS = 4, AWAIT_REQUEST = 5 };

static void bad(lua_State *L, const char *field, enum mr_kind kind) {
  if (kind == MR_LIMIT) luaL_error(L, "out of memory for %s", field);
  luaL_error(L, "%s does not fit (%s)", field, mr_kind_name(kind));
}

/* A secret in the path is a segment, which it must not leave; behind "?" it is a query value. */
static enum mr_kind encode_secret(struct mr_buffer *out, const struct mr_buffer *plain) {
  bool in_query = memchr(mr_buffer_string(out), '?', out->size) != NULL;
  return (in_query ? mr_url_query : mr_url_segment)(out, mr_buffer_string(plain), plain->size);
}

/* Pieces are strings, as they are, and secrets, encoded for a URL. */
static enum mr_kind append_piece(lua_State *L, int index, bool encode, struct mr_buffer *out) {
  struct mr_secret *secret = mr_lua_test_secret(L, index);
  size_t size;
  if (!secret) {
    const char *text = luaL_checklstring(L, index, &size);
    return mr_buffer_append(out, text, size);
  }
  out->secret = true;
  if (!encode) return mr_secret_append(secret, "", out);
  struct mr_buffer plain;
  mr_buffer_init(&plain, MR_SECRET_MAX);
  enum mr_kind kind = mr_secret_append(secret, "", &plain);
  if (!kind) kind = encode_secret(out, &plain);
  mr_buffer_free(&plain);
  return kind;
}

static enum mr_kind append_pieces(lua_State *L, int index, bool encode, struct mr_buffer *out) {
  enum mr_kind kind = MR_NONE;
  if (!lua_istable(L, index)) return append_piece(L, index, encode, out);
  lua_Integer count = luaL_len(L, index);
  for (lua_Integer i = 1; i <= count && !kind; i++) {
    lua_geti(L, index, i);
    kind = append_piece(L, lua_gettop(L), encode, out);
    lua_pop(L, 1);
  }
  return kind;
}

static enum mr_kind read_target(lua_State *L, struct mr_request *request, bool absolute,
                                struct mr_error *error) {
  enum mr_kind kind = MR_NONE;
  if (!absolute)
    kind = mr_buffer_append(&request->url, request->endpoint->base, request->endpoint->base_size);
  if (!kind) kind = append_pieces(L, TARGET, true, &request->url);
  if (kind == MR_DECODE)
    return mr_fail(error, kind, "a secret in the path must be neither \".\" nor \"..\"");
  if (kind) return mr_request_no_url(kind, error);
  return mr_request_target(request, absolute, error);
}

static enum mr_kind add_header(lua_State *L, struct mr_request *request, int index) {
  struct mr_buffer *extra = &request->extra;
  size_t before = extra->size;
  enum mr_kind kind = append_pieces(L, index, false, extra);
  if (kind) return kind;
  if (!mr_header_line_ok(extra->data + before, extra->size - before))
    luaL_error(L, "a header must be 'Name: value' without control characters");
  return mr_buffer_byte(extra, '\0');
}

static enum mr_kind read_headers(lua_State *L, struct mr_request *request, struct mr_error *error) {
  enum mr_kind kind = MR_NONE;
  if (lua_getfield(L, OPTIONS, "headers") == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= count && !kind; i++) {
      lua_geti(L, -1, i);
      kind = add_header(L, request, lua_gettop(L));
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return kind ? mr_request_no_headers(kind, error) : MR_NONE;
}

static void add_named_header(struct mr_request *request, lua_State *L, const char *name,
                             const char *value) {
  struct mr_buffer *extra = &request->extra;
  size_t before = extra->size;
  enum mr_kind kind = mr_buffer_text(extra, name);
  if (!kind) kind = mr_buffer_text(extra, ": ");
  if (!kind) kind = mr_buffer_text(extra, value);
  if (kind) bad(L, name, kind);
  if (!mr_header_line_ok(extra->data + before, extra->size - before))
    luaL_error(L, "the value of %s must not contain control characters", name);
  if (mr_buffer_byte(extra, '\0')) bad(L, name, MR_TOO_LARGE);
}

static void read_key(lua_State *L, struct mr_request *request) {
  if (lua_getfield(L, OPTIONS, "idempotency_key") != LUA_TNIL) {
    lua_getfield(L, OPTIONS, "idempotency_header");
    add_named_header(request, L, luaL_optstring(L, -1, "Idempotency-Key"), luaL_checkstring(L, -2));
    request->has_key = true;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static enum mr_kind read_upload(lua_State *L, struct mr_request *request, struct mr_error *error) {
  enum mr_kind kind = MR_NONE;
  if (lua_getfield(L, OPTIONS, "upload") != LUA_TNIL) {
    lua_Integer offset = 0;
    request->has_upload = true;
    kind = mr_source_open(&request->upload, luaL_checkstring(L, -1), error);
    if (!kind && mr_lua_field_integer(L, OPTIONS, "upload_offset", 0, &offset)) {
      if ((uint64_t)offset > request->upload.size)
        luaL_error(L, "upload_offset lies behind the end of the file");
      request->upload.offset = (uint64_t)offset;
    }
  }
  lua_pop(L, 1);
  return kind;
}

/* A value that JSON cannot say is the caller's mistake: the kind is "misuse", which no engine has. */
static bool read_json(lua_State *L, struct mr_request *request) {
  bool good = true;
  if (lua_getfield(L, OPTIONS, "json") != LUA_TNIL) {
    struct mr_json_encode_options options = mr_json_encode_defaults;
    options.root = "body";
    good = mr_json_encode(L, lua_gettop(L), &request->body, &options);
    request->has_body = true;
  }
  if (good) lua_pop(L, 1);
  return good;
}

static void read_body(lua_State *L, struct mr_request *request) {
  if (lua_getfield(L, OPTIONS, "body") != LUA_TNIL) {
    enum mr_kind kind = append_pieces(L, lua_gettop(L), false, &request->body);
    if (kind) bad(L, "the body", kind);
    request->has_body = true;
  }
  lua_pop(L, 1);
  if (lua_getfield(L, OPTIONS, "content_type") != LUA_TNIL)
    add_named_header(request, L, "Content-Type", luaL_checkstring(L, -1));
  lua_pop(L, 1);
}

static void read_buckets(lua_State *L, struct mr_request *request) {
  if (lua_getfield(L, OPTIONS, "buckets") == LUA_TTABLE) {
    lua_Integer count = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= count; i++) {
      struct mr_error error = {0};
      lua_geti(L, -1, i);
      struct mr_lua_bucket *box = luaL_checkudata(L, -1, MR_LUA_BUCKET);
      if (mr_request_bucket(request, box->bucket, &error)) luaL_error(L, "%s", error.message);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void read_ticket(lua_State *L, struct mr_ticket *ticket) {
  static const char *const priorities[] = {"high", "normal", "low", NULL};
  lua_Integer number = 0;
  lua_getfield(L, OPTIONS, "priority");
  ticket->priority = (uint8_t)luaL_checkoption(L, -1, "normal", priorities);
  lua_pop(L, 1);
  if (mr_lua_field_integer(L, OPTIONS, "weight", 1, &number)) ticket->weight = (uint32_t)number;
  ticket->jump = mr_lua_field_boolean(L, OPTIONS, "jump");
}

static void read_bounds(lua_State *L, struct mr_request *request) {
  lua_Integer number = 0;
  mr_lua_field_seconds(L, OPTIONS, "timeout", &request->timeout_us);
  mr_lua_field_seconds(L, OPTIONS, "max_wait", &request->max_wait_us);
  if (mr_lua_field_integer(L, OPTIONS, "attempts", 1, &number))
    request->attempts_max = (uint32_t)(number < MR_NOTES_MAX ? number : MR_NOTES_MAX);
  if (mr_lua_field_integer(L, OPTIONS, "max_body", 0, &number))
    request->max_body = (uint64_t)number;
  if (mr_lua_field_integer(L, OPTIONS, "tag", 1, &number)) request->tag = (uint64_t)number;
  request->stream = mr_lua_field_boolean(L, OPTIONS, "stream");
  request->connects_only = mr_lua_field_boolean(L, OPTIONS, "connect");
}

static enum mr_kind read_sink(lua_State *L, struct mr_request *request, struct mr_error *error) {
  enum mr_kind kind = MR_NONE;
  if (lua_getfield(L, OPTIONS, "to") != LUA_TNIL) {
    request->to_file = true;
    kind = mr_sink_init(&request->sink, luaL_checkstring(L, -1), error);
    if (!kind) kind = mr_sink_check(&request->sink, error);
  }
  lua_pop(L, 1);
  return kind;
}

/* Raises for misuse of the interface; what the world may cause comes back as an error. */
static enum mr_kind read_options(lua_State *L, struct mr_request *request, struct mr_error *error) {
  read_bounds(L, request);
  read_ticket(L, &request->ticket);
  enum mr_kind kind = read_headers(L, request, error);
  if (kind) return kind;
  read_key(L, request);
  read_body(L, request);
  read_buckets(L, request);
  kind = read_upload(L, request, error);
  if (!kind) kind = read_sink(L, request, error);
  if (request->stream)
    request->answer.limit = SIZE_MAX / 4;
  else
    request->answer.limit = (size_t)request->max_body;
  return kind;
}

static bool is_full(const struct mr_lua_engine *box) {
  return box->requests_max > 0 && mr_engine_pending(box->engine) >= box->requests_max;
}

static int refuse(lua_State *L, const struct mr_lua_engine *box) {
  struct mr_error error;
  mr_fail(&error, MR_LIMIT,
          "%lu requests are under way, which is as many as this program allows; wait for one",
          (unsigned long)box->requests_max);
  return mr_lua_failure(L, &error);
}

static enum mr_kind put_single(lua_State *L, const struct mr_lua_endpoint *endpoint,
                               struct mr_buffer *url) {
  size_t size;
  const char *text = lua_tolstring(L, TARGET, &size);
  enum mr_kind kind = mr_buffer_append(url, endpoint->literals, endpoint->before_size);
  if (!kind) kind = mr_url_segment(url, text, size);
  if (!kind)
    kind = mr_buffer_append(url, endpoint->literals + endpoint->before_size, endpoint->after_size);
  return kind;
}

/* As the task: not in a coroutine of the user's inside it, nor behind a C function. */
static bool can_wait(lua_State *L) {
  return lua_tothread(L, SINGLE_THREAD) == L && lua_isyieldable(L);
}

/* Pushes a request with one path parameter and nothing else, for 'task' (0: none). NULL, with the stack as it may be,
** when the value or the moment asks for endpoint:start and its messages. */
static struct mr_lua_request *make_single(lua_State *L, struct mr_lua_endpoint *endpoint,
                                          uint64_t task) {
  struct mr_error error;
  bool fits = lua_type(L, TARGET) == LUA_TSTRING || lua_isinteger(L, TARGET);
  if (!fits || !endpoint->literals) return NULL;
  mr_lua_engine_connect(L, endpoint->engine);
  if (is_full(endpoint->engine)) return NULL;
  struct mr_lua_request *box = mr_lua_request_renew(L, endpoint, ENDPOINT);
  struct mr_request *request = box->request;
  request->ticket.task = request->tag = task;
  request->answer.limit = (size_t)request->max_body;
  if (put_single(L, endpoint, &request->url) || mr_request_target(request, false, &error))
    return NULL;
  return box;
}

static void send(struct mr_lua_request *box) {
  struct mr_lua_engine *engine = box->engine;
  mr_lua_request_forsake(engine, 0);
  mr_engine_start(engine->engine, box->request);
  engine->started = box;
}

/* endpoint:start_single(value, tag, thread): the commonest call, with one path parameter and nothing else, in a task:
** 'tag' and 'thread' are the task's. Returns nothing when the value or the moment asks for endpoint:start and its
** messages. The request is for the caller alone, who may end it by request:plain_single(). */
int mr_lua_request_start_single(lua_State *L) {
  struct mr_lua_endpoint *endpoint = mr_lua_self(L, MR_LUA_ENDPOINT);
  lua_settop(L, SINGLE_THREAD);
  if (!can_wait(L)) return 0;
  struct mr_lua_request *box = make_single(L, endpoint, (uint64_t)lua_tointeger(L, SINGLE_TASK));
  if (!box) return 0;
  send(box);
  return 1;
}

/* endpoint:await_single(value, go_on, seconds): the same outside of tasks; the request comes back finished. After so
** many seconds, at once when they are nil, go_on(request) waits for it; Ctrl-C is go_on(request, problem), which raises.
** No instruction of Lua, where Ctrl-C is heard too, comes between the start and the end: an error closes the request. */
int mr_lua_request_await_single(lua_State *L) {
  struct mr_lua_endpoint *endpoint = mr_lua_self(L, MR_LUA_ENDPOINT);
  lua_settop(L, AWAIT_SECONDS);
  mr_lua_interrupt_begin(L, &endpoint->engine->interrupt);
  struct mr_lua_request *box = make_single(L, endpoint, 0);
  if (!box) return 0;
  lua_toclose(L, AWAIT_REQUEST);
  mr_lua_request_forsake(box->engine, 0);
  mr_engine_start(box->engine->engine, box->request);
  bool is_heard = false;
  if (!lua_isnil(L, AWAIT_SECONDS))
    is_heard = !mr_lua_request_pass(L, box, mr_lua_seconds(L, AWAIT_SECONDS, "seconds"));
  if (is_heard || !mr_request_is_finished(box->request)) {
    lua_settop(L, is_heard ? AWAIT_REQUEST + 1 : AWAIT_REQUEST);
    lua_pushvalue(L, AWAIT_GO_ON);
    lua_insert(L, AWAIT_REQUEST + 1);
    lua_pushvalue(L, AWAIT_REQUEST);
    lua_insert(L, AWAIT_REQUEST + 2);
    lua_call(L, is_heard ? 2 : 1, 0);
  }
  lua_settop(L, AWAIT_REQUEST);
  return 1;
}

/* Raises the error on top, through go_on where it was given, and closes the request. */
static void give_up(lua_State *L) {
  lua_toclose(L, REQUEST);
  if (lua_isnil(L, START_GO_ON)) lua_error(L);
  lua_pushvalue(L, START_GO_ON);
  lua_insert(L, -2);
  lua_pushvalue(L, REQUEST);
  lua_insert(L, -2);
  lua_call(L, 2, 0);
}

int mr_lua_request_start(lua_State *L) {
  struct mr_lua_endpoint *endpoint = mr_lua_self(L, MR_LUA_ENDPOINT);
  struct mr_error error = {0};
  lua_settop(L, START_GO_ON);
  mr_lua_interrupt_begin(L, &endpoint->engine->interrupt);
  mr_lua_engine_connect(L, endpoint->engine);
  if (is_full(endpoint->engine)) return refuse(L, endpoint->engine);
  struct mr_lua_request *box = mr_lua_request_new(L, endpoint, ENDPOINT);
  struct mr_request *request = box->request;
  bool has_options = lua_istable(L, OPTIONS);
  request->ticket.task = (uint64_t)luaL_optinteger(L, TASK, 0);
  if (has_options && !read_json(L, request)) {
    luaL_pushfail(L);
    lua_pushliteral(L, "misuse");
    lua_rotate(L, -3, 2);
    return 3;
  }
  enum mr_kind kind = has_options ? read_options(L, request, &error) : MR_NONE;
  bool absolute = has_options && mr_lua_field_boolean(L, OPTIONS, "absolute");
  if (!kind) kind = read_target(L, request, absolute, &error);
  if (kind) {
    error.kind = kind;
    return mr_lua_failure(L, &error);
  }
  send(box);
  lua_settop(L, REQUEST);
  if (request->ticket.task == 0 && mr_lua_interrupted(L, &endpoint->engine->interrupt)) give_up(L);
  return 1;
}
