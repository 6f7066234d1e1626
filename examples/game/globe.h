/* A turning globe of lines, with places on it. */
#ifndef GAME_GLOBE_H
#define GAME_GLOBE_H

#include "canvas.h"

struct globe {
  struct canvas_point center;
  float radius;
  float turn; /* radians: which meridian faces the player */
};

struct globe_place {
  float latitude, longitude; /* degrees */
  float pulse;               /* radius of its ring in pixels; 0: none */
  uint32_t color;
};

void globe_draw(struct canvas *canvas, const struct globe *globe);

/* Draws nothing for a place on the far side. */
void globe_draw_place(struct canvas *canvas, const struct globe *globe,
                      const struct globe_place *place);

#endif
