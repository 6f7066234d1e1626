/*
** The command that a credential comes from, while it runs: started, looked at without waiting, killed.
**
** It runs in a process group of its own, with signals as a fresh process has them. What it ended with comes through
** a pipe too, so that a host may ignore SIGCHLD or reap children that it does not know.
*/
#ifndef MR_SECRET_COMMAND_H
#define MR_SECRET_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "buffer.h"
#include "error.h"

struct mr_secret_command {
  const char *line;    /* the starter's: for messages */
  pid_t process;       /* leads the group; 0: it has been reaped */
  int output, outcome; /* ends of pipes, never waited for; -1: closed */
  bool is_silent;      /* has closed its output */
};

/* Runs /bin/sh -c 'line', which must outlive the command. MR_AUTH: nothing was started. */
enum mr_kind mr_secret_command_start(struct mr_secret_command *command, const char *line,
                                     struct mr_error *error);

/* Appends what there is by now and stops at out->limit. *ended: it has ended well, or 'out' is full. MR_AUTH: it has
** failed; MR_LIMIT: no memory. Then, as at any time, it is killed. */
enum mr_kind mr_secret_command_look(struct mr_secret_command *command, struct mr_buffer *out,
                                    bool *ended, struct mr_error *error);

/* Closes the pipes, kills the group of one that has not ended, and waits so long at most for the kernel to hand it
** over. False: it is still to be reaped. */
bool mr_secret_command_kill(struct mr_secret_command *command, int64_t patience_us);
bool mr_secret_command_reap(struct mr_secret_command *command);

/* In a child of fork: the command is the parent's, the descriptors are ours. */
void mr_secret_command_leave(struct mr_secret_command *command);

#endif
