/* How long frames and steps took: the last few thousand of them, and a graph of the last few hundred. */
#ifndef GAME_FRAMES_H
#define GAME_FRAMES_H

#include "canvas.h"

#define FRAMES_KEPT 4096

struct frame {
  float interval_ms; /* from the frame before to this one */
  float step_ms;     /* that the step took of it */
  float
      step_cpu_ms; /* processor time of this thread: what the step cost, whoever else wanted the processor */
};

struct frames {
  size_t count; /* of all, also of those that were overwritten */
  struct frame kept[FRAMES_KEPT];
};

void frames_add(struct frames *frames, struct frame frame);

/* The step time that a share (above 0; 1: the worst counts) of the last so many frames does not exceed. */
float frames_step(const struct frames *frames, size_t last, double share, bool is_cpu);

/* Bars for the frames, and what the steps took of them in another colour. */
void frames_draw(const struct frames *frames, struct canvas *canvas, SDL_FRect area);

#endif
