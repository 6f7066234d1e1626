/*
** moonrest.digest: hashes, signatures and their spellings. A module of its
** own, because it loads libcrypto. What is allocated lives in a box, a
** userdata that the collector empties when an error jumps over the code that
** would have.
*/
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "core/ascii.h"
#include "core/digest.h"
#include "core/secret.h"
#include "lua/secret.h"

#define BOX              "moonrest.digest.box"
#define FINGERPRINT_SIZE (MR_SHA256_SIZE / 2) /* bytes */

static int box_free(lua_State *L) {
  mr_buffer_free(luaL_checkudata(L, 1, BOX));
  return 0;
}

static struct mr_buffer *push_box(lua_State *L, size_t limit) {
  struct mr_buffer *box = lua_newuserdatauv(L, sizeof(*box), 0);
  mr_buffer_init(box, limit);
  luaL_setmetatable(L, BOX);
  return box;
}

static int fail_memory(lua_State *L) {
  return luaL_error(L, "not enough memory");
}

/* Pushes what the box on top holds. */
static int finish_box(lua_State *L, struct mr_buffer *box, enum mr_kind kind) {
  if (kind != MR_NONE) return fail_memory(L);
  lua_pushlstring(L, mr_buffer_string(box), box->size);
  mr_buffer_free(box);
  return 1;
}

static int fail_text(lua_State *L, const char *message) {
  luaL_pushfail(L);
  lua_pushstring(L, message);
  return 2;
}

/* {====== Hashes ====== */

static int digest_sha256(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  uint8_t digest[MR_SHA256_SIZE];
  if (!mr_sha256(text, size, digest)) return luaL_error(L, "libcrypto refuses SHA-256");
  lua_pushlstring(L, (const char *)digest, sizeof(digest));
  return 1;
}

/* The secret at 'index', or NULL for a string; raises for all else. The module that makes
** secrets is another one: its metatable is found by name. */
static struct mr_secret *check_key(lua_State *L, int index) {
  if (lua_type(L, index) == LUA_TSTRING) return NULL;
  struct mr_lua_secret *box = luaL_testudata(L, index, MR_LUA_SECRET);
  if (box && box->secret) return box->secret;
  if (box)
    luaL_argerror(L, index, "attempt to use a closed secret");
  else
    luaL_typeerror(L, index, "string or " MR_LUA_SECRET);
  return NULL;
}

/* The key without the prefix, if it begins with it: ASCII case counts as little as where it is sent. */
static bool hmac_behind(const char *prefix, const char *key, size_t key_size, const char *text,
                        size_t size, uint8_t digest[MR_SHA256_SIZE]) {
  size_t skipped = strlen(prefix);
  if (key_size < skipped || !mr_ascii_same(key, skipped, prefix, skipped)) skipped = 0;
  return mr_hmac_sha256(key + skipped, key_size - skipped, text, size, digest);
}

/* HMAC of the string at 2 under the key at 1, which is taken without that prefix. Between reading a secret and wiping it nothing
** is called that can raise. */
static void compute_hmac(lua_State *L, const char *prefix, uint8_t digest[MR_SHA256_SIZE]) {
  struct mr_secret *secret = check_key(L, 1);
  size_t size, key_size = 0;
  const char *text = luaL_checklstring(L, 2, &size);
  const char *key = secret ? NULL : lua_tolstring(L, 1, &key_size);
  bool ok;
  if (secret) {
    struct mr_buffer *box = push_box(L, MR_SECRET_MAX);
    if (mr_secret_append(secret, "", box) != MR_NONE) fail_memory(L);
    ok = hmac_behind(prefix, mr_buffer_string(box), box->size, text, size, digest);
    mr_buffer_free(box);
  } else {
    ok = hmac_behind(prefix, key, key_size, text, size, digest);
  }
  if (!ok) luaL_error(L, "libcrypto refuses HMAC-SHA-256");
}

static int digest_hmac_sha256(lua_State *L) {
  uint8_t digest[MR_SHA256_SIZE];
  compute_hmac(L, "", digest);
  lua_pushlstring(L, (const char *)digest, sizeof(digest));
  return 1;
}

/* fingerprint(key, salt, prefix): a name for a credential, the same one wherever the salt is the same, from which nobody
** gets to the credential. 'prefix' (may be nil) is what stands before it where it is sent: given with or without it, it
** is the same credential. */
static int digest_fingerprint(lua_State *L) {
  uint8_t digest[MR_SHA256_SIZE];
  compute_hmac(L, luaL_optstring(L, 3, ""), digest);
  struct mr_buffer *box = push_box(L, SIZE_MAX);
  return finish_box(L, box, mr_hex(box, digest, FINGERPRINT_SIZE));
}

static int digest_equal(lua_State *L) {
  size_t a_size, b_size;
  const char *a = luaL_checklstring(L, 1, &a_size);
  const char *b = luaL_checklstring(L, 2, &b_size);
  lua_pushboolean(L, mr_equal(a, a_size, b, b_size));
  return 1;
}

/* }====== */

/* {====== Spellings ====== */

static int digest_hex(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  struct mr_buffer *box = push_box(L, SIZE_MAX);
  return finish_box(L, box, mr_hex(box, (const uint8_t *)bytes, size));
}

static int digest_base64(lua_State *L) {
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  struct mr_buffer *box = push_box(L, SIZE_MAX);
  return finish_box(L, box, mr_base64(box, (const uint8_t *)bytes, size));
}

static int digest_unbase64(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  struct mr_buffer *box = push_box(L, SIZE_MAX);
  if (mr_buffer_reserve(box, size / 4 * 3) != MR_NONE) return fail_memory(L);
  if (!mr_unbase64(text, size, box)) {
    mr_buffer_free(box);
    return fail_text(L, "the text is not base64 with padding (RFC 4648 section 4)");
  }
  return finish_box(L, box, MR_NONE);
}

/* }====== */

static const luaL_Reg functions[] = {
    {"base64", digest_base64},           {"equal", digest_equal},
    {"fingerprint", digest_fingerprint}, {"hex", digest_hex},
    {"hmac_sha256", digest_hmac_sha256}, {"sha256", digest_sha256},
    {"unbase64", digest_unbase64},       {NULL, NULL},
};

__attribute__((visibility("default"))) int luaopen_moonrest_digest(lua_State *L) {
  luaL_newmetatable(L, BOX);
  lua_pushcfunction(L, box_free);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  luaL_newlib(L, functions);
  return 1;
}
