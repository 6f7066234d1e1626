/*
** Time, injected. Microseconds in signed 64 bits everywhere in the core;
** MR_NEVER is later than everything.
*/
#ifndef MR_CLOCK_H
#define MR_CLOCK_H

#include <stdint.h>

#define MR_NEVER       INT64_MAX
#define MR_SECOND      INT64_C(1000000)
#define MR_MILLISECOND INT64_C(1000)

struct mr_clock {
  int64_t (*monotonic_us)(void *context); /* never goes back; CLOCK_BOOTTIME or CLOCK_MONOTONIC */
  int64_t (*wall_us)(void *context);      /* since the epoch */
  void *context;
};

extern const struct mr_clock mr_clock_system;

/* A clock that stands still until a test moves it. */
struct mr_virtual_clock {
  struct mr_clock clock;
  int64_t now_us;
  int64_t wall_offset_us; /* wall = now + offset */
};

void mr_virtual_clock_init(struct mr_virtual_clock *clock, int64_t now_us, int64_t wall_us);

/* A clock that stands still between readings of its source, for what happens as good as at once: a reading of the
** system's costs 20 to 65 ns, and one small request asked for the time 25 times. */
struct mr_paced_clock {
  struct mr_clock clock; /* the time of the last reading */
  const struct mr_clock *source;
  int64_t now_us;
};

void mr_paced_clock_init(struct mr_paced_clock *clock, const struct mr_clock *source);
/* Returns what 'clock' tells from now on. */
int64_t mr_paced_clock_read(struct mr_paced_clock *clock);
/* The same where another has just read the source: it is at least so late. */
int64_t mr_paced_clock_reach(struct mr_paced_clock *clock, int64_t at_us);

int64_t mr_clock_now(const struct mr_clock *clock);
int64_t mr_clock_wall(const struct mr_clock *clock);

/* Lets so much of the system's time pass, or less when a signal comes. */
void mr_clock_pass(int64_t duration_us);

/* now + duration without overflow: MR_NEVER at the top. Durations may be MR_NEVER. */
int64_t mr_time_after(int64_t now_us, int64_t duration_us);
/* Seconds as Lua gives them. NaN and negatives give 0, what does not fit gives MR_NEVER. */
int64_t mr_time_from_seconds(double seconds);

#endif
