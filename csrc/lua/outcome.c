/* The methods of a finished request that tell what became of it. */
#include <string.h>

#include "core/ascii.h"
#include "lua/glue.h"

enum { STATUS = 4, BODY = 5 }; /* of plain_single, on the stack */

static struct mr_request *to_request(lua_State *L) {
  return mr_lua_check_request(L)->request;
}

static int push_failure(lua_State *L, const struct mr_request *request) {
  lua_pushstring(L, mr_kind_name(request->error.kind));
  lua_pushstring(L, request->error.message);
  if (request->retry_after_us < 0) return 2;
  lua_pushnumber(L, (lua_Number)request->retry_after_us / MR_SECOND);
  return 3;
}

/* nil when a whole response came, else kind, message and when to come back. */
int mr_lua_request_failure(lua_State *L) {
  struct mr_request *request = to_request(L);
  if (request->state == MR_STATE_FAILED || request->state == MR_STATE_CANCELLED)
    return push_failure(L, request);
  lua_pushnil(L);
  return 1;
}

/* What call.lua asks first: the status, or nil; then, unless a whole response came, what request:failure() gives. */
int mr_lua_request_outcome(lua_State *L) {
  struct mr_request *request = to_request(L);
  if (request->status > 0)
    lua_pushinteger(L, request->status);
  else
    lua_pushnil(L);
  if (request->state != MR_STATE_FAILED && request->state != MR_STATE_CANCELLED) return 1;
  return 1 + push_failure(L, request);
}

static bool is_json(const struct mr_headers *headers) {
  struct mr_slice type = mr_headers_get(headers, "Content-Type");
  return !type.data || mr_header_is_json(type);
}

static bool says(const struct mr_headers *headers, const char *name) {
  struct mr_slice value = mr_headers_get(headers, name);
  return value.data && !mr_ascii_same(value.data, value.size, "false", 5);
}

static bool deprecates(const struct mr_lua_request *box) {
  const struct mr_headers *headers = &box->request->headers;
  const struct mr_buffer *own = &box->hints->deprecation;
  if (says(headers, "Deprecation") || says(headers, "Sunset")) return true;
  for (size_t at = 0; at < own->size; at += strlen(own->data + at) + 1)
    if (says(headers, own->data + at)) return true;
  return false;
}

/* Whether a header field says that what was asked for is going away: RFC 9745, RFC 8594, or the definition's own. */
int mr_lua_request_deprecates(lua_State *L) {
  lua_pushboolean(L, deprecates(mr_lua_check_request(L)));
  return 1;
}

/* Pushes the status and the decoded body of the commonest answer of all, or nothing for any other. */
static bool push_plain(lua_State *L) {
  struct mr_lua_request *box = mr_lua_check_request(L);
  const struct mr_request *request = box->request;
  int status = request->status;
  bool good = request->state == MR_STATE_DONE && status >= 200 && status < 300 && status != 207;
  if (!good || !is_json(&request->headers) || deprecates(box)) return false;
  lua_pushinteger(L, status);
  return mr_lua_decode_small(L, box);
}

/* The status and the decoded body of a success with a small JSON body that is not null or false, and nothing in the
** headers that its reader should know. Nothing for any other answer: the other methods tell. */
int mr_lua_request_plain(lua_State *L) {
  lua_settop(L, 1);
  return push_plain(L) ? 2 : 0;
}

/* request:plain_single(recipe, type): the body alone, and the response { record, recipe, status } of that metatable. The
** request is not used any more, by anybody. */
int mr_lua_request_plain_single(lua_State *L) {
  luaL_checktype(L, 3, LUA_TTABLE);
  lua_settop(L, 3);
  if (!push_plain(L)) return 0;
  lua_createtable(L, 3, 0);
  mr_lua_request_retire(L);
  lua_rawseti(L, BODY + 1, 1);
  lua_pushvalue(L, 2);
  lua_rawseti(L, BODY + 1, 2);
  lua_pushvalue(L, STATUS);
  lua_rawseti(L, BODY + 1, 3);
  lua_pushvalue(L, 3);
  lua_setmetatable(L, BODY + 1);
  return 2;
}
