/* A request userdata: waiting for it, and reading what became of it. */
#include <ctype.h>
#include <string.h>

#include "core/memory.h"
#include "lua/glue.h"

static const char closed[] = "attempt to use a closed request";

static struct mr_lua_request *check_box(lua_State *L) {
  return mr_lua_self(L, MR_LUA_REQUEST);
}

struct mr_lua_request *mr_lua_check_request(lua_State *L) {
  struct mr_lua_request *box = check_box(L);
  if (!box->request) mr_lua_error(L, closed);
  return box;
}

static struct mr_request *to_request(lua_State *L) {
  return mr_lua_check_request(L)->request;
}

void mr_lua_request_fill(lua_State *L, struct mr_lua_request *box,
                         struct mr_lua_endpoint *endpoint) {
  box->request = mr_request_new(endpoint->endpoint);
  if (!box->request) mr_lua_error(L, "out of memory");
  box->request->owner = box;
  box->request->allowance = &box->engine->allowance;
}

struct mr_lua_request *mr_lua_request_new(lua_State *L, struct mr_lua_endpoint *endpoint,
                                          int endpoint_index) {
  struct mr_lua_request *box = lua_newuserdatauv(L, sizeof *box, MR_LUA_REQUEST_VALUES);
  *box = (struct mr_lua_request){.engine = endpoint->engine, .hints = &endpoint->hints};
  luaL_setmetatable(L, MR_LUA_REQUEST);
  lua_pushvalue(L, endpoint_index);
  lua_setiuservalue(L, -2, MR_LUA_REQUEST_ENDPOINT);
  mr_lua_request_fill(L, box, endpoint);
  return box;
}

/* Somebody has it, who will wait for it or end it. */
static void hold(struct mr_lua_request *box) {
  if (box->engine->started == box) box->engine->started = NULL;
}

static void close_box(struct mr_lua_request *box) {
  if (!box->request || box->busy) return;
  struct mr_request *request = box->request;
  hold(box);
  box->request = NULL;
  mr_request_free(request);
  if (box->sse) mr_sse_free(box->sse);
  mr_free(box->sse);
  box->sse = NULL;
}

void mr_lua_request_forsake(struct mr_lua_engine *box, uint64_t task) {
  if (box->started && box->started->request->ticket.task == task) close_box(box->started);
}

static int request_close(lua_State *L) {
  close_box(check_box(L));
  return 0;
}

/* request:hold(): whoever started it has it now, and will end it. */
static int request_hold(lua_State *L) {
  hold(check_box(L));
  return 0;
}

/* It is freed by the network's thread, where there is one; else in a step of its own. */
static void give_up_answer(struct mr_lua_engine *engine, struct mr_buffer *answer) {
  if (!mr_waste_is_large(answer) || mr_engine_discard(engine->engine, answer)) return;
  if (engine->collector.is_working) mr_waste_take(&engine->collector.waste, answer);
}

/* Nobody uses what is collected: a decoding that an error left must not keep it. */
static int request_gc(lua_State *L) {
  struct mr_lua_request *box = check_box(L);
  box->busy = false;
  if (box->request) give_up_answer(box->engine, &box->request->answer);
  return request_close(L);
}

/* In a to-be-closed variable: what leaves the block by an error, Ctrl-C above all, leaves nobody behind who wants the
** answer, and a request that still waits for a slot must not be sent then. */
static int request_leave(lua_State *L) {
  return lua_isnoneornil(L, 2) ? 0 : request_gc(L);
}

/* The time counts from the last start or step, so that the clock need not be read again. */
bool mr_lua_request_pass(lua_State *L, struct mr_lua_request *box, int64_t timeout_us) {
  int64_t end_us = mr_time_after(mr_engine_turn_us(box->engine->engine), timeout_us);
  do {
    if (mr_lua_engine_pump(L, box->engine, timeout_us, MR_NEVER) < 0) return false;
    if (!box->request) mr_lua_error(L, closed);
    timeout_us = end_us - mr_engine_turn_us(box->engine->engine);
  } while (!mr_request_is_finished(box->request) && timeout_us > 0);
  return true;
}

/* request:wait(timeout): whether it is finished now. Who waits for longer calls again. */
static int request_wait(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  hold(box);
  mr_lua_interrupt_begin(L, &box->engine->interrupt);
  if (!mr_request_is_finished(box->request)) {
    int64_t timeout_us = lua_isnoneornil(L, 2) ? 0 : mr_lua_seconds(L, 2, "timeout");
    if (!mr_lua_request_pass(L, box, timeout_us)) return lua_error(L);
  }
  lua_pushboolean(L, mr_request_is_finished(box->request));
  return 1;
}

static int request_finished(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  hold(box);
  lua_pushboolean(L, mr_request_is_finished(box->request));
  return 1;
}

/* request:about(): how messages name the operation (may be nil), whether it only reads, whether anything of it was sent.
** Of a closed one nothing. */
static int request_about(lua_State *L) {
  const struct mr_request *request = check_box(L)->request;
  if (!request) return 0;
  lua_getiuservalue(L, 1, MR_LUA_REQUEST_ENDPOINT);
  lua_getiuservalue(L, -1, MR_LUA_ENDPOINT_LABEL);
  lua_pushboolean(L, request->repeat == MR_REPEAT_SAFE);
  lua_pushboolean(L, request->first_sent_us > 0);
  return 3;
}

static int request_state(lua_State *L) {
  lua_pushstring(L, mr_state_name(to_request(L)->state));
  return 1;
}

static int request_status(lua_State *L) {
  struct mr_request *request = to_request(L);
  if (request->status == 0) return 0;
  lua_pushinteger(L, request->status);
  return 1;
}

static void push_seconds(lua_State *L, int64_t time_us) {
  lua_pushnumber(L, (lua_Number)time_us / MR_SECOND);
}

/* Whether trying again would end the same. */
static int request_lasting(lua_State *L) {
  lua_pushboolean(L, to_request(L)->result.lasting);
  return 1;
}

static int request_body(lua_State *L) {
  struct mr_request *request = to_request(L);
  lua_pushlstring(L, mr_buffer_string(&request->answer), request->answer.size);
  return 1;
}

static void push_slice(lua_State *L, struct mr_slice slice) {
  lua_pushlstring(L, slice.data ? slice.data : "", slice.size);
}

static int request_header(lua_State *L) {
  struct mr_slice value = mr_headers_get(&to_request(L)->headers, luaL_checkstring(L, 2));
  if (!value.data) return 0;
  push_slice(L, value);
  return 1;
}

static void push_lower(lua_State *L, struct mr_slice name) {
  luaL_Buffer buffer;
  char *text = luaL_buffinitsize(L, &buffer, name.size);
  for (size_t i = 0; i < name.size; i++)
    text[i] = (char)tolower((unsigned char)name.data[i]);
  luaL_pushresultsize(&buffer, name.size);
}

/* The value is on top: alone under its name, or behind those that came before. */
static void add_field(lua_State *L, int table, struct mr_slice name) {
  push_lower(L, name);
  lua_pushvalue(L, -1);
  int type = lua_rawget(L, table);
  if (type == LUA_TNIL) {
    lua_pop(L, 1);
    lua_insert(L, -2);
    lua_rawset(L, table);
    return;
  }
  if (type != LUA_TTABLE) {
    lua_createtable(L, 2, 0);
    lua_insert(L, -2);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, table);
  }
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
  lua_pop(L, 3);
}

static int request_headers(lua_State *L) {
  struct mr_request *request = to_request(L);
  lua_settop(L, 1);
  lua_createtable(L, 0, (int)request->headers.count);
  for (uint32_t i = 0; i < request->headers.count; i++) {
    push_slice(L, mr_headers_value(&request->headers, i));
    add_field(L, 2, mr_headers_name(&request->headers, i));
  }
  return 1;
}

/* The final URL. Its query goes away when a secret was in it. */
static int request_url(lua_State *L) {
  struct mr_request *request = to_request(L);
  const char *url = mr_buffer_string(&request->url);
  if (request->url.secret)
    lua_pushfstring(L, "%s", lua_pushlstring(L, url, strcspn(url, "?")));
  else
    lua_pushlstring(L, url, request->url.size);
  return 1;
}

static void set_time(lua_State *L, const char *field, int64_t time_us) {
  if (time_us < 0) return;
  push_seconds(L, time_us);
  lua_setfield(L, -2, field);
}

static int request_timings(lua_State *L) {
  struct mr_request *request = to_request(L);
  const struct mr_timings *timings = &request->timings;
  lua_createtable(L, 0, 8);
  set_time(L, "resolved", timings->resolved_us);
  set_time(L, "connected", timings->connected_us);
  set_time(L, "secured", timings->secured_us);
  set_time(L, "sent", timings->sent_us);
  set_time(L, "first_byte", timings->first_byte_us);
  set_time(L, "done", timings->done_us);
  if (request->first_sent_us > 0)
    set_time(L, "queued", request->first_sent_us - request->started_us);
  if (mr_request_is_finished(request))
    set_time(L, "total", request->finished_us - request->started_us);
  return 1;
}

static void push_note(lua_State *L, const struct mr_attempt_note *note) {
  lua_createtable(L, 0, 5);
  if (note->status > 0) {
    lua_pushinteger(L, note->status);
    lua_setfield(L, -2, "status");
  }
  if (note->kind) {
    lua_pushstring(L, mr_kind_name(note->kind));
    lua_setfield(L, -2, "kind");
  }
  if (note->reason) {
    lua_pushstring(L, note->reason);
    lua_setfield(L, -2, "reason");
  }
  set_time(L, "took", note->took_us);
  set_time(L, "wait", note->wait_us);
}

static int request_attempts(lua_State *L) {
  struct mr_request *request = to_request(L);
  lua_createtable(L, (int)request->note_count, 0);
  for (uint32_t i = 0; i < request->note_count; i++) {
    push_note(L, &request->notes[i]);
    lua_pushinteger(L, i + 1);
    lua_setfield(L, -2, "number");
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int request_progress(lua_State *L) {
  struct mr_request *request = to_request(L);
  lua_pushinteger(L, (lua_Integer)mr_engine_received(request));
  if (request->expected < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, request->expected);
  bool uploads = request->has_upload;
  lua_pushinteger(L, uploads ? (lua_Integer)(request->upload.offset - request->upload_at) : 0);
  lua_pushinteger(L, uploads && request->exchange.body_size > 0 ? request->exchange.body_size : 0);
  return 4;
}

static int request_cancel(lua_State *L) {
  struct mr_lua_request *box = check_box(L);
  if (box->request && box->engine->engine) mr_engine_cancel(box->engine->engine, box->request);
  return 0;
}

/* request:tag(n): engine:next_told() gives n when the request is finished, and when there is
** something new to read of a stream. False when it is finished already. */
static int request_tag(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  lua_Integer tag = luaL_checkinteger(L, 2);
  luaL_argcheck(L, tag > 0, 2, "must be at least 1");
  hold(box);
  bool pending = !mr_request_is_finished(box->request);
  if (pending) box->request->tag = (uint64_t)tag;
  lua_pushboolean(L, pending);
  return 1;
}

/* What a record has too: the request that can be asked. */
static int request_recall(lua_State *L) {
  lua_settop(L, 1);
  return 1;
}

static int request_tostring(lua_State *L) {
  struct mr_lua_request *box = check_box(L);
  lua_pushfstring(L, MR_LUA_REQUEST " (%s)",
                  box->request ? mr_state_name(box->request->state) : "closed");
  return 1;
}

void mr_lua_open_request(lua_State *L) {
  static const luaL_Reg metamethods[] = {{"__gc", request_gc},
                                         {"__close", request_leave},
                                         {"__tostring", request_tostring},
                                         {NULL, NULL}};
  static const luaL_Reg methods[] = {{"wait", request_wait},
                                     {"finished", request_finished},
                                     {"hold", request_hold},
                                     {"about", request_about},
                                     {"state", request_state},
                                     {"status", request_status},
                                     {"failure", mr_lua_request_failure},
                                     {"outcome", mr_lua_request_outcome},
                                     {"plain", mr_lua_request_plain},
                                     {"plain_single", mr_lua_request_plain_single},
                                     {"recall", request_recall},
                                     {"deprecates", mr_lua_request_deprecates},
                                     {"lasting", request_lasting},
                                     {"decode", mr_lua_request_decode},
                                     {"decode_until", mr_lua_request_decode_until},
                                     {"body", request_body},
                                     {"header", request_header},
                                     {"headers", request_headers},
                                     {"url", request_url},
                                     {"timings", request_timings},
                                     {"attempts", request_attempts},
                                     {"limits", mr_lua_request_limits},
                                     {"read", mr_lua_request_read},
                                     {"event", mr_lua_request_event},
                                     {"progress", request_progress},
                                     {"cancel", request_cancel},
                                     {"close", request_close},
                                     {"tag", request_tag},
                                     {NULL, NULL}};
  mr_lua_metatable(L, MR_LUA_REQUEST, metamethods, methods);
}
