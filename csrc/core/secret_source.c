/*
** Every byte goes straight from the system into the caller's secret buffer:
** there is no copy on the stack to be wiped.
*/
#include "secret_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "secret_command.h"

#define READ_SIZE    4096
#define LOOK_US      (100 * MR_MILLISECOND) /* between two questions to who watches */
#define REAP_WAIT_MS 2 /* between two looks at a command that is about to end */

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

enum mr_kind mr_secret_read_some(int descriptor, struct mr_buffer *out, bool *more) {
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
    kind = mr_secret_read_some(descriptor, out, &more);
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

/* Until there is more to read, or for a moment when the end is all that is missing. */
static void wait_for(const struct mr_secret_command *command, int64_t left_us) {
  struct pollfd ready[] = {{.fd = command->outcome, .events = POLLIN},
                           {.fd = command->output, .events = POLLIN}};
  if (command->is_silent || poll(ready, 1, 0) > 0)
    poll(NULL, 0, REAP_WAIT_MS);
  else
    poll(ready, 2, (int)(left_us / MR_MILLISECOND) + 1);
}

enum mr_kind mr_secret_read_command(const char *line, int64_t timeout_us,
                                    const struct mr_secret_watch *watch, struct mr_buffer *out,
                                    struct mr_error *error) {
  struct mr_secret_command command;
  int64_t deadline_us = mr_time_after(mr_clock_now(&mr_clock_system), timeout_us);
  enum mr_kind kind = mr_secret_command_start(&command, line, error);
  if (kind != MR_NONE) return kind;
  for (bool ended = false; !ended;) {
    kind = mr_secret_command_look(&command, out, &ended, error);
    if (kind != MR_NONE || ended) break;
    int64_t left_us = deadline_us - mr_clock_now(&mr_clock_system);
    if (left_us <= 0) {
      kind = mr_fail(error, MR_AUTH,
                     "the credential's command did not end in time and was killed: %s", line);
      break;
    }
    if (watch && watch->is_over(watch->context)) {
      kind = mr_fail(error, MR_CANCELLED, "the credential's command was interrupted: %s", line);
      break;
    }
    wait_for(&command, left_us < LOOK_US ? left_us : LOOK_US);
  }
  mr_secret_command_kill(&command, MR_SECOND);
  return kind;
}

/* }====== */
