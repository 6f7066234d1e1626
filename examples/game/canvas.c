#include "canvas.h"

#include <SDL2/SDL_ttf.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ATLAS_COLUMNS 16
#define FILL_ALPHA    60 /* of 255: what is under a curve, beside its line */

/* {====== Faces ====== */

static const struct {
  const char *file;
  int size;
} face_sources[CANVAS_FACES] = {
    [CANVAS_SMALL] = {"DejaVuSans.ttf", 12},
    [CANVAS_NORMAL] = {"DejaVuSans.ttf", 14},
    [CANVAS_STRONG] = {"DejaVuSans-Bold.ttf", 14},
    [CANVAS_TITLE] = {"DejaVuSans-Bold.ttf", 22},
};

static uint8_t to_byte(int value) {
  return (uint8_t)SDL_clamp(value, 0, UINT8_MAX);
}

static void measure(struct canvas_atlas *atlas, TTF_Font *font) {
  atlas->cell_height = TTF_FontHeight(font) + 2; /* some descenders reach under the line */
  for (int place = 0; place < CANVAS_GLYPHS; place++) {
    int advance = 0;
    TTF_GlyphMetrics32(font, CANVAS_FIRST_GLYPH + (uint32_t)place, NULL, NULL, NULL, NULL,
                       &advance);
    atlas->advances[place] = to_byte(advance);
    /* Slanted strokes may reach over the advance. */
    atlas->cell_width = SDL_max(atlas->cell_width, advance + 2);
  }
}

static SDL_Rect cell_of(const struct canvas_atlas *atlas, int place) {
  SDL_Rect cell = {place % ATLAS_COLUMNS * atlas->cell_width,
                   place / ATLAS_COLUMNS * atlas->cell_height, atlas->cell_width,
                   atlas->cell_height};
  return cell;
}

static void copy_glyph(struct canvas_atlas *atlas, SDL_Surface *sheet, TTF_Font *font, int place) {
  const SDL_Color white = {255, 255, 255, 255};
  SDL_Surface *glyph = TTF_RenderGlyph32_Blended(font, CANVAS_FIRST_GLYPH + (uint32_t)place, white);
  if (!glyph) return; /* the font has no such glyph */
  SDL_Rect from = {0, 0, SDL_min(glyph->w, atlas->cell_width),
                   SDL_min(glyph->h, atlas->cell_height)};
  SDL_Rect cell = cell_of(atlas, place);
  SDL_SetSurfaceBlendMode(glyph, SDL_BLENDMODE_NONE);
  SDL_BlitSurface(glyph, &from, sheet, &cell);
  atlas->widths[place] = to_byte(from.w);
  SDL_FreeSurface(glyph);
}

static bool make_atlas(struct canvas_atlas *atlas, SDL_Renderer *renderer, TTF_Font *font) {
  measure(atlas, font);
  int rows = (CANVAS_GLYPHS + ATLAS_COLUMNS - 1) / ATLAS_COLUMNS;
  SDL_Surface *sheet =
      SDL_CreateRGBSurfaceWithFormat(0, ATLAS_COLUMNS * atlas->cell_width,
                                     rows * atlas->cell_height, 32, SDL_PIXELFORMAT_ARGB8888);
  if (!sheet) return false;
  for (int place = 0; place < CANVAS_GLYPHS; place++)
    copy_glyph(atlas, sheet, font, place);
  atlas->texture = SDL_CreateTextureFromSurface(renderer, sheet);
  SDL_FreeSurface(sheet);
  return atlas->texture && SDL_SetTextureBlendMode(atlas->texture, SDL_BLENDMODE_BLEND) == 0;
}

static bool open_face(struct canvas *canvas, enum canvas_face face, const char *fonts) {
  char path[1024];
  int length = snprintf(path, sizeof path, "%s/%s", fonts, face_sources[face].file);
  if (length < 0 || (size_t)length >= sizeof path) {
    SDL_SetError("the path of the fonts is too long");
    return false;
  }
  TTF_Font *font = TTF_OpenFont(path, face_sources[face].size);
  if (!font) return false;
  bool good = make_atlas(&canvas->faces[face], canvas->renderer, font);
  TTF_CloseFont(font);
  return good;
}

bool canvas_open(struct canvas *canvas, SDL_Renderer *renderer, const char *fonts) {
  memset(canvas, 0, sizeof *canvas);
  canvas->renderer = renderer;
  if (TTF_Init() != 0) return false;
  bool good = true;
  for (int face = 0; good && face < CANVAS_FACES; face++)
    good = open_face(canvas, (enum canvas_face)face, fonts);
  TTF_Quit(); /* the textures have all that is needed */
  return good && SDL_SetRenderDrawBlendMode(renderer, SDL_BLENDMODE_BLEND) == 0;
}

void canvas_close(struct canvas *canvas) {
  for (int face = 0; face < CANVAS_FACES; face++) {
    if (canvas->faces[face].texture) SDL_DestroyTexture(canvas->faces[face].texture);
  }
  memset(canvas, 0, sizeof *canvas);
}

/* }====== */

/* {====== Shapes ====== */

static void use(struct canvas *canvas, uint32_t color) {
  SDL_SetRenderDrawColor(canvas->renderer, (uint8_t)(color >> 24), (uint8_t)(color >> 16),
                         (uint8_t)(color >> 8), (uint8_t)color);
}

void canvas_rectangle(struct canvas *canvas, SDL_FRect area, uint32_t color) {
  use(canvas, color);
  SDL_RenderFillRectF(canvas->renderer, &area);
}

void canvas_line(struct canvas *canvas, struct canvas_point from, struct canvas_point to,
                 uint32_t color) {
  use(canvas, color);
  SDL_RenderDrawLineF(canvas->renderer, from.x, from.y, to.x, to.y);
}

void canvas_disc(struct canvas *canvas, struct canvas_point center, float radius, uint32_t color) {
  use(canvas, color);
  int rows = (int)ceilf(2 * radius);
  for (int place = 0; place < rows; place++) {
    float y = (float)place + 0.5F - radius;
    float half = sqrtf(SDL_max(radius * radius - y * y, 0));
    SDL_FRect row = {center.x - half, center.y + y, 2 * half, 1};
    SDL_RenderFillRectF(canvas->renderer, &row);
  }
}

/* The curve's height at a place between its first (0) and last (1) value. */
static float height_at(const float *values, size_t count, float place) {
  float exact = place * (float)(count - 1);
  size_t left = (size_t)exact;
  size_t right = left + 1 < count ? left + 1 : left;
  float share = exact - (float)left;
  return values[left] * (1 - share) + values[right] * share;
}

void canvas_curve(struct canvas *canvas, SDL_FRect area, const float *values, size_t count,
                  float most, uint32_t color) {
  if (count == 0 || most <= 0) return;
  uint32_t faint = (color & 0xFFFFFF00U) | FILL_ALPHA;
  float before = area.h * (1 - SDL_clamp(values[0] / most, 0, 1));
  for (int column = 0; (float)column < area.w; column++) {
    float x = (float)column;
    float share = height_at(values, count, x / area.w) / most;
    float top = (area.h - 2) * (1 - SDL_clamp(share, 0, 1));
    float upper = x > 0 ? SDL_min(top, before) : top;
    float lower = x > 0 ? SDL_max(top, before) : top;
    canvas_rectangle(canvas, (SDL_FRect){area.x + x, area.y + top, 1, area.h - top}, faint);
    canvas_rectangle(canvas, (SDL_FRect){area.x + x, area.y + upper, 1, lower - upper + 2}, color);
    before = top;
  }
}

/* }====== */

/* {====== Text ====== */

/* The place in the atlas of the next character; the text moves on. Only one and two bytes of UTF-8 are told apart. */
static int next_glyph(const char **text) {
  const uint8_t *bytes = (const uint8_t *)*text;
  uint32_t code = bytes[0];
  *text += 1;
  if (code >= 0xC0 && (bytes[1] & 0xC0) == 0x80) {
    code = code < 0xE0 ? (code & 0x1FU) << 6 | (bytes[1] & 0x3FU) : '?';
    while (((uint8_t) * *text & 0xC0) == 0x80)
      *text += 1;
  }
  bool known = code >= CANVAS_FIRST_GLYPH && code < CANVAS_FIRST_GLYPH + CANVAS_GLYPHS;
  return (int)(known ? code : '?') - CANVAS_FIRST_GLYPH;
}

void canvas_text(struct canvas *canvas, enum canvas_face face, struct canvas_point at,
                 const char *text, uint32_t color) {
  const struct canvas_atlas *atlas = &canvas->faces[face];
  SDL_SetTextureColorMod(atlas->texture, (uint8_t)(color >> 24), (uint8_t)(color >> 16),
                         (uint8_t)(color >> 8));
  SDL_SetTextureAlphaMod(atlas->texture, (uint8_t)color);
  while (*text != '\0') {
    int glyph = next_glyph(&text);
    SDL_Rect from = cell_of(atlas, glyph);
    from.w = atlas->widths[glyph];
    SDL_FRect to = {at.x, at.y, (float)from.w, (float)from.h};
    SDL_RenderCopyF(canvas->renderer, atlas->texture, &from, &to);
    at.x += (float)atlas->advances[glyph];
  }
}

float canvas_text_width(const struct canvas *canvas, enum canvas_face face, const char *text) {
  float width = 0;
  while (*text != '\0')
    width += (float)canvas->faces[face].advances[next_glyph(&text)];
  return width;
}

/* }====== */
