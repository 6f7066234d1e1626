/*
** How the library's own parts are loaded, so that a program's first request does not wait for them.
**
** The Lua half was compiled when the library was built. The source files stay what counts: each is read, and its
** compiled form is taken only when it was made from that very text, by the very release of Lua that runs. Else the text
** is compiled, as ever.
*/
#ifndef MR_LOADING_H
#define MR_LOADING_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* For constants that most programs never look at. Where constants are read, the system brings 64 KiB around them into
** memory, and more of a file that lies in larger pieces: these are kept out from between the others. */
#ifdef __ELF__
#define MR_APART __attribute__((section(".moonrest.apart")))
#else
#define MR_APART
#endif

struct mr_compiled {
  const char *name;           /* as given to require; NULL ends a list */
  uint64_t hash;              /* of the source: see compile.lua */
  const unsigned char *chunk; /* of string.dump, without the names of source and variables */
  size_t size;
};

struct mr_compiled_set {
  const char *compiler; /* a part of the lua_ident of the Lua that compiled them */
  const struct mr_compiled *modules;
};

extern const struct mr_compiled_set mr_compiled_set; /* made by the build: compile.lua */

/* Puts a searcher of these modules in front of Lua's own one for files, the first time in a state. Does nothing when
** another Lua runs, or one without a package library. 'set' is used for as long as the state lives. */
void mr_lua_install_compiled(lua_State *L, const struct mr_compiled_set *set);

/* Pushes what require has for a C module of ours, whose libraries are bound as they are called. */
void mr_lua_require(lua_State *L, const char *name);

#endif
