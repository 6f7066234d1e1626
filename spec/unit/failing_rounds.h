/*
** Runs a program again and again in rounds: in each another allocation fails. Rounds run in processes of their own, as
** many at a time as there are processors; a process plays some rounds and makes room for the next one. One that dies,
** hangs or finds a problem is told of with its round, and the others go on.
**
** How much is done is the caller's choice and, before that, of two variables of the environment:
**   MOONREST_EVERY_ALLOCATION=all       every n, with a line of progress every ten seconds; FROM,TO: every n of a range
**   MOONREST_SAMPLE_SEED=N              without the first: which n are taken beside those that always are
*/
#ifndef FAILING_ROUNDS_H
#define FAILING_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failing_memory.h"

struct failing_round {
  size_t n; /* of the allocation that fails; 0: none does */
  enum failing_mode mode;
};

struct failing_program {
  const char *name;
  bool starts_whole;                               /* no allocation before the first frame fails */
  void (*begin)(void);                             /* in a new process; may be NULL */
  bool (*play)(const struct failing_round *round); /* false: there was no n-th allocation */
  void (*end)(void); /* of a process that comes to its end; may be NULL */
};

/* In a round: tells of a problem and ends the process. */
_Noreturn void failing_rounds_problem(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* To be called in the round in which nothing fails: so many allocations there are, so many of them before the first
** frame. */
void failing_rounds_count(size_t all, size_t at_start);

/* Returns how many problems there were; they are on stderr. A sample is twice 'samples' n in frames, of which half are
** always the same and half are chosen by the seed, which is a sum over the program itself; and half as many before. */
size_t failing_rounds_run(const struct failing_program *program, size_t samples);

#endif
