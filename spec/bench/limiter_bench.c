/*
** What a decision of the limiter costs, from C, on the system's clock: a request
** that is granted at once, and its whole life. One line per figure, in nanoseconds.
*/
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/limiter.h"

#define ROUNDS  2000000
#define REPEATS 5

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct bench {
  struct mr_limiter *limiter;
  struct mr_queue *queue;
  struct mr_bucket *buckets[2];
};

static struct mr_ticket fresh(const struct bench *bench, uint32_t bucket_count) {
  return (struct mr_ticket){.buckets = {bench->buckets[0], bench->buckets[1]},
                            .bucket_count = bucket_count,
                            .priority = MR_PRIORITY_NORMAL,
                            .deadline_us = MR_NEVER};
}

/* Enter alone: the decision. The limits are wide enough for all rounds. */
static double decide(const struct bench *bench, uint32_t bucket_count, bool whole_life) {
  int64_t best_ns = INT64_MAX, retry_after_us;
  for (int repeat = 0; repeat < REPEATS; repeat++) {
    int64_t start_ns = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
      struct mr_ticket ticket = fresh(bench, bucket_count);
      if (mr_queue_enter(bench->queue, &ticket, &retry_after_us, NULL) ||
          ticket.state != MR_TICKET_GRANTED)
        abort();
      if (!whole_life) continue;
      mr_ticket_sent(bench->queue, &ticket);
      mr_ticket_answered(bench->queue, &ticket);
      mr_ticket_closed(bench->queue, &ticket);
    }
    int64_t took_ns = now_ns() - start_ns;
    if (took_ns < best_ns) best_ns = took_ns;
  }
  return (double)best_ns / ROUNDS;
}

static double read_clock(void) {
  int64_t start_ns = now_ns();
  for (int i = 0; i < ROUNDS; i++)
    mr_clock_now(&mr_clock_system);
  return (double)(now_ns() - start_ns) / ROUNDS;
}

static void measure(const char *name, struct mr_limiter *limiter) {
  struct bench bench = {.limiter = limiter};
  struct mr_bucket_limits limits = {
      .windows = {{.count = INT64_C(1) << 40, .period_us = MR_SECOND},
                  {.count = INT64_C(1) << 50, .period_us = 3600 * MR_SECOND}},
      .window_count = 1};
  bench.queue = mr_queue_open(limiter, &mr_clock_system, 1);
  mr_limiter_bucket(limiter, "bench:one", &limits, &bench.buckets[0], NULL);
  limits.window_count = 2;
  mr_limiter_bucket(limiter, "bench:two", &limits, &bench.buckets[1], NULL);
  printf("%s: a decision, one bucket, one window   %6.1f ns\n", name, decide(&bench, 1, false));
  printf("%s: two buckets, three windows           %6.1f ns\n", name, decide(&bench, 2, false));
  printf("%s: a whole life, one bucket             %6.1f ns\n", name, decide(&bench, 1, true));
  mr_bucket_release(bench.buckets[0]);
  mr_bucket_release(bench.buckets[1]);
  mr_queue_close(bench.queue);
}

int main(void) {
  printf("reading the clock                           %6.1f ns\n", read_clock());
  struct mr_limiter *limiter = mr_limiter_open(&mr_clock_system, NULL);
  measure("local", limiter);
  mr_limiter_close(limiter);
  return 0;
}
