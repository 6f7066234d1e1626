/*
** Are we still the process that made this? A child of fork has copies of
** everything and owns none of it: its connections, its locks and its slots are the
** parent's. Costs a read, no system call.
*/
#ifndef MR_FORK_MARK_H
#define MR_FORK_MARK_H

#include <stdbool.h>

struct mr_fork_mark {
  volatile unsigned char *page; /* empties itself in a child; NULL: the system cannot do that */
  int process;                  /* asked for instead */
};

void mr_fork_mark_set(struct mr_fork_mark *mark);
void mr_fork_mark_free(struct mr_fork_mark *mark);
bool mr_fork_mark_is_child(const struct mr_fork_mark *mark);

#endif
