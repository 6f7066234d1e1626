/* The methods of a request whose body is read while it comes: raw bytes, or server-sent events. */
#include <string.h>

#include "core/memory.h"
#include "lua/glue.h"

static struct mr_lua_request *check_stream(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  if (!box->request->stream) mr_lua_error(L, "this request was not started with stream = true");
  return box;
}

/* What there is to say when no bytes are left: nothing yet, the end, or the failure. */
static int push_state(lua_State *L, struct mr_request *request) {
  if (!mr_request_is_finished(request)) return -1;
  lua_pushnil(L);
  if (request->state == MR_STATE_DONE) return 1;
  lua_pushstring(L, mr_kind_name(request->error.kind));
  lua_pushstring(L, request->error.message);
  return 3;
}

static void take(struct mr_lua_request *box, size_t size) {
  struct mr_buffer *answer = &box->request->answer;
  if (size < answer->size) memmove(answer->data, answer->data + size, answer->size - size);
  answer->size -= size;
  if (box->engine->engine) mr_engine_resume(box->engine->engine, box->request);
}

int mr_lua_request_read(lua_State *L) {
  struct mr_lua_request *box = check_stream(L);
  struct mr_buffer *answer = &box->request->answer;
  lua_Integer most = luaL_optinteger(L, 2, MR_STREAM_WINDOW);
  luaL_argcheck(L, most > 0, 2, "must be at least 1");
  if (answer->size == 0) {
    int pushed = push_state(L, box->request);
    if (pushed > 0) return pushed;
    lua_pushliteral(L, "");
    return 1;
  }
  size_t size = answer->size < (size_t)most ? answer->size : (size_t)most;
  lua_pushlstring(L, answer->data, size);
  take(box, size);
  return 1;
}

static void push_sse(lua_State *L, const struct mr_sse_event *event) {
  lua_createtable(L, 0, 4);
  lua_pushstring(L, event->event);
  lua_setfield(L, -2, "event");
  lua_pushlstring(L, event->data, event->data_size);
  lua_setfield(L, -2, "data");
  lua_pushstring(L, event->id);
  lua_setfield(L, -2, "id");
  if (event->retry_ms < 0) return;
  lua_pushnumber(L, (lua_Number)event->retry_ms / 1000);
  lua_setfield(L, -2, "retry");
}

static int push_misfit(lua_State *L, enum mr_kind kind) {
  lua_pushnil(L);
  lua_pushstring(L, mr_kind_name(kind));
  if (kind == MR_LIMIT)
    lua_pushliteral(L, "out of memory for an event of the stream");
  else
    lua_pushfstring(L, "an event of the stream exceeds %d bytes", MR_SSE_MAX);
  return 3;
}

/* The answer's bytes are dropped in one go, when the parser has seen them all. */
int mr_lua_request_event(lua_State *L) {
  struct mr_lua_request *box = check_stream(L);
  struct mr_buffer *answer = &box->request->answer;
  struct mr_sse_event event = {0};
  bool found = false;
  if (!box->sse) {
    box->sse = mr_alloc(sizeof *box->sse);
    if (!box->sse) return luaL_error(L, "out of memory");
    mr_sse_init(box->sse);
  }
  while (box->sse_used < answer->size && !found) {
    size_t used = 0;
    enum mr_kind kind = mr_sse_feed(box->sse, answer->data + box->sse_used,
                                    answer->size - box->sse_used, &used, &event, &found);
    if (kind) return push_misfit(L, kind);
    box->sse_used += used;
  }
  if (found) push_sse(L, &event);
  if (box->sse_used == answer->size) {
    box->sse_used = 0;
    take(box, answer->size);
  }
  if (found) return 1;
  int pushed = push_state(L, box->request);
  if (pushed > 0) return pushed;
  lua_pushboolean(L, false);
  return 1;
}
