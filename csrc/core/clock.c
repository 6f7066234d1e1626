/*
** The system's clock, a clock for tests, and sums of times that do not overflow.
*/
#include "clock.h"

#include <stddef.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
  struct timespec now = {0, 0};
  clock_gettime(id, &now);
  return (int64_t)now.tv_sec * MR_SECOND + now.tv_nsec / 1000;
}

/* A laptop that slept for an hour has really waited: the clock that counts sleep is the right one. */
static int64_t system_monotonic_us(void *context) {
  (void)context;
#ifdef CLOCK_BOOTTIME
  return read_clock(CLOCK_BOOTTIME);
#else
  return read_clock(CLOCK_MONOTONIC);
#endif
}

static int64_t system_wall_us(void *context) {
  (void)context;
  return read_clock(CLOCK_REALTIME);
}

const struct mr_clock mr_clock_system = {
    .monotonic_us = system_monotonic_us, .wall_us = system_wall_us, .context = NULL};

static int64_t virtual_monotonic_us(void *context) {
  const struct mr_virtual_clock *clock = context;
  return clock->now_us;
}

static int64_t virtual_wall_us(void *context) {
  const struct mr_virtual_clock *clock = context;
  return clock->now_us + clock->wall_offset_us;
}

/* 'clock' points to itself from now on and must not be moved. */
void mr_virtual_clock_init(struct mr_virtual_clock *clock, int64_t now_us, int64_t wall_us) {
  clock->clock = (struct mr_clock){
      .monotonic_us = virtual_monotonic_us, .wall_us = virtual_wall_us, .context = clock};
  clock->now_us = now_us;
  clock->wall_offset_us = wall_us - now_us;
}

static int64_t paced_monotonic_us(void *context) {
  const struct mr_paced_clock *clock = context;
  return clock->now_us;
}

static int64_t paced_wall_us(void *context) {
  const struct mr_paced_clock *clock = context;
  return mr_clock_wall(clock->source);
}

/* 'clock' points to itself from now on and must not be moved. */
void mr_paced_clock_init(struct mr_paced_clock *clock, const struct mr_clock *source) {
  clock->clock = (struct mr_clock){
      .monotonic_us = paced_monotonic_us, .wall_us = paced_wall_us, .context = clock};
  clock->source = source;
  mr_paced_clock_read(clock);
}

int64_t mr_paced_clock_read(struct mr_paced_clock *clock) {
  return clock->now_us = mr_clock_now(clock->source);
}

int64_t mr_paced_clock_reach(struct mr_paced_clock *clock, int64_t at_us) {
  if (at_us > clock->now_us) clock->now_us = at_us;
  return clock->now_us;
}

int64_t mr_clock_now(const struct mr_clock *clock) {
  return clock->monotonic_us(clock->context);
}

int64_t mr_clock_wall(const struct mr_clock *clock) {
  return clock->wall_us(clock->context);
}

void mr_clock_pass(int64_t duration_us) {
  if (duration_us <= 0) return;
  struct timespec span = {.tv_sec = (time_t)(duration_us / MR_SECOND),
                          .tv_nsec = (long)(duration_us % MR_SECOND * 1000)};
  nanosleep(&span, NULL);
}

int64_t mr_time_after(int64_t now_us, int64_t duration_us) {
  if (now_us == MR_NEVER || duration_us == MR_NEVER) return MR_NEVER;
  if (duration_us > 0 && now_us > MR_NEVER - duration_us) return MR_NEVER;
  if (duration_us < 0 && now_us < INT64_MIN - duration_us) return INT64_MIN;
  return now_us + duration_us;
}

int64_t mr_time_from_seconds(double seconds) {
  if (!(seconds > 0)) /* NaN too */
    return 0;
  double duration_us = seconds * (double)MR_SECOND + 0.5;
  return duration_us < 9223372036854775808.0 ? (int64_t)duration_us : MR_NEVER;
}
