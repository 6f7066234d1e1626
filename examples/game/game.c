/*
** A server browser as a game would have it: SDL2 draws sixty frames a second, Lua talks to the API in tasks, and the
** only thing that the two have to do with each other is one call of mr_step in every frame.
**
**   game                       plays with the sandbox, a server in this process; no account is needed
**   game --relay URL           asks a backend, as the game on a player's machine must: see examples/relay
**   game --account             uses the account of EDGEGAP_API_TOKEN, for the developer's own eyes only
**   game --frames N --screenshot FILE.bmp     plays a scripted session, says how long the steps took, and ends
*/
#include <SDL2/SDL.h>
#include <moonrest.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "canvas.h"
#include "frames.h"
#include "script.h"

#define WIDTH             1280
#define HEIGHT            720
#define FRAMES_PER_SECOND 60
#define STEP_BUDGET_US    1000
#define PATIENCE          8 /* times the frames asked for, until a scripted session has to be over */
#define STARS             140

#define NIGHT 0x0A1322FFU

struct arguments {
  struct script_options script;
  const char *screenshot;
  unsigned long frames; /* 0: until the window is closed */
};

struct game {
  SDL_Window *window;
  SDL_Renderer *renderer;
  struct canvas canvas;
  struct frames frames;
  struct lua_State *L;
  struct arguments arguments;
};

/* {====== Time ====== */

static double elapsed_ms(Uint64 since) {
  return (double)(SDL_GetPerformanceCounter() - since) * 1000 /
         (double)SDL_GetPerformanceFrequency();
}

static double now_seconds(void) {
  return (double)SDL_GetPerformanceCounter() / (double)SDL_GetPerformanceFrequency();
}

/* Processor time of this thread. */
static double processor_ms(void) {
  struct timespec time = {0};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1000 + (double)time.tv_nsec / 1e6;
}

static void rest(Uint64 frame_start) {
  double left_ms = 1000.0 / FRAMES_PER_SECOND - elapsed_ms(frame_start);
  if (left_ms >= 1) SDL_Delay((Uint32)left_ms);
  while (elapsed_ms(frame_start) < 1000.0 / FRAMES_PER_SECOND)
    continue;
}

/* }====== */

/* {====== One frame ====== */

static const char *key_name(SDL_Keycode key) {
  switch (key) {
  case SDLK_UP:
    return "up";
  case SDLK_DOWN:
    return "down";
  case SDLK_LEFT:
    return "left";
  case SDLK_RIGHT:
    return "right";
  case SDLK_d:
    return "d";
  case SDLK_r:
    return "r";
  default:
    return NULL;
  }
}

/* False: the player has had enough, or Lua raised. */
static bool handle_events(struct game *game) {
  SDL_Event event;
  while (SDL_PollEvent(&event)) {
    if (event.type == SDL_QUIT) return false;
    if (event.type != SDL_KEYDOWN) continue;
    if (event.key.keysym.sym == SDLK_ESCAPE) return false;
    const char *name = key_name(event.key.keysym.sym);
    if (name && !script_key(game->L, name)) return false;
  }
  return true;
}

/* All that moonrest does, it does in here. */
static bool step(struct game *game, struct frame *frame) {
  double cpu_before = processor_ms();
  Uint64 before = SDL_GetPerformanceCounter();
  struct mr_step_result result = mr_step(game->L, STEP_BUDGET_US);
  frame->step_ms = (float)elapsed_ms(before);
  frame->step_cpu_ms = (float)(processor_ms() - cpu_before);
  if (result.status == MR_STEP_FAILED) fprintf(stderr, "game: %s\n", result.message);
  return result.status != MR_STEP_FAILED;
}

/* What a frame that comes late makes visible at once. */
static void draw_stars(struct canvas *canvas, double now) {
  uint32_t seed = 12345;
  for (int star = 0; star < STARS; star++) {
    seed = seed * 1664525U + 1013904223U;
    float depth = 0.2F + (float)(seed >> 24) / 320;
    double x = (double)(seed >> 8 & 0xFFFF) / 0xFFFF * WIDTH - now * 30 * (double)depth;
    float y = (float)(seed * 2654435761U >> 16) / 0xFFFF * HEIGHT;
    double wrapped = x - WIDTH * SDL_floor(x / WIDTH);
    uint32_t color = 0xBFD4FF00U | (uint32_t)(depth * 150);
    canvas_rectangle(canvas, (SDL_FRect){(float)wrapped, y, 1 + depth, 1 + depth}, color);
  }
}

static bool draw(struct game *game) {
  double now = now_seconds();
  canvas_rectangle(&game->canvas, (SDL_FRect){0, 0, WIDTH, HEIGHT}, NIGHT);
  draw_stars(&game->canvas, now);
  if (!script_draw(game->L, now)) return false;
  frames_draw(&game->frames, &game->canvas, (SDL_FRect){656, 640, 600, 72});
  return true;
}

static bool wants_more(const struct game *game) {
  unsigned long wanted = game->arguments.frames;
  if (wanted == 0 || game->frames.count < wanted) return true;
  return !script_is_over(game->L) && game->frames.count < PATIENCE * wanted;
}

/* Returns false when something failed. */
static bool play(struct game *game) {
  Uint64 before = SDL_GetPerformanceCounter();
  while (wants_more(game)) {
    struct frame frame = {.interval_ms = (float)elapsed_ms(before)};
    before = SDL_GetPerformanceCounter();
    if (!handle_events(game)) return game->arguments.frames == 0;
    if (!step(game, &frame)) return false;
    frames_add(&game->frames, frame);
    if (!draw(game)) return false;
    SDL_RenderPresent(game->renderer);
    rest(before);
  }
  return true;
}

/* }====== */

/* {====== What a scripted session leaves ====== */

static bool save_screenshot(struct game *game) {
  const char *path = game->arguments.screenshot;
  if (!path) return true;
  SDL_Surface *picture =
      SDL_CreateRGBSurfaceWithFormat(0, WIDTH, HEIGHT, 24, SDL_PIXELFORMAT_BGR24);
  bool good = picture && draw(game) &&
              SDL_RenderReadPixels(game->renderer, NULL, SDL_PIXELFORMAT_BGR24, picture->pixels,
                                   picture->pitch) == 0 &&
              SDL_SaveBMP(picture, path) == 0;
  if (!good) fprintf(stderr, "game: no screenshot in %s: %s\n", path, SDL_GetError());
  SDL_FreeSurface(picture);
  return good;
}

static bool report(struct game *game) {
  const struct frames *frames = &game->frames;
  bool is_over = script_is_over(game->L);
  printf("frames %zu, session %s\n", frames->count, is_over ? "over" : "unfinished");
  printf("step p50 %.3f ms, p99 %.3f ms, worst %.3f ms\n",
         frames_step(frames, FRAMES_KEPT, 0.5, false),
         frames_step(frames, FRAMES_KEPT, 0.99, false), frames_step(frames, FRAMES_KEPT, 1, false));
  printf("step in processor time p99 %.3f ms, worst %.3f ms\n",
         frames_step(frames, FRAMES_KEPT, 0.99, true), frames_step(frames, FRAMES_KEPT, 1, true));
  return is_over;
}

/* }====== */

/* {====== Start and end ====== */

static bool open_window(struct game *game) {
  if (SDL_Init(SDL_INIT_VIDEO) != 0) return false;
  game->window = SDL_CreateWindow("moonrest server browser", SDL_WINDOWPOS_CENTERED,
                                  SDL_WINDOWPOS_CENTERED, WIDTH, HEIGHT, 0);
  if (!game->window) return false;
  game->renderer = SDL_CreateRenderer(game->window, -1, 0);
  return game->renderer && canvas_open(&game->canvas, game->renderer, GAME_FONTS);
}

static void close_window(struct game *game) {
  canvas_close(&game->canvas);
  if (game->renderer) SDL_DestroyRenderer(game->renderer);
  if (game->window) SDL_DestroyWindow(game->window);
  SDL_Quit();
}

static bool run(struct game *game) {
  if (!open_window(game)) {
    fprintf(stderr, "game: no window: %s\n", SDL_GetError());
    return false;
  }
  game->L = script_open(&game->canvas, &game->arguments.script);
  if (!game->L) return false;
  bool good = play(game);
  if (good && game->arguments.frames > 0) good = save_screenshot(game) && report(game);
  script_close(game->L);
  return good;
}

static bool read_arguments(struct arguments *arguments, int count, char **words) {
  for (int place = 1; place < count; place++) {
    const char *word = words[place], *value = place + 1 < count ? words[place + 1] : NULL;
    if (strcmp(word, "--account") == 0) {
      arguments->script.use_account = true;
      continue;
    }
    if (!value) return false;
    if (strcmp(word, "--relay") == 0)
      arguments->script.relay = value;
    else if (strcmp(word, "--screenshot") == 0)
      arguments->screenshot = value;
    else if (strcmp(word, "--frames") == 0)
      arguments->frames = strtoul(value, NULL, 10);
    else
      return false;
    place++;
  }
  arguments->script.is_scripted = arguments->frames > 0;
  return true;
}

int main(int count, char **words) {
  static const char usage[] =
      "Usage: game [--relay URL | --account] [--frames N] [--screenshot FILE.bmp]\n";
  struct game *game = calloc(1, sizeof *game);
  if (!game) return EXIT_FAILURE;
  bool good = read_arguments(&game->arguments, count, words);
  if (good) {
    good = run(game);
    close_window(game);
  } else {
    fputs(usage, stderr);
  }
  free(game);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* }====== */
