/* Wall clock and processor time of this process, per request. */
#ifndef MR_BENCH_USAGE_H
#define MR_BENCH_USAGE_H

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

struct usage {
  double wall_us, cpu_us;
};

static inline struct usage usage_begin(void) {
  struct timespec now;
  struct rusage used;
  clock_gettime(CLOCK_MONOTONIC, &now);
  getrusage(RUSAGE_SELF, &used);
  struct usage usage = {
      .wall_us = (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3,
      .cpu_us = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
                (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec),
  };
  return usage;
}

static inline void usage_print(const struct usage *begin, long count) {
  struct usage end = usage_begin();
  printf("%.2f %.2f\n", (end.wall_us - begin->wall_us) / (double)count,
         (end.cpu_us - begin->cpu_us) / (double)count);
}

#endif
