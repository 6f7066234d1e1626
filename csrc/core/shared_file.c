#include "shared_file.h"
#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAGIC     UINT64_C(0x747365726e6f6f6d) /* "moonrest" */
#define FILE_NAME "limits-2"
#define INIT_BYTE (INT64_C(1) << 40) /* locks are on bytes far behind the content */
#define JOIN_BYTE (INIT_BYTE + 1)

/* Whatever two builds could lay out differently. */
static uint32_t layout(void) {
  uint64_t sum = sizeof(struct mr_shared_header);
  sum = sum * 31 + sizeof(struct mr_shared_block);
  sum = sum * 31 + sizeof(struct mr_window);
  sum = sum * 31 + sizeof(pthread_mutex_t) + sizeof(void *);
#ifdef __GLIBC__
  sum = sum * 31 + 1;
#endif
  return (uint32_t)(sum ^ (sum >> 32));
}

static enum mr_kind refuse(const struct mr_shared_file *file, struct mr_error *error,
                           const char *why) {
  return mr_fail(error, MR_IO,
                 "the shared limits file %s %s; limits are kept by each process alone", file->path,
                 why);
}

static bool lock_byte(int descriptor, int64_t byte, short type) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
  return fcntl(descriptor, F_OFD_SETLK, &lock) == 0;
}

/* Whoever makes the file needs a moment; somebody who was stopped in it is not waited for. */
static bool lock_for_making(int descriptor) {
  const struct timespec pause = {.tv_nsec = 5000000};
  for (int i = 0; i < 100; i++) {
    if (lock_byte(descriptor, INIT_BYTE, F_WRLCK)) return true;
    nanosleep(&pause, NULL);
  }
  return false;
}

void mr_shared_boot_id(char id[40]) {
  memset(id, 0, 40);
  int descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  if (read(descriptor, id, 36) != 36) memset(id, 0, 40);
  close(descriptor);
}

/*
** {======================================================
** Where it is
** =======================================================
*/

static bool is_mine(const struct stat *status) {
  return status->st_uid == geteuid() && (status->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* A directory that anyone else could have made or can write to is not used. */
static enum mr_kind make_directory(const struct mr_shared_file *file, const char *directory,
                                   struct mr_error *error) {
  struct stat status;
  if (mkdir(directory, 0700) != 0 && errno != EEXIST)
    return refuse(file, error, "cannot be made: no directory for it");
  if (lstat(directory, &status) != 0 || !S_ISDIR(status.st_mode) || !is_mine(&status))
    return refuse(file, error, "is in a directory that is not this user's own");
  return MR_NONE;
}

static enum mr_kind default_path(struct mr_shared_file *file, struct mr_error *error) {
  char directory[200];
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  int size;
  if (runtime && runtime[0] == '/')
    size = snprintf(directory, sizeof(directory), "%s/moonrest", runtime);
  else
    size = snprintf(directory, sizeof(directory), "/dev/shm/moonrest-%u", (unsigned)geteuid());
  if (size < 0 || (size_t)size >= sizeof(directory))
    return mr_fail(error, MR_IO, "XDG_RUNTIME_DIR is longer than %zu bytes", sizeof(directory));
  snprintf(file->path, sizeof(file->path), "%s/" FILE_NAME, directory);
  return make_directory(file, directory, error);
}

static enum mr_kind set_path(struct mr_shared_file *file, const char *path,
                             struct mr_error *error) {
  if (!path) return default_path(file, error);
  size_t size = strlen(path);
  if (size >= sizeof(file->path))
    return mr_fail(error, MR_IO, "the path of the shared limits file is longer than %zu bytes",
                   sizeof(file->path) - 1);
  memcpy(file->path, path, size + 1);
  return MR_NONE;
}

/* }====================================================== */

/*
** {======================================================
** Making and checking it
** =======================================================
*/

bool mr_shared_file_grow(struct mr_shared_file *file, uint64_t size) {
  if (size > MR_SHARED_MOST) return false;
  return posix_fallocate(file->descriptor, 0, (off_t)size) == 0;
}

static bool init_lock(struct mr_shared_header *header) {
  pthread_mutexattr_t attributes;
  if (pthread_mutexattr_init(&attributes) != 0) return false;
  bool good = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
              pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
              pthread_mutex_init(&header->lock, &attributes) == 0;
  pthread_mutexattr_destroy(&attributes);
  return good;
}

static uint64_t first_block(void) {
  return (sizeof(struct mr_shared_header) + 4095) / 4096 * 4096;
}

static enum mr_kind initialize(struct mr_shared_file *file, struct mr_error *error) {
  struct mr_shared_header *header = file->header;
  if (!mr_shared_file_grow(file, MR_SHARED_FIRST)) {
    bool emptied = ftruncate(file->descriptor, 0) == 0;
    return refuse(file, error, emptied ? "cannot be made: no room on its disk" : "cannot be made");
  }
  memset(header, 0, offsetof(struct mr_shared_header, entries)); /* 'entry_end' says the rest */
  if (!init_lock(header)) return refuse(file, error, "cannot hold a lock on this system");
  header->version = MR_SHARED_VERSION;
  header->layout = layout();
  header->size = MR_SHARED_FIRST;
  header->top = first_block();
  mr_shared_boot_id(header->boot_id);
  atomic_store(&header->magic, MAGIC);
  return MR_NONE;
}

static enum mr_kind check(const struct mr_shared_file *file, uint64_t size,
                          struct mr_error *error) {
  const struct mr_shared_header *header = file->header;
  if (atomic_load(&header->magic) != MAGIC) return refuse(file, error, "is not one of ours");
  if (header->version != MR_SHARED_VERSION || header->layout != layout())
    return refuse(file, error, "is of another version");
  if (header->size > size || header->top > header->size || header->top < first_block() ||
      header->size > MR_SHARED_MOST)
    return refuse(file, error, "is damaged (truncated); delete it when nobody uses it");
  return MR_NONE;
}

/* Made by the first one to come, under a lock that dies with it: what has no magic then was left unfinished. */
static enum mr_kind initialize_or_check(struct mr_shared_file *file, struct mr_error *error) {
  struct stat status;
  if (fstat(file->descriptor, &status) != 0) return refuse(file, error, "cannot be read");
  if (status.st_size == 0) return initialize(file, error);
  if ((uint64_t)status.st_size < sizeof(struct mr_shared_header))
    return refuse(file, error, "is not one of ours, or damaged (truncated)");
  bool unfinished = atomic_load(&file->header->magic) == 0;
  if (unfinished && status.st_size == MR_SHARED_FIRST) return initialize(file, error);
  return check(file, (uint64_t)status.st_size, error);
}

static enum mr_kind open_descriptor(struct mr_shared_file *file, struct mr_error *error) {
  struct stat status;
  file->descriptor = mr_descriptor_keep(
      open(file->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600));
  if (file->descriptor < 0)
    return refuse(file, error, errno == ELOOP ? "is a symbolic link" : "cannot be opened");
  if (fstat(file->descriptor, &status) != 0 || !S_ISREG(status.st_mode))
    return refuse(file, error, "is no regular file");
  if (status.st_uid != geteuid()) return refuse(file, error, "belongs to another user");
  if (status.st_mode & (S_IRWXG | S_IRWXO)) return refuse(file, error, "is open to other users");
  if (status.st_nlink != 1) return refuse(file, error, "has a second name");
  return MR_NONE;
}

static enum mr_kind map(struct mr_shared_file *file, struct mr_error *error) {
  void *bytes = mmap(NULL, MR_SHARED_MOST, PROT_READ | PROT_WRITE, MAP_SHARED, file->descriptor, 0);
  if (bytes == MAP_FAILED) return refuse(file, error, "cannot be mapped");
  file->bytes = bytes;
  if (!lock_for_making(file->descriptor)) return refuse(file, error, "cannot be locked");
  enum mr_kind kind = initialize_or_check(file, error);
  lock_byte(file->descriptor, INIT_BYTE, F_UNLCK);
  return kind;
}

/* }====================================================== */

enum mr_kind mr_shared_file_open(struct mr_shared_file *file, const char *path,
                                 struct mr_error *error) {
  memset(file, 0, sizeof(*file));
  file->descriptor = -1;
  file->owner = (int)getpid();
  enum mr_kind kind = set_path(file, path, error);
  if (!kind) kind = open_descriptor(file, error);
  if (!kind) kind = map(file, error);
  if (kind) mr_shared_file_close(file);
  return kind;
}

void mr_shared_file_close(struct mr_shared_file *file) {
  if (file->bytes) munmap(file->bytes, MR_SHARED_MOST);
  if (file->descriptor >= 0) close(file->descriptor);
  file->bytes = NULL;
  file->descriptor = -1;
}

enum mr_kind mr_shared_file_join(struct mr_shared_file *file, struct mr_error *error) {
  for (uint32_t i = 0; i < MR_SHARED_PROCESSES; i++) {
    if (!lock_byte(file->descriptor, JOIN_BYTE + i, F_WRLCK)) continue;
    file->process = i;
    return MR_NONE;
  }
  return mr_fail(error, MR_IO, "%d processes share the limits in %s already; this one is alone",
                 MR_SHARED_PROCESSES, file->path);
}

/* For the descriptor that holds it a lock looks free, so a process never asks about itself. */
bool mr_shared_file_is_alive(const struct mr_shared_file *file, uint32_t process) {
  struct flock lock = {
      .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = JOIN_BYTE + process, .l_len = 1};
  if (process == file->process) return true;
  return fcntl(file->descriptor, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}
