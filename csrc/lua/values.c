/* Small functions of ring 1, as Lua tables: url, date, header, clock; and terminal. */
#include <string.h>
#include <unistd.h>

#include "core/terminal.h"
#include "lua/glue.h"

/* A buffer that a raised error cannot leak: it lives in a userdata. */
static struct mr_buffer *push_buffer(lua_State *L) {
  struct mr_buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
  mr_buffer_init(buffer, 3 * MR_URL_MAX);
  luaL_setmetatable(L, "moonrest.buffer");
  return buffer;
}

static int buffer_gc(lua_State *L) {
  mr_buffer_free(luaL_checkudata(L, 1, "moonrest.buffer"));
  return 0;
}

/* What has no words was the buffer's: what they say of a text would be wrong of it. */
static int push_result(lua_State *L, enum mr_kind kind, struct mr_buffer *buffer,
                       struct mr_error *error) {
  if (kind) {
    if (error->message[0] == '\0')
      mr_fail(error, kind, kind == MR_LIMIT ? "out of memory" : "the URL is too long");
    luaL_pushfail(L);
    lua_pushstring(L, error->message);
    mr_buffer_free(buffer);
    return 2;
  }
  lua_pushlstring(L, mr_buffer_string(buffer), buffer->size);
  mr_buffer_free(buffer);
  return 1;
}

typedef enum mr_kind (*encoder)(struct mr_buffer *, const char *, size_t);

/* Names and numbers, which most of them are, stay as they are. */
static bool is_plain(const char *text, size_t size) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  return size > 0 && strspn(text, letters) == size;
}

static int encode(lua_State *L, encoder encoder, const char *what) {
  size_t size;
  struct mr_error error = {0};
  const char *text = luaL_checklstring(L, 1, &size);
  if (is_plain(text, size)) {
    lua_settop(L, 1);
    return 1;
  }
  struct mr_buffer *buffer = push_buffer(L);
  enum mr_kind kind = encoder(buffer, text, size);
  if (kind == MR_DECODE)
    mr_fail(&error, kind,
            "'%.80s' cannot be %s: empty, '.', '..' and control characters are refused", text,
            what);
  else if (kind && kind != MR_LIMIT)
    mr_fail(&error, kind, "too long for %s", what);
  return push_result(L, kind, buffer, &error);
}

static int url_segment(lua_State *L) {
  return encode(L, mr_url_segment, "a path segment");
}
static int url_segments(lua_State *L) {
  return encode(L, mr_url_segments, "a path");
}
static int url_query(lua_State *L) {
  return encode(L, mr_url_query, "a query value");
}

static enum mr_kind parse(lua_State *L, struct mr_url *url, struct mr_error *error) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  return mr_url_parse(text, size, url, error);
}

static int url_origin(lua_State *L) {
  struct mr_url url;
  struct mr_error error = {0};
  enum mr_kind kind = parse(L, &url, &error);
  struct mr_buffer *buffer = push_buffer(L);
  if (!kind) kind = mr_url_origin(&url, buffer);
  return push_result(L, kind, buffer, &error);
}

static int url_resolve(lua_State *L) {
  size_t base_size, size;
  struct mr_error error = {0};
  const char *base = luaL_checklstring(L, 1, &base_size);
  const char *reference = luaL_checklstring(L, 2, &size);
  struct mr_buffer *buffer = push_buffer(L);
  enum mr_kind kind = mr_url_resolve(base, base_size, reference, size, buffer, &error);
  return push_result(L, kind, buffer, &error);
}

static int url_is_loopback(lua_State *L) {
  struct mr_url url;
  struct mr_error error = {0};
  if (parse(L, &url, &error)) {
    luaL_pushfail(L);
    lua_pushstring(L, error.message);
    return 2;
  }
  lua_pushboolean(L, mr_url_is_loopback(&url));
  return 1;
}

static int date_parse(lua_State *L) {
  struct mr_slice value;
  int64_t time_us;
  value.data = luaL_checklstring(L, 1, &value.size);
  if (!mr_header_date(value, &time_us)) return 0;
  lua_pushnumber(L, (lua_Number)time_us / MR_SECOND);
  return 1;
}

static int header_link(lua_State *L) {
  struct mr_slice value, target;
  value.data = luaL_checklstring(L, 1, &value.size);
  if (!mr_header_link(value, luaL_checkstring(L, 2), &target)) return 0;
  lua_pushlstring(L, target.data, target.size);
  return 1;
}

static int clock_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)mr_clock_now(&mr_clock_system) / MR_SECOND);
  return 1;
}

static int clock_wall(lua_State *L) {
  lua_pushnumber(L, (lua_Number)mr_clock_wall(&mr_clock_system) / MR_SECOND);
  return 1;
}

static void add_table(lua_State *L, const char *name, const luaL_Reg *functions) {
  lua_newtable(L);
  luaL_setfuncs(L, functions, 0);
  lua_setfield(L, -2, name);
}

/* header.is_json(content_type) */
static int header_is_json(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  lua_pushboolean(L, mr_header_is_json((struct mr_slice){text, size}));
  return 1;
}

/* terminal("stdout" | "stderr"): characters in a line; nil when there is no terminal */
static int terminal(lua_State *L) {
  static const char *const names[] = {"stdout", "stderr", NULL};
  static const int descriptors[] = {STDOUT_FILENO, STDERR_FILENO};
  int columns = mr_terminal_columns(descriptors[luaL_checkoption(L, 1, NULL, names)]);
  if (columns == 0) return 0;
  lua_pushinteger(L, columns);
  return 1;
}

void mr_lua_open_values(lua_State *L) {
  static const luaL_Reg buffer[] = {{"__gc", buffer_gc}, {NULL, NULL}};
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg url[] = {{"segment", url_segment},
                                 {"segments", url_segments},
                                 {"query", url_query},
                                 {"origin", url_origin},
                                 {"resolve", url_resolve},
                                 {"is_loopback", url_is_loopback},
                                 {NULL, NULL}};
  static const luaL_Reg date[] = {{"parse", date_parse}, {NULL, NULL}};
  static const luaL_Reg header[] = {
      {"link", header_link}, {"is_json", header_is_json}, {NULL, NULL}};
  static const luaL_Reg clock[] = {{"now", clock_now}, {"wall", clock_wall}, {NULL, NULL}};
  mr_lua_metatable(L, "moonrest.buffer", buffer, none);
  add_table(L, "url", url);
  add_table(L, "date", date);
  add_table(L, "header", header);
  add_table(L, "clock", clock);
  lua_pushcfunction(L, terminal);
  lua_setfield(L, -2, "terminal");
}
