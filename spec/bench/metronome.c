/*
** How late this machine wakes whoever sleeps: `metronome INTERVAL_US SECONDS` sleeps until each tick of an even grid and
** prints the lateness in milliseconds: the half, 99% and all of the ticks were at most so late. What a bench of start
** times says is to be read beside it.
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return left < right ? -1 : left > right;
}

int main(int count, char **words) {
  int64_t interval_us = count > 1 ? strtoll(words[1], NULL, 10) : 0;
  int64_t seconds = count > 2 ? strtoll(words[2], NULL, 10) : 0;
  if (interval_us <= 0 || seconds <= 0) return EXIT_FAILURE;
  int64_t ticks = seconds * 1000000 / interval_us, tick_us = now_us();
  int64_t *late_us = calloc((size_t)ticks, sizeof(*late_us));
  if (!late_us) return EXIT_FAILURE;
  for (int64_t i = 0; i < ticks; i++) {
    tick_us += interval_us;
    struct timespec wake = {.tv_sec = tick_us / 1000000, .tv_nsec = tick_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) != 0)
      continue;
    late_us[i] = now_us() - tick_us;
  }
  qsort(late_us, (size_t)ticks, sizeof(*late_us), compare);
  printf("%.2f %.2f %.2f\n", (double)late_us[ticks / 2] / 1e3,
         (double)late_us[ticks * 99 / 100] / 1e3, (double)late_us[ticks - 1] / 1e3);
  free(late_us);
  return EXIT_SUCCESS;
}
