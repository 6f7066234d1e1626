/*
** The Lua half as bytes of the static library. The build makes the table; see embed.cmake.
*/
#ifndef MR_EMBEDDED_H
#define MR_EMBEDDED_H

#include <lua.h>
#include <stddef.h>

struct mr_embedded {
  const char *name;  /* as given to require */
  const char *chunk; /* its name in messages */
  const unsigned char *text;
  size_t size;
};

extern const struct mr_embedded mr_embedded[]; /* sorted by name */
extern const size_t mr_embedded_count;

/* Makes every module of the library, Lua's and C's, known to require through package.preload; entries
** of the host's own stay. Raises without a package library. */
void mr_embedded_install(lua_State *L);

/* Loads the module 'name' and pushes its value, without the help of require. */
void mr_embedded_load(lua_State *L, const char *name);

#endif
