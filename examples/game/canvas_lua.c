#include "canvas_lua.h"

#include <lauxlib.h>
#include <lua.h>

#include "globe.h"

#define CURVE_VALUES 512 /* of a curve; later ones are left out */

static struct canvas *to_canvas(lua_State *L) {
  return lua_touserdata(L, lua_upvalueindex(1));
}

static float check_float(lua_State *L, int index) {
  return (float)luaL_checknumber(L, index);
}

static uint32_t check_color(lua_State *L, int index) {
  return (uint32_t)luaL_checkinteger(L, index);
}

static struct canvas_point check_point(lua_State *L, int index) {
  struct canvas_point point = {check_float(L, index), check_float(L, index + 1)};
  return point;
}

static SDL_FRect check_area(lua_State *L, int index) {
  SDL_FRect area = {check_float(L, index), check_float(L, index + 1), check_float(L, index + 2),
                    check_float(L, index + 3)};
  return area;
}

static enum canvas_face check_face(lua_State *L, int index) {
  static const char *const names[] = {"small", "normal", "strong", "title", NULL};
  return (enum canvas_face)luaL_checkoption(L, index, "normal", names);
}

static int draw_rectangle(lua_State *L) {
  canvas_rectangle(to_canvas(L), check_area(L, 1), check_color(L, 5));
  return 0;
}

static int draw_disc(lua_State *L) {
  canvas_disc(to_canvas(L), check_point(L, 1), check_float(L, 3), check_color(L, 4));
  return 0;
}

static int draw_text(lua_State *L) {
  enum canvas_face face = check_face(L, 5);
  canvas_text(to_canvas(L), face, check_point(L, 1), luaL_checkstring(L, 3), check_color(L, 4));
  return 0;
}

static int text_width(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  lua_pushnumber(L, canvas_text_width(to_canvas(L), check_face(L, 2), text));
  return 1;
}

static int draw_curve(lua_State *L) {
  float values[CURVE_VALUES];
  size_t count = 0;
  luaL_checktype(L, 5, LUA_TTABLE);
  for (; count < CURVE_VALUES; count++) {
    lua_Integer place = (lua_Integer)count + 1;
    if (lua_rawgeti(L, 5, place) == LUA_TNIL) break;
    values[count] = check_float(L, -1);
    lua_pop(L, 1);
  }
  canvas_curve(to_canvas(L), check_area(L, 1), values, count, check_float(L, 6), check_color(L, 7));
  return 0;
}

static float float_field(lua_State *L, const char *name) {
  lua_getfield(L, -1, name);
  float value = (float)luaL_optnumber(L, -1, 0);
  lua_pop(L, 1);
  return value;
}

static void draw_place(lua_State *L, const struct globe *globe) {
  luaL_checktype(L, -1, LUA_TTABLE);
  struct globe_place place = {.latitude = float_field(L, "latitude"),
                              .longitude = float_field(L, "longitude"),
                              .pulse = float_field(L, "pulse")};
  lua_getfield(L, -1, "color");
  place.color = check_color(L, -1);
  lua_pop(L, 1);
  globe_draw_place(to_canvas(L), globe, &place);
}

static int draw_globe(lua_State *L) {
  struct globe globe = {check_point(L, 1), check_float(L, 3), check_float(L, 4)};
  luaL_checktype(L, 5, LUA_TTABLE);
  globe_draw(to_canvas(L), &globe);
  for (lua_Integer place = 1; lua_rawgeti(L, 5, place) != LUA_TNIL; place++) {
    draw_place(L, &globe);
    lua_pop(L, 1);
  }
  return 0;
}

static const luaL_Reg functions[] = {
    {"rectangle", draw_rectangle},
    {"disc", draw_disc},
    {"text", draw_text},
    {"width", text_width},
    {"curve", draw_curve},
    {"globe", draw_globe},
    {NULL, NULL},
};

void canvas_push(lua_State *L, struct canvas *canvas) {
  luaL_newlibtable(L, functions);
  lua_pushlightuserdata(L, canvas);
  luaL_setfuncs(L, functions, 1);
}
