#include "frames.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define TOP_MS    33.3F
#define WANTED_MS (1000.0F / 60)
#define RECENT    ((size_t)240) /* frames: four seconds */

#define PANEL 0x0F1B2ED8U
#define GOOD  0x3D6A99FFU
#define SLOW  0xE0A040FFU
#define STEP  0x5CE0A0FFU
#define MARK  0xFFFFFF38U
#define WORDS 0xA9BDD6FFU

void frames_add(struct frames *frames, struct frame frame) {
  frames->kept[frames->count % FRAMES_KEPT] = frame;
  frames->count++;
}

static size_t available(const struct frames *frames, size_t wanted) {
  return SDL_min(SDL_min(frames->count, (size_t)FRAMES_KEPT), wanted);
}

/* 0: the last. */
static const struct frame *back(const struct frames *frames, size_t age) {
  return &frames->kept[(frames->count - 1 - age) % FRAMES_KEPT];
}

static int compare(const void *left, const void *right) {
  float a = *(const float *)left, b = *(const float *)right;
  return (a > b) - (a < b);
}

float frames_step(const struct frames *frames, size_t last, double share, bool is_cpu) {
  float values[FRAMES_KEPT];
  size_t count = available(frames, last);
  if (count == 0) return 0;
  for (size_t age = 0; age < count; age++)
    values[age] = is_cpu ? back(frames, age)->step_cpu_ms : back(frames, age)->step_ms;
  qsort(values, count, sizeof *values, compare);
  return values[(size_t)ceil(share * (double)count) - 1];
}

static void draw_bar(struct canvas *canvas, SDL_FRect area, float x, float milliseconds,
                     uint32_t color) {
  float height = SDL_min(milliseconds / TOP_MS, 1) * area.h;
  SDL_FRect bar = {area.x + x, area.y + area.h - height, 2, height};
  canvas_rectangle(canvas, bar, color);
}

static void draw_words(const struct frames *frames, struct canvas *canvas, SDL_FRect area) {
  char line[100];
  const struct frame *last = back(frames, 0);
  snprintf(line, sizeof line, "frame %.1f ms", last->interval_ms);
  canvas_text(canvas, CANVAS_SMALL, (struct canvas_point){area.x, area.y}, line, WORDS);
  snprintf(line, sizeof line, "step %.2f ms", last->step_ms);
  canvas_text(canvas, CANVAS_SMALL, (struct canvas_point){area.x, area.y + 20}, line, STEP);
  snprintf(line, sizeof line, "p99 %.2f ms", frames_step(frames, RECENT, 0.99, false));
  canvas_text(canvas, CANVAS_SMALL, (struct canvas_point){area.x, area.y + 40}, line, STEP);
}

void frames_draw(const struct frames *frames, struct canvas *canvas, SDL_FRect area) {
  canvas_rectangle(canvas, area, PANEL);
  if (frames->count == 0) return;
  SDL_FRect graph = {area.x + 12, area.y + 8, (float)RECENT * 2, area.h - 16};
  for (size_t age = 0; age < available(frames, RECENT); age++) {
    const struct frame *frame = back(frames, age);
    float x = graph.w - 2 - 2 * (float)age;
    draw_bar(canvas, graph, x, frame->interval_ms,
             frame->interval_ms > 1.5F * WANTED_MS ? SLOW : GOOD);
    draw_bar(canvas, graph, x, SDL_max(frame->step_ms, TOP_MS / graph.h), STEP);
  }
  float wanted_y = graph.y + graph.h * (1 - WANTED_MS / TOP_MS);
  canvas_rectangle(canvas, (SDL_FRect){graph.x, wanted_y, graph.w, 1}, MARK);
  SDL_FRect words = {graph.x + graph.w + 12, graph.y, 0, 0};
  draw_words(frames, canvas, words);
}
