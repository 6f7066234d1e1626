#include "counting_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define DRIFT_PPM 50 /* how far its clock is off */

const char *const counting_algorithm_names[ALGORITHMS] = {"fixed window", "sliding log",
                                                          "token bucket", "sliding counter",
                                                          "leaky, burst", "leaky, no burst"};

void counting_server_open(struct counting_server *server, enum counting_algorithm algorithm,
                          int64_t count, int64_t period_us, struct mr_random *random) {
  *server =
      (struct counting_server){.algorithm = algorithm, .count = count, .period_us = period_us};
  server->phase_us = mr_random_below(random, period_us);
  server->drift = 1 + (double)(mr_random_below(random, 2 * DRIFT_PPM + 1) - DRIFT_PPM) / 1e6;
  server->log_capacity = (size_t)count * 4 + 64;
  server->log = calloc(server->log_capacity, sizeof(*server->log));
  assert_non_null(server->log);
  server->level = algorithm == TOKEN_BUCKET ? (double)count : 0;
}

void counting_server_close(struct counting_server *server) {
  free(server->log);
}

/* Counts what arrived in the last period, both ends included. */
static void log_arrival(struct counting_server *server, int64_t at_us, int64_t units) {
  while (server->log_size > 0 && server->log[server->log_first].at_us < at_us - server->period_us) {
    server->log_units -= server->log[server->log_first].units;
    server->log_first = (server->log_first + 1) % server->log_capacity;
    server->log_size--;
  }
  assert_true(server->log_size < server->log_capacity);
  server->log[(server->log_first + server->log_size++) % server->log_capacity] =
      (struct arrival){.at_us = at_us, .units = units};
  server->log_units += units;
  if (server->log_units > server->most) server->most = server->log_units;
}

static void turn_window(struct counting_server *server, int64_t at_us) {
  int64_t window = (at_us + server->phase_us) / server->period_us;
  if (window == server->window) return;
  server->previous = window == server->window + 1 ? server->current : 0;
  server->current = 0;
  server->window = window;
}

static bool count_in_windows(struct counting_server *server, int64_t at_us, int64_t units) {
  turn_window(server, at_us);
  double weight = 0;
  if (server->algorithm == SLIDING_COUNTER)
    weight =
        1 - (double)((at_us + server->phase_us) % server->period_us) / (double)server->period_us;
  /* As the common implementations do, looks at what was counted before this request. */
  bool good =
      server->algorithm == SLIDING_COUNTER
          ? (double)server->previous * weight + (double)server->current < (double)server->count
          : server->current + units <= server->count;
  if (good) server->current += units;
  return good;
}

static bool count_in_level(struct counting_server *server, int64_t at_us, int64_t units) {
  double flow =
      (double)(at_us - server->level_at_us) * (double)server->count / (double)server->period_us;
  server->level_at_us = at_us;
  if (server->algorithm == TOKEN_BUCKET) {
    server->level += flow;
    if (server->level > (double)server->count) server->level = (double)server->count;
    if (server->level < (double)units) return false;
    server->level -= (double)units;
    return true;
  }
  double burst = server->algorithm == LEAKY_WITH_BURST ? (double)server->count : 1;
  server->level = server->level > flow ? server->level - flow : 0;
  if (server->level + (double)units > burst) return false;
  server->level += (double)units;
  return true;
}

bool counting_server_accepts(struct counting_server *server, int64_t at_us, int64_t units) {
  at_us = (int64_t)((double)at_us * server->drift);
  log_arrival(server, at_us, units);
  bool good;
  if (server->algorithm == SLIDING_LOG)
    good = server->log_units <= server->count;
  else if (server->algorithm == FIXED_WINDOW || server->algorithm == SLIDING_COUNTER)
    good = count_in_windows(server, at_us, units);
  else
    good = count_in_level(server, at_us, units);
  server->accepted += good ? units : 0;
  server->refused += good ? 0 : 1;
  return good;
}
