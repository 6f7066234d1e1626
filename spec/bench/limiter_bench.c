/*
** What a decision of the limiter costs, from C, on the system's clock: a request
** that is granted at once, and its whole life; local and in shared memory. Then
** eight processes that ask one shared bucket of 40/s without end for ten seconds.
*/
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
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

/*
** {======================================================
** Eight processes
** =======================================================
*/

#define PROCESSES 8
#define SECONDS   10
#define ARRIVALS  (40 * (SECONDS + 2))

struct arrivals {
  _Atomic uint32_t count;
  int64_t at_us[ARRIVALS];
};

static void sleep_until(int64_t wake_us) {
  int64_t left_us = wake_us - mr_clock_now(&mr_clock_system);
  if (left_us <= 0) return;
  struct timespec pause = {.tv_sec = left_us / MR_SECOND, .tv_nsec = left_us % MR_SECOND * 1000};
  nanosleep(&pause, NULL);
}

static void arrive(struct arrivals *arrivals, struct mr_queue *queue, struct mr_ticket *ticket) {
  uint32_t index = atomic_fetch_add(&arrivals->count, 1);
  if (index < ARRIVALS) arrivals->at_us[index] = mr_clock_now(&mr_clock_system);
  mr_ticket_sent(queue, ticket);
  mr_ticket_answered(queue, ticket);
  mr_ticket_closed(queue, ticket);
}

static void ask_without_end(struct arrivals *arrivals, const char *path, int64_t end_us) {
  struct mr_error error;
  struct mr_limiter *limiter = mr_limiter_open_shared(&mr_clock_system, path, &error);
  if (!limiter || error.kind) abort();
  struct mr_queue *queue = mr_queue_open(limiter, &mr_clock_system, (uint64_t)getpid());
  struct mr_bucket_limits limits = {.windows = {{.count = 40, .period_us = MR_SECOND}},
                                    .window_count = 1};
  struct mr_bucket *bucket;
  if (mr_limiter_bucket(limiter, "crowd", &limits, &bucket, &error)) abort();
  while (mr_clock_now(&mr_clock_system) < end_us) {
    struct mr_ticket mine = {.buckets = {bucket}, .bucket_count = 1, .deadline_us = MR_NEVER};
    struct mr_ticket *ticket = &mine;
    int64_t retry_after_us;
    mr_queue_enter(queue, ticket, &retry_after_us, NULL);
    while (mine.state == MR_TICKET_QUEUED && mr_clock_now(&mr_clock_system) < end_us) {
      sleep_until(mr_queue_wake_us(queue));
      mr_queue_next(queue, &retry_after_us);
    }
    if (mine.state == MR_TICKET_GRANTED) arrive(arrivals, queue, ticket);
    mr_ticket_cancel(queue, ticket);
  }
  mr_bucket_release(bucket);
  mr_queue_close(queue);
  mr_limiter_close(limiter);
}

static int compare_times(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return left < right ? -1 : left > right;
}

static void crowd(const char *path) {
  struct arrivals *arrivals =
      mmap(NULL, sizeof(*arrivals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (arrivals == MAP_FAILED) abort();
  int64_t end_us = mr_clock_now(&mr_clock_system) + SECONDS * MR_SECOND;
  for (int i = 0; i < PROCESSES; i++) {
    if (fork() != 0) continue;
    ask_without_end(arrivals, path, end_us);
    _exit(0);
  }
  while (wait(NULL) > 0)
    ;
  uint32_t count = atomic_load(&arrivals->count), most = 0;
  qsort(arrivals->at_us, count, sizeof(int64_t), compare_times);
  for (uint32_t first = 0, last = 0; last < count; last++) {
    while (arrivals->at_us[last] - arrivals->at_us[first] > MR_SECOND)
      first++;
    if (last - first + 1 > most) most = last - first + 1;
  }
  printf(
      "shared: 8 processes, 40/s for %d s: %u sent, %.2f%% of the limit, at most %u in a second\n",
      SECONDS, count, 100.0 * count / (40 * SECONDS), most);
}

/* }====================================================== */

int main(void) {
  printf("reading the clock                           %6.1f ns\n", read_clock());
  struct mr_limiter *limiter = mr_limiter_open(&mr_clock_system, NULL);
  measure("local", limiter);
  mr_limiter_close(limiter);
  char path[64];
  struct mr_error error;
  snprintf(path, sizeof(path), "/dev/shm/moonrest-bench-%d", (int)getpid());
  limiter = mr_limiter_open_shared(&mr_clock_system, path, &error);
  if (!limiter || error.kind) {
    printf("SKIPPED: %s\n", error.message);
    mr_limiter_close(limiter);
    return 0;
  }
  measure("shared", limiter);
  mr_limiter_close(limiter);
  crowd(path);
  unlink(path);
  return 0;
}
