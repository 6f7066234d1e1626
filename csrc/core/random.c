/*
** xoshiro256** by Blackman and Vigna, its state filled by splitmix64 as its
** authors advise: equal seeds give equal numbers on every machine.
*/
#include "random.h"

#include <stddef.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/random.h>
#endif

static uint64_t rotate_left(uint64_t value, int bits) {
  return (value << bits) | (value >> (64 - bits));
}

static uint64_t splitmix_next(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
  return z ^ (z >> 31);
}

void mr_random_seed(struct mr_random *random, uint64_t seed) {
  for (size_t i = 0; i < 4; i++)
    random->state[i] = splitmix_next(&seed);
}

/* Mixed, because times and process ids of neighbours differ in few bits. */
static uint64_t weak_seed(void) {
  struct timespec now = {0, 0};
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t state = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
  state ^= (uint64_t)getpid() << 40;
  return splitmix_next(&state);
}

uint64_t mr_random_seed_from_system(void) {
#ifdef __linux__
  uint64_t seed;
  if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed)) return seed;
#endif
  return weak_seed();
}

uint64_t mr_random_next(struct mr_random *random) {
  uint64_t *s = random->state;
  uint64_t result = rotate_left(s[1] * 5, 7) * 9;
  uint64_t t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate_left(s[3], 45);
  return result;
}

/* The lowest 2^64 mod bound numbers are drawn again: they would favour small results. */
int64_t mr_random_below(struct mr_random *random, int64_t bound) {
  if (bound <= 1) return 0;
  uint64_t size = (uint64_t)bound;
  uint64_t skip = (UINT64_MAX - size + 1) % size; /* 2^64 mod bound */
  uint64_t draw;
  do
    draw = mr_random_next(random);
  while (draw < skip);
  return (int64_t)(draw % size);
}
