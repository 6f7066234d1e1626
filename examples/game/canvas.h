/*
** What the game draws with: filled rectangles, lines, text in four faces, areas under a curve. Units are pixels from
** the window's upper left corner; colours are 0xRRGGBBAA.
*/
#ifndef GAME_CANVAS_H
#define GAME_CANVAS_H

#include <SDL2/SDL.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum canvas_face { CANVAS_SMALL, CANVAS_NORMAL, CANVAS_STRONG, CANVAS_TITLE, CANVAS_FACES };

/* Printable ASCII and Latin-1; everything else is drawn as a question mark. */
#define CANVAS_FIRST_GLYPH 32
#define CANVAS_GLYPHS      224

/* The glyphs of one face in one texture, white, in cells of the same size. */
struct canvas_atlas {
  SDL_Texture *texture;
  int cell_width, cell_height;
  uint8_t widths[CANVAS_GLYPHS];
  uint8_t advances[CANVAS_GLYPHS];
};

struct canvas {
  SDL_Renderer *renderer; /* borrowed */
  struct canvas_atlas faces[CANVAS_FACES];
};

struct canvas_point {
  float x, y;
};

/* 'fonts' is the folder of the DejaVu fonts. False: SDL_GetError tells why; close it all the same. */
bool canvas_open(struct canvas *canvas, SDL_Renderer *renderer, const char *fonts);
void canvas_close(struct canvas *canvas);

void canvas_rectangle(struct canvas *canvas, SDL_FRect area, uint32_t color);
void canvas_line(struct canvas *canvas, struct canvas_point from, struct canvas_point to,
                 uint32_t color);
void canvas_disc(struct canvas *canvas, struct canvas_point center, float radius, uint32_t color);

/* The area under a curve through 'values', which are scaled so that 'most' reaches the top. */
void canvas_curve(struct canvas *canvas, SDL_FRect area, const float *values, size_t count,
                  float most, uint32_t color);

/* UTF-8; 'at' is the upper left corner of the line. */
void canvas_text(struct canvas *canvas, enum canvas_face face, struct canvas_point at,
                 const char *text, uint32_t color);
float canvas_text_width(const struct canvas *canvas, enum canvas_face face, const char *text);

#endif
