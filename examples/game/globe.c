#include "globe.h"

#include <math.h>

#define TILT         0.42F /* radians: the northern hemisphere leans towards the player */
#define DEGREE       ((float)M_PI / 180)
#define MESH_DEGREES 20
#define STEP_DEGREES 5

#define SEA       0x10233CFFU
#define NEAR_LINE 0x4F86C666U
#define RIM       0x4F86C6C0U

struct spot {
  struct canvas_point at;
  float depth; /* above 0: on the near side */
};

static struct spot project(const struct globe *globe, float latitude, float longitude) {
  float around = longitude * DEGREE + globe->turn, up = latitude * DEGREE;
  float x = cosf(up) * sinf(around), y = sinf(up), z = cosf(up) * cosf(around);
  float tilted_y = y * cosf(TILT) - z * sinf(TILT), tilted_z = y * sinf(TILT) + z * cosf(TILT);
  struct spot spot = {
      {globe->center.x + globe->radius * x, globe->center.y - globe->radius * tilted_y}, tilted_z};
  return spot;
}

static void draw_piece(struct canvas *canvas, struct spot from, struct spot to) {
  if (from.depth > 0 && to.depth > 0) canvas_line(canvas, from.at, to.at, NEAR_LINE);
}

static void draw_meridian(struct canvas *canvas, const struct globe *globe, int longitude) {
  struct spot before = project(globe, -90, (float)longitude);
  for (int latitude = -90 + STEP_DEGREES; latitude <= 90; latitude += STEP_DEGREES) {
    struct spot spot = project(globe, (float)latitude, (float)longitude);
    draw_piece(canvas, before, spot);
    before = spot;
  }
}

static void draw_parallel(struct canvas *canvas, const struct globe *globe, int latitude) {
  struct spot before = project(globe, (float)latitude, 0);
  for (int longitude = STEP_DEGREES; longitude <= 360; longitude += STEP_DEGREES) {
    struct spot spot = project(globe, (float)latitude, (float)longitude);
    draw_piece(canvas, before, spot);
    before = spot;
  }
}

static void draw_ring(struct canvas *canvas, struct canvas_point center, float radius,
                      uint32_t color) {
  struct canvas_point before = {center.x + radius, center.y};
  int pieces = 12 + (int)radius;
  for (int piece = 1; piece <= pieces; piece++) {
    float angle = 2 * (float)M_PI * (float)piece / (float)pieces;
    struct canvas_point point = {center.x + radius * cosf(angle), center.y + radius * sinf(angle)};
    canvas_line(canvas, before, point, color);
    before = point;
  }
}

void globe_draw(struct canvas *canvas, const struct globe *globe) {
  canvas_disc(canvas, globe->center, globe->radius, SEA);
  for (int longitude = 0; longitude < 360; longitude += MESH_DEGREES)
    draw_meridian(canvas, globe, longitude);
  for (int latitude = -80; latitude <= 80; latitude += MESH_DEGREES)
    draw_parallel(canvas, globe, latitude);
  draw_ring(canvas, globe->center, globe->radius, RIM);
}

void globe_draw_place(struct canvas *canvas, const struct globe *globe,
                      const struct globe_place *place) {
  struct spot spot = project(globe, place->latitude, place->longitude);
  if (spot.depth <= 0) return;
  canvas_disc(canvas, spot.at, 3.5F, place->color);
  if (place->pulse > 0) draw_ring(canvas, spot.at, place->pulse, place->color);
}
