/*
** A keeper of limits that does what the test tells it, and notes what it was asked.
*/
#ifndef OBEDIENT_KEEPER_H
#define OBEDIENT_KEEPER_H

#include <stdio.h>
#include <string.h>

#include "core/limiter_remote.h"

struct keeper { /* what it will say, and what it was asked */
  enum mr_keeper_state state;
  const char *why;
  bool refuses; /* asks */
  struct mr_keeper_ask asked;
  char key[64]; /* of the last ask's first window */
  int asks, forks, closed;
  struct mr_keeper_answer answer;
  bool has_answer;
};

static struct keeper keeper; /* the one that is opened next; set anew by every test */

static inline void *open_it(const struct mr_clock *clock, const char *url, struct mr_error *error) {
  (void)clock;
  if (strcmp(url, "good") == 0) return &keeper;
  mr_fail(error, MR_IO, "no such place");
  return NULL;
}

static inline void close_it(void *context) {
  ((struct keeper *)context)->closed++;
}

static inline void fork_it(void *context) {
  ((struct keeper *)context)->forks++;
}

static inline enum mr_keeper_state step_it(void *context, struct mr_error *error) {
  struct keeper *it = context;
  if (it->state == MR_KEEPER_AWAY) mr_fail(error, MR_IO, "%s", it->why);
  return it->state;
}

static inline bool ask_it(void *context, const struct mr_keeper_ask *ask) {
  struct keeper *it = context;
  if (it->refuses) return false;
  it->asks++;
  it->asked = *ask;
  snprintf(it->key, sizeof(it->key), "%s", ask->windows[0].key);
  return true;
}

static inline bool answer_it(void *context, struct mr_keeper_answer *answer) {
  struct keeper *it = context;
  if (!it->has_answer) return false;
  it->has_answer = false;
  *answer = it->answer;
  return true;
}

static const struct mr_keeper_type obedient_keeper_type = {.version = MR_KEEPER_VERSION,
                                                           .name = "somebody",
                                                           .open = open_it,
                                                           .close = close_it,
                                                           .forked = fork_it,
                                                           .step = step_it,
                                                           .ask = ask_it,
                                                           .answer = answer_it};

#endif
