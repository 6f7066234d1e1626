/*
** A server that counts requests against a limit as real ones do, by one of the usual algorithms, and remembers the
** most that it had in any window of the limit's length.
*/
#ifndef COUNTING_SERVER_H
#define COUNTING_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/random.h"

enum counting_algorithm {
  FIXED_WINDOW,
  SLIDING_LOG,
  TOKEN_BUCKET,
  SLIDING_COUNTER,
  LEAKY_WITH_BURST,
  LEAKY_WITHOUT_BURST,
  ALGORITHMS
};

extern const char *const counting_algorithm_names[ALGORITHMS];

struct arrival {
  int64_t at_us, units;
};

struct counting_server {
  enum counting_algorithm algorithm;
  int64_t count, period_us, phase_us;
  double drift;
  struct arrival *log; /* a ring of the arrivals of the last period */
  size_t log_first, log_size, log_capacity;
  int64_t log_units, most;           /* now and ever in one closed window */
  int64_t window, current, previous; /* of counters */
  double level;                      /* tokens left, or water in the bucket */
  int64_t level_at_us;
  int64_t accepted, refused;
};

void counting_server_open(struct counting_server *server, enum counting_algorithm algorithm,
                          int64_t count, int64_t period_us, struct mr_random *random);
void counting_server_close(struct counting_server *server);

/* Counts what has arrived, on the tests' clock; false: it answers with a 429. */
bool counting_server_accepts(struct counting_server *server, int64_t at_us, int64_t units);

#endif
