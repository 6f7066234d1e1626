/* The Lua side of the game: one lua_State with moonrest inside, and the functions that browser.lua has for its host. */
#ifndef GAME_SCRIPT_H
#define GAME_SCRIPT_H

#include <stdbool.h>

#include "canvas.h"

struct lua_State;

struct script_options {
  const char *relay; /* the URL of a relay, or NULL */
  bool
      use_account; /* the account of EDGEGAP_API_TOKEN; otherwise, and without a relay, the sandbox */
  bool is_scripted; /* somebody plays: session.lua */
};

/* NULL when it failed, which stderr has been told. The canvas must outlive the script. */
struct lua_State *script_open(struct canvas *canvas, const struct script_options *options);
void script_close(struct lua_State *L);

/* These are false when Lua raised an error, which stderr has been told. */
bool script_key(struct lua_State *L, const char *name);
bool script_draw(struct lua_State *L, double now);

/* True when the scripted session has come to its end. */
bool script_is_over(struct lua_State *L);

#endif
