/*
** The userdata "moonrest.secret": one pointer, a holder of a struct mr_secret.
** Modules that cannot link with this file find it by that name in the registry.
*/
#ifndef MR_LUA_SECRET_H
#define MR_LUA_SECRET_H

#include <lauxlib.h>
#include <lua.h>

#include "core/secret.h"

#define MR_LUA_SECRET "moonrest.secret"

struct mr_lua_secret {
  struct mr_secret *secret; /* NULL: closed */
};

/* Registers the metatable, and pushes a table with the functions secret, env, file and command. */
int mr_lua_open_secret(lua_State *L);

/* The secret is the userdata's: hold it to keep it. Raises for other values and closed secrets. */
struct mr_secret *mr_lua_check_secret(lua_State *L, int index);
struct mr_secret *mr_lua_test_secret(lua_State *L, int index); /* NULL instead */

#endif
