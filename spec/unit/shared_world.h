/*
** Limiters that share a file, each with a clock of its own that stands still, in a
** folder that is made for every test.
*/
#ifndef SHARED_WORLD_H
#define SHARED_WORLD_H

#include "limiter_world.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/limiter_parts.h"
#include "core/shared_file.h"

static char directory[64];
static char path[96];

static inline int set_up(void **state) {
  (void)state;
  strcpy(directory, "/tmp/moonrest-test-XXXXXX");
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof(path), "%s/limits", directory);
  return 0;
}

static inline int tear_down(void **state) {
  (void)state;
  char command[160];
  snprintf(command, sizeof(command), "rm -rf '%s'", directory);
  return system(command);
}

/* Another process in all but the process: a limiter of its own on the same file. */
static inline void join_world(struct world *world, const struct mr_virtual_clock *clock) {
  struct mr_error error;
  world->clock = *clock;
  world->clock.clock.context = &world->clock;
  world->limiter = mr_limiter_open_shared(&world->clock.clock, path, &error);
  assert_non_null(world->limiter);
  assert_string_equal(error.message, "");
  world->queue = mr_queue_open(world->limiter, &world->clock.clock, 1);
  assert_non_null(world->queue);
}

static inline struct mr_virtual_clock some_time(void) {
  struct mr_virtual_clock clock;
  mr_virtual_clock_init(&clock, 1000 * MR_SECOND, WORLD_WALL_US);
  return clock;
}

static inline int64_t remaining(struct mr_bucket *bucket) {
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  return view.remaining[0];
}

/* The limiter that is opened there is a local one, works, and says what is wrong with the file. */
static inline void assert_falls_back(const char *file, const char *word) {
  struct world world;
  struct mr_error error = {0};
  world.clock = some_time();
  world.clock.clock.context = &world.clock;
  world.limiter = mr_limiter_open_shared(&world.clock.clock, file, &error);
  assert_non_null(world.limiter);
  assert_int_equal(error.kind, MR_IO);
  if (!strstr(error.message, word)) fail_msg("no \"%s\" in: %s", word, error.message);
  world.queue = mr_queue_open(world.limiter, &world.clock.clock, 1);
  struct mr_bucket_limits limits = limits_of(5, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  assert_int_equal(drain(&world, bucket), 5);
  mr_bucket_release(bucket);
  world_close(&world);
}

static inline void make_good_file(void) {
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  world_close(&world);
}

static inline void patch(size_t offset, const void *bytes, size_t size) {
  int descriptor = open(path, O_WRONLY);
  assert_int_equal(pwrite(descriptor, bytes, size, (off_t)offset), (ssize_t)size);
  close(descriptor);
}

/* Runs in a child; its exit code is the number of the line that failed. */
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) _exit(__LINE__ % 255 + 1);                                                   \
  } while (0)

static inline void assert_child(pid_t child) {
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

#endif
