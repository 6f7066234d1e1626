/*
** The table behind exact conversion between decimal and binary. Constant data.
*/
#ifndef MR_JSON_POWERS_H
#define MR_JSON_POWERS_H

#include <stdint.h>

#define MR_POWER_MIN (-342)
#define MR_POWER_MAX 324

/* high:low is 5^e, rounded up, scaled by a power of two so that its top bit is set. */
struct mr_power {
  uint64_t high;
  uint64_t low;
};

extern const struct mr_power mr_powers_of_five[MR_POWER_MAX - MR_POWER_MIN + 1];

#endif
