/*
** The promises of the limiter against servers that count, on virtual time.
**
** strict: for random limits, schedules, latencies, losses, cancellations and
** clock drift no window of a server holds more than its limit, whatever the
** server's algorithm, over more than a million requests. The default: the same
** servers, and a table of what they saw. Everything is seeded.
*/
#include "counting_server.h"
#include "limiter_world.h"

#include "core/heap.h"

#define CALLS_MAX 400

/*
** {======================================================
** Clients and the way between
** =======================================================
*/

enum stage { RESTING, WAITING, CONNECTING, TRAVELLING, ARRIVED, ENDING };

struct call {
  struct mr_ticket ticket;
  struct mr_queue *queue;
  uint32_t place;
  int64_t at_us; /* of its next event */
  enum stage stage;
  int status; /* 0: the answer is lost */
};

struct network {
  int64_t there_us, there_jitter_us, back_us, back_jitter_us, connect_us;
  int64_t late_us;       /* the engine looks so much too late at most */
  uint32_t loss, cancel; /* per thousand */
  int64_t rest_us;       /* between two calls of one caller, at most */
  uint32_t weight;       /* at most */
};

struct simulation {
  struct world world;
  struct mr_random random;
  struct mr_heap events;
  struct call calls[CALLS_MAX];
  uint32_t call_count;
  struct mr_queue *queues[2];
  struct mr_bucket *bucket;
  struct counting_server servers[2];
  uint32_t server_count;
  struct network network;
  struct mr_headers headers;
  int64_t arrivals;
};

static bool call_before(const void *a, const void *b) {
  return ((const struct call *)a)->at_us < ((const struct call *)b)->at_us;
}

static int64_t below(struct simulation *s, int64_t bound) {
  return mr_random_below(&s->random, bound);
}

static bool chance(struct simulation *s, uint32_t per_thousand) {
  return below(s, 1000) < per_thousand;
}

static void schedule(struct simulation *s, struct call *call, enum stage stage, int64_t delay_us) {
  call->stage = stage;
  call->at_us = s->world.clock.now_us + delay_us;
  mr_heap_add(&s->events, call);
}

static void connect_call(struct simulation *s, struct call *call) {
  schedule(s, call, CONNECTING, below(s, s->network.connect_us + 1));
}

static void submit(struct simulation *s, struct call *call) {
  int64_t retry_after_us;
  call->ticket = ticket_for(s->bucket);
  call->ticket.owner = call;
  call->ticket.weight = (uint32_t)(1 + below(s, s->network.weight));
  call->ticket.priority = (uint8_t)below(s, MR_PRIORITY_COUNT);
  call->ticket.task = (uint64_t)below(s, 5);
  assert_int_equal(mr_queue_enter(call->queue, &call->ticket, &retry_after_us, NULL), MR_NONE);
  call->stage = WAITING;
  if (call->ticket.state == MR_TICKET_GRANTED) connect_call(s, call);
}

static void rest(struct simulation *s, struct call *call) {
  schedule(s, call, RESTING, below(s, s->network.rest_us + 1));
}

static void arrive(struct simulation *s, struct call *call) {
  const struct network *network = &s->network;
  bool good = true;
  for (uint32_t i = 0; i < s->server_count; i++)
    good =
        counting_server_accepts(&s->servers[i], s->world.clock.now_us, call->ticket.weight) && good;
  s->arrivals++;
  call->status = chance(s, network->loss) ? 0 : good ? 200 : 429;
  schedule(s, call, ARRIVED, network->back_us + below(s, network->back_jitter_us + 1));
}

static void hear(struct simulation *s, struct call *call) {
  if (call->status > 0) {
    mr_ticket_answered(call->queue, &call->ticket);
    mr_ticket_learn(call->queue, &call->ticket, call->status, &s->headers, -1, false);
  }
  schedule(s, call, ENDING, below(s, s->network.back_us + 1));
}

static void leave(struct simulation *s, struct call *call) {
  const struct network *network = &s->network;
  if (chance(s, network->cancel)) { /* the connection could not be made */
    mr_ticket_cancel(call->queue, &call->ticket);
    rest(s, call);
    return;
  }
  mr_ticket_sent(call->queue, &call->ticket);
  bool lost = chance(s, network->loss);
  call->status = 0;
  int64_t way_us = network->there_us + below(s, network->there_jitter_us + 1);
  if (lost)
    schedule(s, call, ENDING, way_us);
  else
    schedule(s, call, TRAVELLING, way_us);
}

static void happen(struct simulation *s, struct call *call) {
  mr_heap_remove(&s->events, call);
  switch (call->stage) {
  case RESTING:
    submit(s, call);
    break;
  case CONNECTING:
    leave(s, call);
    break;
  case TRAVELLING:
    arrive(s, call);
    break;
  case ARRIVED:
    hear(s, call);
    break;
  default:
    mr_ticket_closed(call->queue, &call->ticket);
    rest(s, call);
  }
}

static void cancel_some(struct simulation *s) {
  struct call *call = &s->calls[below(s, s->call_count)];
  if (!chance(s, s->network.cancel) || call->stage != WAITING) return;
  mr_ticket_cancel(call->queue, &call->ticket);
  rest(s, call);
}

static void serve_queues(struct simulation *s) {
  for (int i = 0; i < 2; i++) {
    struct mr_ticket *ticket;
    int64_t retry_after_us;
    while ((ticket = mr_queue_next(s->queues[i], &retry_after_us)))
      connect_call(s, ticket->owner);
  }
}

static int64_t next_event_us(struct simulation *s) {
  const struct call *call = mr_heap_first(&s->events);
  int64_t event_us = call ? call->at_us : MR_NEVER;
  for (int i = 0; i < 2; i++) {
    int64_t wake_us = mr_queue_wake_us(s->queues[i]);
    if (wake_us == MR_NEVER) continue;
    if (s->network.late_us > 0) wake_us += below(s, s->network.late_us);
    if (wake_us < event_us) event_us = wake_us;
  }
  return event_us;
}

static void run(struct simulation *s, int64_t arrivals, int64_t until_us) {
  while (s->arrivals < arrivals && s->world.clock.now_us < until_us) {
    int64_t at_us = next_event_us(s);
    assert_true(at_us != MR_NEVER);
    if (at_us > s->world.clock.now_us) s->world.clock.now_us = at_us;
    struct call *call;
    while ((call = mr_heap_first(&s->events)) && call->at_us <= s->world.clock.now_us)
      happen(s, call);
    cancel_some(s);
    serve_queues(s);
  }
}

static void open_simulation(struct simulation *s, uint64_t seed,
                            const struct mr_bucket_limits *limits,
                            enum counting_algorithm algorithm, const struct network *network,
                            uint32_t calls, bool two_queues) {
  memset(s, 0, sizeof(*s));
  mr_random_seed(&s->random, seed);
  world_open(&s->world);
  s->network = *network;
  s->bucket = world_bucket(&s->world, "bucket", limits);
  s->queues[0] = s->world.queue;
  s->queues[1] =
      two_queues ? mr_queue_open(s->world.limiter, &s->world.clock.clock, seed) : s->world.queue;
  s->server_count = limits->window_count;
  for (uint32_t i = 0; i < s->server_count; i++)
    counting_server_open(&s->servers[i], algorithm, limits->windows[i].count,
                         limits->windows[i].period_us, &s->random);
  mr_heap_init(&s->events, offsetof(struct call, place), call_before);
  assert_int_equal(mr_heap_reserve(&s->events, CALLS_MAX), MR_NONE);
  mr_headers_init(&s->headers);
  s->call_count = calls;
  for (uint32_t i = 0; i < calls; i++) {
    s->calls[i].queue = s->queues[i % 2];
    s->calls[i].place = MR_HEAP_NOWHERE;
    rest(s, &s->calls[i]);
  }
}

static void close_simulation(struct simulation *s) {
  for (uint32_t i = 0; i < s->call_count; i++)
    mr_ticket_cancel(s->calls[i].queue, &s->calls[i].ticket);
  for (uint32_t i = 0; i < s->server_count; i++)
    counting_server_close(&s->servers[i]);
  if (s->queues[1] != s->queues[0]) mr_queue_close(s->queues[1]);
  mr_heap_free(&s->events);
  mr_headers_free(&s->headers);
  mr_bucket_release(s->bucket);
  world_close(&s->world);
}

/* }====================================================== */

static int64_t pick(struct mr_random *random, const int64_t *values, size_t count) {
  return values[mr_random_below(random, (int64_t)count)];
}

static struct mr_bucket_limits random_limits(struct mr_random *random) {
  static const int64_t counts[] = {1, 2, 5, 10, 40, 100, 1000};
  static const int64_t periods[] = {10 * MR_MILLISECOND, 100 * MR_MILLISECOND, MR_SECOND,
                                    7 * MR_SECOND, 60 * MR_SECOND};
  struct mr_bucket_limits limits = limits_of(pick(random, counts, 7), pick(random, periods, 5));
  if (mr_random_below(random, 3) == 0) {
    limits.windows[1].count = limits.windows[0].count * 5;
    limits.windows[1].period_us = limits.windows[0].period_us * (2 + mr_random_below(random, 9));
    limits.window_count = 2;
  }
  if (mr_random_below(random, 4) == 0) limits.burst = 1 + mr_random_below(random, 10);
  if (mr_random_below(random, 4) == 0)
    limits.concurrent = (uint32_t)(1 + mr_random_below(random, 50));
  return limits;
}

static struct network random_network(struct mr_random *random, int64_t period_us) {
  struct network network = {.there_us = mr_random_below(random, period_us / 4 + 1),
                            .there_jitter_us = mr_random_below(random, period_us * 2),
                            .back_us = mr_random_below(random, period_us / 4 + 1),
                            .back_jitter_us = mr_random_below(random, period_us),
                            .connect_us = mr_random_below(random, period_us),
                            .late_us = mr_random_below(random, period_us / 10 + 1),
                            .loss = (uint32_t)mr_random_below(random, 60),
                            .cancel = (uint32_t)mr_random_below(random, 60),
                            .rest_us = mr_random_below(random, 3 * period_us),
                            .weight = 1};
  if (mr_random_below(random, 3) == 0) network.there_us = network.there_jitter_us = 0;
  if (mr_random_below(random, 4) == 0) /* nothing between but the clocks' drift */
    network = (struct network){.rest_us = network.rest_us, .weight = 1};
  if (mr_random_below(random, 3) == 0) network.rest_us = 0;
  if (mr_random_below(random, 3) == 0) network.weight = 4;
  return network;
}

static void test_strict_never_exceeds(void **state) {
  (void)state;
  enum { PER_RUN = 5000, RUNS = 210 };
  static struct simulation s;
  struct mr_random random;
  int64_t arrivals = 0;
  mr_random_seed(&random, 20240601);
  for (uint64_t run_number = 0; run_number < RUNS; run_number++) {
    struct mr_bucket_limits limits = random_limits(&random);
    limits.strict = true;
    struct network network = random_network(&random, limits.windows[0].period_us);
    if (network.weight > limits.windows[0].count) network.weight = 1;
    enum counting_algorithm algorithm =
        (enum counting_algorithm)(run_number % 3); /* the first three count windows */
    uint32_t calls = (uint32_t)(1 + mr_random_below(&random, CALLS_MAX));
    open_simulation(&s, run_number, &limits, algorithm, &network, calls, run_number % 4 == 0);
    run(&s, PER_RUN, MR_NEVER);
    for (uint32_t i = 0; i < s.server_count; i++) {
      if (s.servers[i].most > s.servers[i].count || s.servers[i].refused > 0)
        fail_msg("seed %d, %s: %lld units in a window of %lld, %lld refused", (int)run_number,
                 counting_algorithm_names[algorithm], (long long)s.servers[i].most,
                 (long long)s.servers[i].count, (long long)s.servers[i].refused);
    }
    arrivals += s.arrivals;
    close_simulation(&s);
  }
  print_message("strict: %lld arrivals, no window exceeded\n", (long long)arrivals);
  assert_true(arrivals >= 1000000);
}

struct figures {
  double share; /* of the limit */
  int64_t most, refused, arrivals;
};

static struct figures measure(enum counting_algorithm algorithm, const struct network *network,
                              const struct mr_bucket_limits *limits, uint32_t calls) {
  enum { RUNS = 8 };
  static struct simulation s;
  struct figures figures = {0};
  for (uint64_t seed = 1; seed <= RUNS; seed++) {
    open_simulation(&s, seed, limits, algorithm, network, calls, false);
    int64_t start_us = s.world.clock.now_us, periods = 60;
    run(&s, MR_NEVER, start_us + periods * limits->windows[0].period_us);
    const struct counting_server *server = &s.servers[0];
    figures.share += (double)server->accepted / (double)(periods * server->count) / RUNS;
    if (server->most > figures.most) figures.most = server->most;
    figures.refused += server->refused;
    figures.arrivals += s.arrivals;
    close_simulation(&s);
  }
  return figures;
}

struct scene {
  const char *name;
  struct network network;
  uint32_t calls;
  int64_t burst;
  bool strict;
};

#define LOOPBACK                                                                                   \
  {                                                                                                \
    .there_us = 50, .there_jitter_us = 100, .back_us = 50, .back_jitter_us = 100, .late_us = 1000, \
    .weight = 1                                                                                    \
  }
#define DISTANT                                                                                    \
  {                                                                                                \
    .there_us = 20000, .there_jitter_us = 10000, .back_us = 20000, .back_jitter_us = 10000,        \
    .late_us = 1000, .weight = 1                                                                   \
  }
#define BURSTY                                                                                     \
  {                                                                                                \
    .there_us = 20000, .there_jitter_us = 10000, .back_us = 20000, .back_jitter_us = 10000,        \
    .late_us = 1000, .weight = 1, .rest_us = 4000000                                               \
  }

static const struct scene scenes[] = {
    {"loopback", LOOPBACK, 200, 0, false},
    {"50 +- 10 ms", DISTANT, 200, 0, false},
    {"50 +- 10 ms, idle at times", BURSTY, 120, 0, false},
    {"50 +- 10 ms, burst = 1", DISTANT, 200, 1, false},
    {"50 +- 10 ms, strict", DISTANT, 200, 0, true},
};

/* The servers whose window is a window: these must be content in every scene. The two others are asked for what the
** first burst and the spacing make possible. */
static bool must_be_content(enum counting_algorithm algorithm) {
  return algorithm != SLIDING_COUNTER && algorithm != LEAKY_WITHOUT_BURST;
}

static void test_the_table_of_the_default(void **state) {
  (void)state;
  struct mr_bucket_limits limits = limits_of(40, MR_SECOND);
  print_message("40/s asked without end for 60 s, 8 seeds\n");
  print_message("%-28s %-16s %8s %10s %8s\n", "network", "server", "most/s", "of limit", "429s");
  for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
    limits.burst = scenes[i].burst;
    limits.strict = scenes[i].strict;
    for (int a = 0; a < ALGORITHMS; a++) {
      struct figures figures =
          measure((enum counting_algorithm)a, &scenes[i].network, &limits, scenes[i].calls);
      print_message("%-28s %-16s %8lld %9.2f%% %8lld of %lld\n", scenes[i].name,
                    counting_algorithm_names[a], (long long)figures.most, 100 * figures.share,
                    (long long)figures.refused, (long long)figures.arrivals);
      if (a == LEAKY_WITHOUT_BURST) assert_true(figures.share > 0.5);
      if (a == SLIDING_COUNTER) assert_true(figures.refused * 1000 <= figures.arrivals);
      if (!must_be_content((enum counting_algorithm)a)) continue;
      assert_true(figures.most <= 40);
      assert_int_equal(figures.refused, 0);
      bool greedy = scenes[i].network.rest_us == 0 && !scenes[i].strict;
      if (greedy) assert_true(figures.share >= (i == 0 ? 0.99 : 0.97));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_strict_never_exceeds),
                                     cmocka_unit_test(test_the_table_of_the_default)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
