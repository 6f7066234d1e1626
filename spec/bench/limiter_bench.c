/*
** What a decision of the limiter costs, from C, on the system's clock: a request
** that is granted at once, and its whole life; local and in shared memory; and what
** memory a request takes that waits. Then eight processes that ask one shared bucket
** of 40/s without end for ten seconds. Prints a table with the bounds that are
** promised, and fails when one is not kept.
*/
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/limiter.h"
#include "core/memory.h"

#define ROUNDS       2000000
#define REPEATS      5
#define QUEUED       1000000
#define LOCAL_NS     100 /* a decision, at most */
#define SHARED_NS    300
#define QUEUED_BYTES 200

static bool all_kept = true;

/* 'bound' 0: none was promised. */
static void row(const char *what, double value, const char *unit, double bound) {
  bool kept = bound == 0 || value <= bound;
  all_kept = all_kept && kept;
  printf("| %-52s | %6.1f %-5s |", what, value, unit);
  if (bound > 0)
    printf(" %6.0f | %-6s |\n", bound, kept ? "yes" : "**no**");
  else
    printf("        |        |\n");
}

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

static void measure(const char *name, struct mr_limiter *limiter, double bound_ns) {
  struct bench bench = {.limiter = limiter};
  struct mr_bucket_limits limits = {
      .windows = {{.count = INT64_C(1) << 40, .period_us = MR_SECOND},
                  {.count = INT64_C(1) << 50, .period_us = 3600 * MR_SECOND}},
      .window_count = 1};
  char what[80];
  bench.queue = mr_queue_open(limiter, &mr_clock_system, 1);
  mr_limiter_bucket(limiter, "bench:one", &limits, &bench.buckets[0], NULL);
  limits.window_count = 2;
  mr_limiter_bucket(limiter, "bench:two", &limits, &bench.buckets[1], NULL);
  snprintf(what, sizeof(what), "%s: a decision, one bucket, one window", name);
  row(what, decide(&bench, 1, false), "ns", bound_ns);
  snprintf(what, sizeof(what), "%s: a decision, two buckets, three windows", name);
  row(what, decide(&bench, 2, false), "ns", 0);
  snprintf(what, sizeof(what), "%s: the whole life of a request, one bucket", name);
  row(what, decide(&bench, 1, true), "ns", 0);
  mr_bucket_release(bench.buckets[0]);
  mr_bucket_release(bench.buckets[1]);
  mr_queue_close(bench.queue);
}

/*
** {======================================================
** Those who wait
** =======================================================
*/

/* Counts what the limiter has, in a word before each block. */
static void *count_bytes(void *context, void *block, size_t size) {
  size_t *live = context, *old = block ? (size_t *)block - 2 : NULL;
  if (old) *live -= *old;
  if (size == 0) {
    free(old);
    return NULL;
  }
  size_t *grown = realloc(old, size + 2 * sizeof(size_t));
  if (!grown) abort();
  *grown = size;
  *live += size;
  return grown + 2;
}

static void queue_up(void) {
  size_t live = 0;
  mr_memory_hook(count_bytes, &live);
  struct bench bench = {.limiter = mr_limiter_open(&mr_clock_system, NULL)};
  struct mr_bucket_limits limits = {.windows = {{.count = 1, .period_us = 3600 * MR_SECOND}},
                                    .window_count = 1};
  struct mr_ticket *tickets = calloc(QUEUED + 1, sizeof(*tickets));
  bench.queue = mr_queue_open(bench.limiter, &mr_clock_system, 1);
  mr_limiter_bucket(bench.limiter, "bench:queue", &limits, &bench.buckets[0], NULL);
  size_t before = live;
  int64_t retry_after_us, start_ns = now_ns();
  for (int i = 0; i <= QUEUED; i++) { /* the first one is granted */
    tickets[i] = fresh(&bench, 1);
    if (mr_queue_enter(bench.queue, &tickets[i], &retry_after_us, NULL)) abort();
  }
  double each_ns = (double)(now_ns() - start_ns) / QUEUED;
  size_t own = (live - before) / QUEUED;
  row("a million wait: each one's ticket and place in the queue", (double)(sizeof(*tickets) + own),
      "bytes", QUEUED_BYTES);
  row("a million wait: to enter", each_ns, "ns", 0);
  start_ns = now_ns();
  for (int i = 0; i <= QUEUED; i++)
    mr_ticket_cancel(bench.queue, &tickets[i]);
  row("a million wait: to leave", (double)(now_ns() - start_ns) / QUEUED, "ns", 0);
  mr_bucket_release(bench.buckets[0]);
  mr_queue_close(bench.queue);
  mr_limiter_close(bench.limiter);
  free(tickets);
  mr_memory_hook(NULL, NULL);
}

/* }====================================================== */

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
  double share = 100.0 * count / (40 * SECONDS);
  row("shared: 8 processes, 40/s for 10 s: share of the limit", share, "%", 0);
  row("shared: 8 processes, 40/s for 10 s: most in a second", most, "", 40);
  munmap(arrivals, sizeof(*arrivals));
}

/* }====================================================== */

static void share(void) {
  char path[64];
  struct mr_error error;
  snprintf(path, sizeof(path), "/dev/shm/moonrest-bench-%d", (int)getpid());
  struct mr_limiter *limiter = mr_limiter_open_shared(&mr_clock_system, path, &error);
  if (!limiter || error.kind) {
    printf("| shared: SKIPPED: %s | | | |\n", error.message);
    mr_limiter_close(limiter);
    return;
  }
  measure("shared", limiter, SHARED_NS);
  mr_limiter_close(limiter);
  crowd(path);
  unlink(path);
}

int main(void) {
  printf("| %-52s | %-12s | %6s | %6s |\n|---|---|---|---|\n", "", "seen", "bound", "kept");
  row("reading the clock", read_clock(), "ns", 0);
  struct mr_limiter *limiter = mr_limiter_open(&mr_clock_system, NULL);
  measure("local", limiter, LOCAL_NS);
  mr_limiter_close(limiter);
  queue_up();
  share();
  return all_kept ? EXIT_SUCCESS : EXIT_FAILURE;
}
