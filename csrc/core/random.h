/*
** Random numbers for jitter and keys of test runs: seeded, so that a test can
** repeat them. Not for secrets.
*/
#ifndef MR_RANDOM_H
#define MR_RANDOM_H

#include <stdint.h>

struct mr_random {
  uint64_t state[4];
};

void mr_random_seed(struct mr_random *random, uint64_t seed);
uint64_t mr_random_seed_from_system(void); /* getrandom(2), falling back on time and pid */
uint64_t mr_random_next(struct mr_random *random);
/* Uniform in [0, bound); 0 for a bound of 0. */
int64_t mr_random_below(struct mr_random *random, int64_t bound);

#endif
