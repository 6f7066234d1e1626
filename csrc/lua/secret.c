/*
** Credentials as Lua sees them: something to hand on, and never to look into.
** There is no length, no equality and no field, so that no script can ask its
** way to the value.
*/
#include "lua/secret.h"

#include <stdio.h>
#include <string.h>

#include "core/json_text.h"
#include "core/secret_source.h"
#include "core/url.h"
#include "lua/interrupt.h"
#include "lua/loading.h"

struct mr_secret *mr_lua_test_secret(lua_State *L, int index) {
  struct mr_lua_secret *box = luaL_testudata(L, index, MR_LUA_SECRET);
  return box ? box->secret : NULL;
}

struct mr_secret *mr_lua_check_secret(lua_State *L, int index) {
  struct mr_lua_secret *box = luaL_checkudata(L, index, MR_LUA_SECRET);
  luaL_argcheck(L, box->secret, index, "attempt to use a closed secret");
  return box->secret;
}

static int secret_close(lua_State *L) {
  struct mr_lua_secret *box = luaL_checkudata(L, 1, MR_LUA_SECRET);
  mr_secret_release(box->secret);
  box->secret = NULL;
  return 0;
}

static int secret_tostring(lua_State *L) {
  struct mr_lua_secret *box = luaL_checkudata(L, 1, MR_LUA_SECRET);
  if (!box->secret)
    lua_pushliteral(L, MR_LUA_SECRET " (closed)");
  else if (mr_secret_source_of(box->secret) == MR_SECRET_LITERAL)
    lua_pushliteral(L, MR_LUA_SECRET " (literal)");
  else
    lua_pushfstring(L, "%s (%s %s)", MR_LUA_SECRET,
                    mr_secret_source_name(mr_secret_source_of(box->secret)),
                    mr_secret_origin(box->secret));
  return 1;
}

/* The options of the second argument: { multiline = boolean } or nothing. */
static bool check_multiline(lua_State *L) {
  if (lua_isnoneornil(L, 2)) return false;
  luaL_checktype(L, 2, LUA_TTABLE);
  bool multiline = false;
  for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
    bool known = lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "multiline") == 0;
    luaL_argcheck(L, known, 2, "unknown option; the only one is 'multiline'");
    luaL_argcheck(L, lua_isboolean(L, -1), 2, "multiline must be a boolean");
    multiline = lua_toboolean(L, -1);
  }
  return multiline;
}

static bool is_interrupted(void *context) {
  return mr_lua_interrupt_is_new(context);
}

/* Pushes the userdata before there is anything to put into it: if Lua has no memory, nothing
** is lost. */
static int open_secret(lua_State *L, enum mr_secret_source source) {
  luaL_checktype(L, 1, LUA_TSTRING); /* no numbers: their text may not be what the user wrote */
  bool multiline = check_multiline(L);
  size_t size;
  const char *origin = lua_tolstring(L, 1, &size);
  struct mr_lua_secret *box = lua_newuserdatauv(L, sizeof(*box), 0);
  box->secret = NULL;
  luaL_setmetatable(L, MR_LUA_SECRET);
  struct mr_error error;
  struct mr_lua_interrupt interrupt;
  struct mr_secret_watch watch = {is_interrupted, &interrupt};
  mr_lua_interrupt_init(L, &interrupt);
  mr_lua_interrupt_begin(L, &interrupt);
  if (!mr_secret_open_watched(source, origin, size, multiline, &watch, &box->secret, &error))
    return 1;
  if (error.kind == MR_CANCELLED && mr_lua_interrupted(L, &interrupt)) return lua_error(L);
  luaL_pushfail(L);
  lua_pushstring(L, error.message);
  return 2;
}

static int from_text(lua_State *L) {
  return open_secret(L, MR_SECRET_LITERAL);
}
static int from_env(lua_State *L) {
  return open_secret(L, MR_SECRET_ENV);
}
static int from_file(lua_State *L) {
  return open_secret(L, MR_SECRET_FILE);
}
static int from_command(lua_State *L) {
  return open_secret(L, MR_SECRET_COMMAND);
}

#define SHORTEST_MASKED 4 /* bytes: replacing "1" in every message would help nobody */

/* Replaces the text at index 1 by one with *** for each occurrence of 'value'. */
static void mask_value(lua_State *L, struct mr_slice value) {
  size_t size;
  const char *text = lua_tolstring(L, 1, &size);
  if (value.size < SHORTEST_MASKED || !memmem(text, size, value.data, value.size)) return;
  const char *end = text + size;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (const char *at; (at = memmem(text, (size_t)(end - text), value.data, value.size));
       text = at + value.size) {
    luaL_addlstring(&out, text, (size_t)(at - text));
    luaL_addstring(&out, "***");
  }
  luaL_addlstring(&out, text, (size_t)(end - text));
  luaL_pushresult(&out);
  lua_replace(L, 1);
}

/* Pushes an empty buffer for secret bytes in a userdata: an error cannot leak it. */
static struct mr_buffer *push_buffer(lua_State *L, size_t limit) {
  struct mr_buffer *buffer = lua_newuserdatauv(L, sizeof *buffer, 0);
  mr_buffer_init(buffer, limit);
  luaL_setmetatable(L, "moonrest.buffer");
  buffer->secret = true;
  return buffer;
}

/* The value without the word that may stand before it, as in "Bearer K". */
static struct mr_slice behind_prefix(struct mr_slice value) {
  const char *space = memchr(value.data, ' ', value.size);
  size_t skipped = space ? (size_t)(space + 1 - value.data) : 0;
  return (struct mr_slice){value.data + skipped, value.size - skipped};
}

typedef enum mr_kind (*writer)(struct mr_buffer *, const char *, size_t);

/* As it stands between the quotes. */
static enum mr_kind write_json(struct mr_buffer *out, const char *text, size_t size) {
  enum mr_kind kind = mr_json_write_string(out, text, size);
  if (kind) return kind;
  out->size -= 2;
  memmove(out->data, out->data + 1, out->size);
  return MR_NONE;
}

static enum mr_kind escape(struct mr_buffer *out, const char *json, size_t size,
                           const char *letters) {
  enum mr_kind kind = MR_NONE;
  for (size_t i = 0; i < size && !kind; i++) {
    char escaped[8] = {'\\', json[i]};
    if (json[i] != '/') snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)json[i]);
    bool stays = !strchr(letters, json[i]); /* JSON has no zero bytes */
    kind = stays ? mr_buffer_byte(out, json[i]) : mr_buffer_text(out, escaped);
  }
  return kind;
}

/* PHP escapes slashes in JSON, Go what means something in HTML. */
static enum mr_kind escape_slashes(struct mr_buffer *out, const char *json, size_t size) {
  return escape(out, json, size, "/");
}
static enum mr_kind escape_html(struct mr_buffer *out, const char *json, size_t size) {
  return escape(out, json, size, "<>&");
}

/* Masks the value in another form, which is left on the stack. What a form cannot say is in no text of that form. */
static struct mr_slice mask_form(lua_State *L, struct mr_slice value, writer write) {
  struct mr_buffer *form = push_buffer(L, 6 * value.size + 2);
  enum mr_kind kind = write(form, value.data, value.size);
  if (kind == MR_LIMIT) luaL_error(L, "not enough memory");
  if (kind) mr_buffer_clear(form);
  mask_value(L, (struct mr_slice){form->data, form->size});
  return (struct mr_slice){form->data, form->size};
}

/* Letters, digits and the like, which all forms leave as they are. */
static bool is_same_everywhere(struct mr_slice value) {
  static const char same[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
  for (size_t i = 0; i < value.size; i++)
    if (!memchr(same, value.data[i], sizeof same - 1)) return false;
  return true;
}

/* As it stands in a URL, in JSON, and in JSON that is a string of JSON, which may be told in JSON again. */
static void mask_forms(lua_State *L, struct mr_slice value) {
  mask_form(L, value, mr_url_query);
  mask_form(L, value, mr_url_segment);
  struct mr_slice json = mask_form(L, value, write_json);
  mask_form(L, json, escape_slashes);
  mask_form(L, json, escape_html);
  mask_form(L, mask_form(L, json, write_json), write_json);
}

/* The text at index 2, or the value of the secret there, of which a copy is pushed. */
static struct mr_slice read_value(lua_State *L) {
  struct mr_slice text;
  if (lua_type(L, 2) == LUA_TSTRING) {
    text.data = lua_tolstring(L, 2, &text.size);
    return text;
  }
  struct mr_buffer *copy = push_buffer(L, MR_SECRET_MAX);
  if (mr_secret_append(mr_lua_check_secret(L, 2), "", copy)) luaL_error(L, "not enough memory");
  return (struct mr_slice){copy->data, copy->size};
}

/* mask(text, secret): the text with *** where it repeats a secret, or a text that is one: whole, as it stands in a URL
** or in JSON, or without the prefix that it was given with. */
static int mask(lua_State *L) {
  luaL_checktype(L, 1, LUA_TSTRING);
  lua_settop(L, 2);
  struct mr_slice value = read_value(L);
  mask_value(L, value);
  if (value.size >= SHORTEST_MASKED && !is_same_everywhere(value)) mask_forms(L, value);
  if (value.size > 0) mask_value(L, behind_prefix(value));
  for (int index = 3; index <= lua_gettop(L); index++)
    mr_buffer_free(lua_touserdata(L, index));
  lua_settop(L, 1);
  return 1;
}

/* fingerprint(secret, salt, prefix): tells credentials apart without telling what they are. It is made by libcrypto, which is
** loaded for it: programs do that before their first request and not before. */
static int fingerprint(lua_State *L) {
  mr_lua_check_secret(L, 1);
  luaL_checkstring(L, 2);
  lua_settop(L, 3);
  mr_lua_require(L, "moonrest.digest");
  lua_getfield(L, 4, "fingerprint");
  lua_replace(L, 4);
  lua_rotate(L, 1, 1);
  lua_call(L, 3, 1);
  return 1;
}

static const luaL_Reg metamethods[] = {
    {"__close", secret_close},
    {"__gc", secret_close},
    {"__tostring", secret_tostring},
    {NULL, NULL},
};

static const luaL_Reg functions[] = {
    {"secret", from_text}, {"env", from_env},
    {"file", from_file},   {"command", from_command},
    {"mask", mask},        {"fingerprint", fingerprint},
    {NULL, NULL},
};

int mr_lua_open_secret(lua_State *L) {
  luaL_newmetatable(L, MR_LUA_SECRET);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
