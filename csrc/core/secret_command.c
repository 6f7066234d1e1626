/*
** A shell runs the shell that runs the line, and tells afterwards what that one ended with: waitpid does so only
** where nobody else has the say over SIGCHLD.
*/
#include "secret_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "secret_source.h"

#define OUTCOME_FILENO 3
#define SIGNALLED      128                   /* above it a shell's status names a signal */
#define REAP_PAUSE_US  (MR_MILLISECOND / 10) /* between two looks at one that was killed */

extern char **environ;

/*
** {======================================================
** Start
** =======================================================
*/

/* Signals as a fresh process has them, whatever the host made of its own. */
static int set_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int failure = posix_spawnattr_setsigmask(attributes, &none);
  if (failure == 0) failure = posix_spawnattr_setsigdefault(attributes, &all);
  if (failure == 0) failure = posix_spawnattr_setpgroup(attributes, 0);
  if (failure == 0)
    failure = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                       POSIX_SPAWN_SETPGROUP);
  return failure;
}

/* All sources have numbers above those that they get: nothing is overwritten before its turn. */
static int set_actions(posix_spawn_file_actions_t *actions, int output, int outcome) {
  int failure = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
  if (failure == 0) failure = posix_spawn_file_actions_adddup2(actions, outcome, OUTCOME_FILENO);
  if (failure == 0)
    failure = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  return failure;
}

/* Returns an errno value, 0 for success. */
static int spawn(struct mr_secret_command *command, int output, int outcome) {
  posix_spawn_file_actions_t actions;
  int failure = posix_spawn_file_actions_init(&actions);
  if (failure != 0) return failure;
  posix_spawnattr_t attributes;
  failure = posix_spawnattr_init(&attributes);
  if (failure == 0) {
    failure = set_actions(&actions, output, outcome);
    if (failure == 0) failure = set_attributes(&attributes);
    char shell[] = "sh", option[] = "-c", script[] = "/bin/sh -c \"$1\" 3>&-; echo $? >&3";
    char *arguments[] = {shell, option, script, shell, (char *)command->line, NULL};
    if (failure == 0)
      failure =
          posix_spawn(&command->process, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
  return failure;
}

static void close_end(int *end) {
  if (*end >= 0) close(*end);
  *end = -1;
}

/* The reader's end does not wait; the writer's is none of the numbers that the command has its own at. */
static int open_pipe(int ends[2]) {
  ends[0] = ends[1] = -1;
  if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return errno;
  if (ends[1] > OUTCOME_FILENO) return 0;
  int higher = fcntl(ends[1], F_DUPFD_CLOEXEC, OUTCOME_FILENO + 1);
  if (higher < 0) return errno;
  close(ends[1]);
  ends[1] = higher;
  return 0;
}

enum mr_kind mr_secret_command_start(struct mr_secret_command *command, const char *line,
                                     struct mr_error *error) {
  int output[2], outcome[2] = {-1, -1};
  *command = (struct mr_secret_command){.line = line, .output = -1, .outcome = -1};
  int failure = open_pipe(output);
  if (failure == 0) failure = open_pipe(outcome);
  if (failure == 0) failure = spawn(command, output[1], outcome[1]);
  close_end(&output[1]);
  close_end(&outcome[1]);
  command->output = output[0];
  command->outcome = outcome[0];
  if (failure == 0) return MR_NONE;
  command->process = 0;
  mr_secret_command_leave(command);
  return mr_fail(error, MR_AUTH, "the credential's command cannot be started (%s): %s",
                 strerror(failure), line);
}

/* }====================================================== */

/*
** {======================================================
** While it runs
** =======================================================
*/

static enum mr_kind read_output(struct mr_secret_command *command, struct mr_buffer *out,
                                struct mr_error *error) {
  for (bool more = true; more;) {
    enum mr_kind kind = mr_secret_read_some(command->output, out, &more);
    if (kind == MR_LIMIT) return mr_fail(error, kind, "no memory for a credential");
    if (kind == MR_IO && errno == EAGAIN) return MR_NONE;
    if (kind)
      return mr_fail(error, MR_AUTH,
                     "the output of the credential's command cannot be read (%s): %s",
                     strerror(errno), command->line);
  }
  command->is_silent = true;
  return MR_NONE;
}

static enum mr_kind fail_signal(const struct mr_secret_command *command, int number,
                                struct mr_error *error) {
  return mr_fail(error, MR_AUTH, "the credential's command was ended by signal %d: %s", number,
                 command->line);
}

/* 'status' is the outer shell's: -1 when somebody else has it. */
static enum mr_kind judge(const struct mr_secret_command *command, int status,
                          struct mr_error *error) {
  char text[8] = "";
  ssize_t size = read(command->outcome, text, sizeof text - 1);
  long code = size > 0 ? strtol(text, NULL, 10) : -1;
  if (code == 0) return MR_NONE;
  if (code > SIGNALLED) return fail_signal(command, (int)code - SIGNALLED, error);
  if (code > 0)
    return mr_fail(error, MR_AUTH, "the credential's command failed with exit status %ld: %s", code,
                   command->line);
  if (status >= 0 && WIFSIGNALED(status)) return fail_signal(command, WTERMSIG(status), error);
  return mr_fail(error, MR_AUTH, "the exit status of the credential's command is lost: %s",
                 command->line);
}

/* The process has an end: *status is how it came, -1 when somebody else was told. */
static bool has_ended(struct mr_secret_command *command, int *status) {
  pid_t ended;
  *status = -1;
  if (command->process == 0) return true;
  do
    ended = waitpid(command->process, status, WNOHANG);
  while (ended < 0 && errno == EINTR);
  if (ended == 0) return false;
  if (ended < 0) *status = -1;
  command->process = 0;
  return true;
}

enum mr_kind mr_secret_command_look(struct mr_secret_command *command, struct mr_buffer *out,
                                    bool *ended, struct mr_error *error) {
  int status;
  *ended = false;
  enum mr_kind kind = read_output(command, out, error);
  if (kind) return kind;
  *ended = out->size >= out->limit;
  if (*ended || !has_ended(command, &status)) return MR_NONE;
  *ended = true;
  if (!command->is_silent) kind = read_output(command, out, error); /* its last words */
  return kind ? kind : judge(command, status, error);
}

/* }====================================================== */

void mr_secret_command_leave(struct mr_secret_command *command) {
  close_end(&command->output);
  close_end(&command->outcome);
}

bool mr_secret_command_reap(struct mr_secret_command *command) {
  int status;
  return has_ended(command, &status);
}

bool mr_secret_command_kill(struct mr_secret_command *command, int64_t patience_us) {
  mr_secret_command_leave(command);
  if (command->process > 0) kill(-command->process, SIGKILL);
  bool reaped = mr_secret_command_reap(command);
  for (int64_t waited_us = 0; !reaped && waited_us < patience_us; waited_us += REAP_PAUSE_US) {
    mr_clock_pass(REAP_PAUSE_US);
    reaped = mr_secret_command_reap(command);
  }
  return reaped;
}
