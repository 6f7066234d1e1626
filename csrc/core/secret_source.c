/*
** Every byte goes straight from the system into the caller's secret buffer:
** there is no copy on the stack to be wiped.
*/
#include "secret_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

#define READ_SIZE    4096
#define REAP_WAIT_MS 2 /* between two looks at a command that has closed its output */

extern char **environ;

const char *mr_secret_source_name(enum mr_secret_source source) {
  static const char *const names[] = {
      [MR_SECRET_LITERAL] = "literal",
      [MR_SECRET_ENV] = "environment variable",
      [MR_SECRET_FILE] = "file",
      [MR_SECRET_COMMAND] = "command",
  };
  return names[source];
}

static enum mr_kind fail_memory(struct mr_error *error) {
  return mr_fail(error, MR_LIMIT, "no memory for a credential");
}

enum mr_kind mr_secret_read_env(const char *name, struct mr_buffer *out, struct mr_error *error) {
  const char *value = getenv(name);
  if (!value)
    return mr_fail(error, MR_AUTH, "no credential: set the environment variable %s", name);
  size_t room = out->limit - out->size, size = strlen(value);
  if (mr_buffer_append(out, value, size < room ? size : room) != MR_NONE) return fail_memory(error);
  return MR_NONE;
}

/* Reads once. *more is false at the end and when the buffer is full. MR_IO leaves errno. */
static enum mr_kind read_some(int descriptor, struct mr_buffer *out, bool *more) {
  size_t room = out->limit - out->size;
  if (room > READ_SIZE) room = READ_SIZE;
  if (mr_buffer_reserve(out, room) != MR_NONE) return MR_LIMIT;
  ssize_t count;
  do
    count = room > 0 ? read(descriptor, out->data + out->size, room) : 0;
  while (count < 0 && errno == EINTR);
  if (count < 0) return MR_IO;
  out->size += (size_t)count;
  if (out->data) out->data[out->size] = '\0';
  *more = count > 0;
  return MR_NONE;
}

/* {====== Files ====== */

/* What root puts in place for a service is readable by others as its author meant it to be, and
** its reader could not change that: no complaint, as long as nobody else can write it. To root
** itself, every file looks like that: only those below /run are handed out by the system. */
static bool is_private(const char *path, const struct stat *status) {
  if ((status->st_mode & 077) == 0) return true;
  if (status->st_uid != 0 || (status->st_mode & 022) != 0) return false;
  return geteuid() != 0 || strncmp(path, "/run/", 5) == 0 || strncmp(path, "/var/run/", 9) == 0;
}

static enum mr_kind check_file(int descriptor, const char *path, struct mr_error *error) {
  struct stat status;
  if (fstat(descriptor, &status) != 0)
    return mr_fail(error, MR_AUTH, "the credential's file cannot be read (%s): %s", strerror(errno),
                   path);
  if (!S_ISREG(status.st_mode))
    return mr_fail(error, MR_AUTH,
                   "the credential's file is no regular file; use a command instead: %s", path);
  if (!is_private(path, &status))
    return mr_fail(error, MR_AUTH, "the credential's file is open to other users; run chmod 600 %s",
                   path);
  return MR_NONE;
}

static enum mr_kind read_file(int descriptor, const char *path, struct mr_buffer *out,
                              struct mr_error *error) {
  enum mr_kind kind = check_file(descriptor, path, error);
  if (kind != MR_NONE) return kind;
  bool more = true;
  while (kind == MR_NONE && more)
    kind = read_some(descriptor, out, &more);
  if (kind == MR_IO)
    return mr_fail(error, MR_AUTH, "the credential's file cannot be read (%s): %s", strerror(errno),
                   path);
  return kind == MR_NONE ? MR_NONE : fail_memory(error);
}

/* Not blocking: a pipe is refused, not waited for. */
enum mr_kind mr_secret_read_file(const char *path, struct mr_buffer *out, struct mr_error *error) {
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0)
    return mr_fail(error, MR_AUTH, "the credential's file cannot be opened (%s): %s",
                   strerror(errno), path);
  enum mr_kind kind = read_file(descriptor, path, out, error);
  close(descriptor);
  return kind;
}

/* }====== */

/* {====== Commands ====== */

struct command {
  const char *line;
  pid_t process; /* leads a group of its own */
  int output;
  int64_t deadline_us;
};

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

/* The output first: in a host without standard input its number may be 0. */
static int set_actions(posix_spawn_file_actions_t *actions, int output) {
  int failure = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
  if (failure == 0)
    failure = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  return failure;
}

/* Returns an errno value, 0 for success. */
static int spawn(struct command *command, int output) {
  posix_spawn_file_actions_t actions;
  int failure = posix_spawn_file_actions_init(&actions);
  if (failure != 0) return failure;
  posix_spawnattr_t attributes;
  failure = posix_spawnattr_init(&attributes);
  if (failure == 0) {
    failure = set_actions(&actions, output);
    if (failure == 0) failure = set_attributes(&attributes);
    char shell[] = "sh", option[] = "-c";
    char *arguments[] = {shell, option, (char *)command->line, NULL};
    if (failure == 0)
      failure =
          posix_spawn(&command->process, "/bin/sh", &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
  return failure;
}

static enum mr_kind start(struct command *command, struct mr_error *error) {
  int ends[2];
  int failure = pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
  if (failure == 0) {
    failure = spawn(command, ends[1]);
    close(ends[1]);
    if (failure != 0) close(ends[0]);
  }
  if (failure != 0)
    return mr_fail(error, MR_AUTH, "the credential's command cannot be started (%s): %s",
                   strerror(failure), command->line);
  command->output = ends[0];
  return MR_NONE;
}

static int64_t remaining_us(const struct command *command) {
  return command->deadline_us - mr_clock_now(&mr_clock_system);
}

static enum mr_kind fail_late(const struct command *command, struct mr_error *error) {
  return mr_fail(error, MR_AUTH, "the credential's command did not end in time and was killed: %s",
                 command->line);
}

static enum mr_kind drain(const struct command *command, struct mr_buffer *out,
                          struct mr_error *error) {
  for (bool more = true; more;) {
    int64_t left_us = remaining_us(command);
    if (left_us <= 0) return fail_late(command, error);
    struct pollfd ready = {.fd = command->output, .events = POLLIN};
    if (poll(&ready, 1, (int)(left_us / MR_MILLISECOND) + 1) <= 0) continue;
    enum mr_kind kind = read_some(command->output, out, &more);
    if (kind == MR_LIMIT) return fail_memory(error);
    if (kind != MR_NONE)
      return mr_fail(error, MR_AUTH,
                     "the output of the credential's command cannot be read (%s): %s",
                     strerror(errno), command->line);
  }
  return MR_NONE;
}

static enum mr_kind judge(const struct command *command, int status, struct mr_error *error) {
  if (WIFSIGNALED(status))
    return mr_fail(error, MR_AUTH, "the credential's command was ended by signal %d: %s",
                   WTERMSIG(status), command->line);
  if (WEXITSTATUS(status) != 0)
    return mr_fail(error, MR_AUTH, "the credential's command failed with exit status %d: %s",
                   WEXITSTATUS(status), command->line);
  return MR_NONE;
}

static void kill_command(const struct command *command) {
  kill(-command->process, SIGKILL);
  while (waitpid(command->process, NULL, 0) < 0 && errno == EINTR) {
  }
}

/* Waits for the end of a command that has closed its output. */
static enum mr_kind reap(const struct command *command, struct mr_error *error) {
  for (;;) {
    int status;
    pid_t ended = waitpid(command->process, &status, WNOHANG);
    if (ended == command->process) return judge(command, status, error);
    if (ended < 0 && errno != EINTR)
      return mr_fail(error, MR_AUTH, "the exit status of the credential's command is lost (%s): %s",
                     strerror(errno), command->line);
    if (remaining_us(command) <= 0) {
      kill_command(command);
      return fail_late(command, error);
    }
    poll(NULL, 0, REAP_WAIT_MS);
  }
}

enum mr_kind mr_secret_read_command(const char *line, int64_t timeout_us, struct mr_buffer *out,
                                    struct mr_error *error) {
  struct command command = {
      .line = line,
      .deadline_us = mr_time_after(mr_clock_now(&mr_clock_system), timeout_us),
  };
  enum mr_kind kind = start(&command, error);
  if (kind != MR_NONE) return kind;
  kind = drain(&command, out, error);
  close(command.output);
  if (kind == MR_NONE && out->size < out->limit) return reap(&command, error);
  kill_command(&command);
  return kind;
}

/* }====== */
