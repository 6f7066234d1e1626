/*
** Host programs under allocators that fail: what game and script have in common. Each round is the life of a lua_State:
** it is opened and starts the program, plays frames in time that is hurried, in one of which an allocation fails, and
** is closed. What must hold:
**   - no crash, no hang; no block, no descriptor and no thread is left;
**   - a step, a frame and a start fail only where memory was short, and every word about it says so;
**   - with memory again the program does what it did, no request is left over, and no slot of a limit is lost.
*/
#ifndef HOST_ROUNDS_H
#define HOST_ROUNDS_H

#include <stdbool.h>
#include <stddef.h>

struct host_program {
  const char *name;
  int frames;        /* of a sixtieth of a second */
  bool starts_whole; /* only allocations in frames fail */

  /* In the process of the sandbox: leaves the globals 'server', started, and 'system', and restore(), which is called
  ** before each round: all is as it was. */
  const char *furnish;

  /* A chunk that starts the program, with the system's base URL and token. It leaves globals:
  **   client                  of that system; its limits are looked at
  **   frame(number)           draws; called after each step
  **   again(), is_whole()     starts afresh; whether that is done
  **   complaints()            a list of all errors that were seen, as texts
  ** It may run a second time in the same state, when the first was cut short. */
  const char *start;
};

/* Returns how many problems there were. */
size_t host_rounds_run(const struct host_program *program, size_t samples);

#endif
