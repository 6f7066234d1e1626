/*
** The canvas for Lua, a table of functions. Colours are integers 0xRRGGBBAA; a face is "small", "normal" (the default),
** "strong" or "title".
**   rectangle(x, y, width, height, color)      disc(x, y, radius, color)
**   text(x, y, text, color, face)              width(text, face) -> pixels
**   curve(x, y, width, height, values, most, color)
**   globe(x, y, radius, turn, places)          places: { { latitude =, longitude =, color =, pulse = }, ... }
*/
#ifndef GAME_CANVAS_LUA_H
#define GAME_CANVAS_LUA_H

#include "canvas.h"

struct lua_State;

/* Pushes the table. The canvas must live as long as the state. */
void canvas_push(struct lua_State *L, struct canvas *canvas);

#endif
