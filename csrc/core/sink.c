#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "descriptor.h"
#include "memory.h"

#define SUFFIX_SIZE 40
#define NAME_TRIES  100 /* other downloads of this process to the same target */

enum mr_kind mr_sink_init(struct mr_sink *sink, const char *path, struct mr_error *error) {
  *sink = (struct mr_sink){.descriptor = -1, .mode = 0666};
  sink->path = mr_duplicate(path, strlen(path));
  if (!sink->path) return mr_fail(error, MR_LIMIT, "out of memory");
  return MR_NONE;
}

static enum mr_kind io_error(const struct mr_sink *sink, const char *verb, struct mr_error *error) {
  return mr_fail(error, MR_IO, "cannot %s '%.120s': %s", verb, sink->path, strerror(errno));
}

/* The finished file takes the place of what stands at the path. That may be a file, or the file that a symbolic link
** leads to; a directory, a device or a pipe must stay what it is. */
static enum mr_kind check_target(struct mr_sink *sink, struct mr_error *error) {
  struct stat facts;
  if (stat(sink->path, &facts) != 0) {
    if (errno == ENAMETOOLONG) return io_error(sink, "write", error); /* before the download */
    return MR_NONE; /* nothing there yet, or the file's creation tells */
  }
  if (!S_ISREG(facts.st_mode))
    return mr_fail(error, MR_IO, "cannot write '%.120s': it is there, and no regular file",
                   sink->path);
  char *real = realpath(sink->path, NULL);
  char *path = real ? mr_duplicate(real, strlen(real)) : NULL;
  free(real);
  if (!path) return mr_fail(error, MR_LIMIT, "out of memory");
  mr_free(sink->path);
  sink->path = path;
  sink->mode = facts.st_mode & 0777;
  sink->replaces = true;
  return MR_NONE;
}

/* The folder of the path, "." where it names none. NULL: no memory. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  size_t size = slash == path ? 1 : slash ? (size_t)(slash - path) : 1;
  return mr_duplicate(slash ? path : ".", size);
}

static enum mr_kind no_place(const struct mr_sink *sink, struct mr_error *error) {
  return mr_fail(
      error, MR_IO,
      "cannot create a file beside '%.120s': %s; is there such a folder, and may you write there?",
      sink->path, strerror(errno));
}

/* How much of the path a temporary name begins with: all, or what leaves its last part room for the suffix, with no
** character of UTF-8 cut in the middle. */
static size_t stem_size(const char *path) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t size = strlen(name);
  if (size <= NAME_MAX - SUFFIX_SIZE) return (size_t)(name - path) + size;
  size = NAME_MAX - SUFFIX_SIZE;
  while (size > 0 && ((unsigned char)name[size] & 0xC0) == 0x80)
    size--;
  return (size_t)(name - path) + size;
}

/* Calls make() for names beside the target until one is free. The name is left in 'temporary'. */
static enum mr_kind take_name(struct mr_sink *sink, int (*make)(struct mr_sink *sink),
                              struct mr_error *error) {
  size_t stem = stem_size(sink->path), size = stem + SUFFIX_SIZE;
  sink->temporary = mr_alloc(size);
  if (!sink->temporary) return mr_fail(error, MR_LIMIT, "out of memory");
  for (int i = 0; i < NAME_TRIES; i++) {
    snprintf(sink->temporary, size, "%.*s.%ld-%d.part", (int)stem, sink->path, (long)getpid(), i);
    if (make(sink) == 0) return MR_NONE;
    if (errno != EEXIST) break;
  }
  no_place(sink, error);
  mr_free(sink->temporary);
  sink->temporary = NULL;
  return MR_IO;
}

static int make_named(struct mr_sink *sink) {
  int made = open(sink->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, sink->mode);
  sink->descriptor = mr_descriptor_keep(made);
  if (sink->descriptor >= 0) return 0;
  int reason = errno;
  if (made >= 0) unlink(sink->temporary);
  errno = reason;
  return -1;
}

/* {====== Files without a name ====== */

#ifdef O_TMPFILE

static void descriptor_path(const struct mr_sink *sink, char out[SUFFIX_SIZE]) {
  snprintf(out, SUFFIX_SIZE, "/proc/self/fd/%d", sink->descriptor);
}

/* False where the file system, or /proc, without which the file can get no name, does not allow it. */
static bool open_nameless(struct mr_sink *sink) {
  char *folder = folder_of(sink->path);
  if (!folder) return false;
  sink->descriptor = mr_descriptor_keep(open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, sink->mode));
  mr_free(folder);
  if (sink->descriptor < 0) return false;
  char path[SUFFIX_SIZE];
  descriptor_path(sink, path);
  if (access(path, F_OK) == 0) return true;
  close(sink->descriptor);
  sink->descriptor = -1;
  return false;
}

static int link_to(const struct mr_sink *sink, const char *name) {
  char path[SUFFIX_SIZE];
  descriptor_path(sink, path);
  return linkat(AT_FDCWD, path, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static int link_beside(struct mr_sink *sink) {
  return link_to(sink, sink->temporary);
}

/* A link replaces nothing: where something stands at the path, the file gets a name beside it, which is then renamed. */
static enum mr_kind give_name(struct mr_sink *sink, struct mr_error *error) {
  if (link_to(sink, sink->path) == 0) return MR_NONE;
  if (errno != EEXIST) return io_error(sink, "finish", error);
  return take_name(sink, link_beside, error);
}

#else

static bool open_nameless(struct mr_sink *sink) {
  (void)sink;
  return false;
}

static enum mr_kind give_name(struct mr_sink *sink, struct mr_error *error) {
  return io_error(sink, "finish", error);
}

#endif

/* }====== */

static enum mr_kind create(struct mr_sink *sink, struct mr_error *error) {
  enum mr_kind kind = check_target(sink, error);
  if (!kind && !open_nameless(sink)) kind = take_name(sink, make_named, error);
  if (!kind && sink->replaces) fchmod(sink->descriptor, sink->mode); /* where there are modes */
  return kind;
}

static bool is_open_folder(const char *name) {
  struct stat facts;
  if (stat(name, &facts) != 0) return false;
  errno = ENOTDIR;
  return S_ISDIR(facts.st_mode) && faccessat(AT_FDCWD, name, W_OK | X_OK, AT_EACCESS) == 0;
}

enum mr_kind mr_sink_check(struct mr_sink *sink, struct mr_error *error) {
  enum mr_kind kind = check_target(sink, error);
  if (kind) return kind;
  char *folder = folder_of(sink->path);
  if (!folder) return mr_fail(error, MR_LIMIT, "out of memory");
  if (!is_open_folder(folder)) kind = no_place(sink, error);
  mr_free(folder);
  return kind;
}

enum mr_kind mr_sink_open(struct mr_sink *sink, struct mr_error *error) {
  sink->size = 0;
  if (sink->descriptor < 0) return create(sink, error);
  if (ftruncate(sink->descriptor, 0) != 0 || lseek(sink->descriptor, 0, SEEK_SET) != 0)
    return io_error(sink, "empty", error);
  return MR_NONE;
}

enum mr_kind mr_sink_write(struct mr_sink *sink, const char *bytes, size_t size,
                           struct mr_error *error) {
  while (size > 0) {
    ssize_t written = write(sink->descriptor, bytes, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return io_error(sink, "write", error);
    bytes += written;
    size -= (size_t)written;
    sink->size += (uint64_t)written;
  }
  return MR_NONE;
}

/* Some file systems tell of a failed write when a descriptor is closed: while the file has no name yet, it must be one
** that can be spared. A process that has no more of them waits until all is on the disk. */
static bool is_written(const struct mr_sink *sink) {
  int other = dup(sink->descriptor);
  return other >= 0 ? close(other) == 0 : fsync(sink->descriptor) == 0;
}

enum mr_kind mr_sink_finish(struct mr_sink *sink, struct mr_error *error) {
  if (!is_written(sink)) return io_error(sink, "finish", error);
  enum mr_kind kind = sink->temporary ? MR_NONE : give_name(sink, error);
  if (kind) return kind;
  if (sink->temporary && rename(sink->temporary, sink->path) != 0)
    return io_error(sink, "finish", error);
  close(sink->descriptor);
  sink->descriptor = -1;
  mr_free(sink->temporary);
  sink->temporary = NULL;
  return MR_NONE;
}

void mr_sink_discard(struct mr_sink *sink) {
  if (sink->descriptor >= 0) close(sink->descriptor);
  if (sink->temporary) unlink(sink->temporary);
  mr_free(sink->temporary);
  sink->temporary = NULL;
  sink->descriptor = -1;
}

void mr_sink_leave(struct mr_sink *sink) {
  mr_free(sink->temporary);
  sink->temporary = NULL;
  mr_sink_discard(sink);
}

void mr_sink_free(struct mr_sink *sink) {
  mr_sink_discard(sink);
  mr_free(sink->path);
  sink->path = NULL;
}

enum mr_kind mr_source_open(struct mr_source *source, const char *path, struct mr_error *error) {
  struct stat facts;
  *source = (struct mr_source){
      .descriptor = mr_descriptor_keep(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC))};
  if (source->descriptor < 0 || fstat(source->descriptor, &facts) != 0)
    return mr_fail(error, MR_IO, "cannot read '%.120s': %s", path, strerror(errno));
  if (!S_ISREG(facts.st_mode))
    return mr_fail(error, MR_IO, "cannot upload '%.120s': not a regular file", path);
  source->path = mr_duplicate(path, strlen(path));
  if (!source->path) return mr_fail(error, MR_LIMIT, "out of memory");
  source->size = (uint64_t)facts.st_size;
  return MR_NONE;
}

int64_t mr_source_read(struct mr_source *source, char *bytes, size_t size) {
  uint64_t left = source->size - source->offset;
  if (left == 0) return 0;
  if (size > left) size = (size_t)left;
  ssize_t count = pread(source->descriptor, bytes, size, (off_t)source->offset);
  if (count <= 0) return -1;
  source->offset += (uint64_t)count;
  return count;
}

void mr_source_free(struct mr_source *source) {
  if (source->descriptor >= 0) close(source->descriptor);
  mr_free(source->path);
  *source = (struct mr_source){.descriptor = -1};
}
