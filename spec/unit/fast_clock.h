/*
** Time that passes at a word, for programs that are whole: the library's own clock runs with the system's and jumps
** ahead when told to, so that a second of a game takes no second. A program that uses it is linked with
** -Wl,--wrap=clock_gettime. Processes that are forked later share the time.
*/
#ifndef FAST_CLOCK_H
#define FAST_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

bool fast_clock_open(void); /* false: no memory */
void fast_clock_pass(int64_t time_us);

/* In this process the time of day jumps too, so many times as far. */
void fast_clock_hurry_wall(int times);

#endif
