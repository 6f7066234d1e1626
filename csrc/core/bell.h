/*
** A descriptor that another thread makes readable, and the time as poll and epoll take it.
*/
#ifndef MR_BELL_H
#define MR_BELL_H

#include <stdint.h>

int mr_bell_open(void); /* -1 and errno: there is none to be had */
void mr_bell_ring(int bell);
void mr_bell_drain(
    int descriptor); /* not readable any more until it rings again; also for timers */

/* For poll: milliseconds, rounded up; 0 for what is over, -1 for MR_NEVER. */
int mr_bell_patience_ms(int64_t wait_us);

#endif
