/*
** The file through which the limiters of a user's processes share their
** buckets: its layout, how it is opened, who takes part. It lies in a directory
** of the user's own, in memory, with mode 0600; links and what belongs to others
** are refused, and what looks damaged is left alone.
**
** The file is only ever made longer. Whoever truncates it while it is in use (only its owner can) takes the memory
** away from under every process that shares it, which then ends with SIGBUS: delete it instead, that is harmless.
**
** A process takes part by holding a lock on one byte of the file that the kernel releases
** however the process ends; that is how the others learn of its death.
*/
#ifndef MR_SHARED_FILE_H
#define MR_SHARED_FILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "bucket.h"
#include "clock.h"
#include "error.h"

#define MR_SHARED_VERSION   2
#define MR_SHARED_PROCESSES 128
#define MR_SHARED_ENTRIES   4096
#define MR_SHARED_CLASSES   16                 /* block sizes: 4 KiB, 8 KiB, ... */
#define MR_SHARED_FIRST     (1024 * 1024)      /* bytes of a new file, and of what it grows by */
#define MR_SHARED_MOST      (64 * 1024 * 1024) /* bytes of address space for it */

struct mr_shared_entry { /* a bucket; keys are hashed, so that the file tells nothing */
  uint64_t key[2];
  uint64_t block;                           /* its place in the file; 0: a free entry */
  uint64_t users[MR_SHARED_PROCESSES / 64]; /* a bit for each process that has it open */
};

struct mr_shared_holding { /* what one process holds of a bucket */
  int64_t pending, unsent;
  int64_t running;
};

struct mr_shared_block { /* followed by the cells of the state */
  uint64_t next;         /* in a list of free blocks */
  uint32_t size_class;
  uint32_t unused;
  struct mr_shared_holding holdings[MR_SHARED_PROCESSES];
  struct mr_bucket_state state;
};

struct mr_shared_undo { /* a bucket as it was before the present change */
  uint64_t block;
  struct mr_shared_holding holding;
  struct mr_bucket_state state;
};

struct mr_shared_header {
  _Atomic uint64_t magic; /* written last */
  uint32_t version, layout;
  pthread_mutex_t lock; /* robust */
  uint64_t size, top;   /* bytes of the file, and in use */
  uint64_t free_blocks[MR_SHARED_CLASSES];
  char boot_id[40];
  int64_t last_us, wall_us;               /* a moment of both clocks, not long ago */
  int64_t reaped_us;                      /* when somebody last looked for the dead */
  uint32_t shifting;                      /* all times are being moved */
  uint8_t processes[MR_SHARED_PROCESSES]; /* 1: takes part, or has died */
  _Atomic uint32_t undo_count;
  uint32_t undo_process;
  struct mr_shared_undo undo[MR_TICKET_BUCKETS];
  uint32_t entry_end; /* from here on all entries are free: their memory is not even looked at */
  struct mr_shared_entry entries[MR_SHARED_ENTRIES];
};

struct mr_shared_file {
  int descriptor;
  uint32_t process; /* which of the bytes is ours */
  int owner;        /* process id of who opened it: a child of fork must not speak for it */
  union {
    struct mr_shared_header *header;
    char *bytes;
  };
  char path[256];
};

/* MR_IO: the message says what is wrong with which file. NULL path: the default place. */
enum mr_kind mr_shared_file_open(struct mr_shared_file *file, const char *path,
                                 struct mr_error *error);
void mr_shared_file_close(struct mr_shared_file *file);

/* The next free byte lock becomes this process's; MR_IO: all are taken. */
enum mr_kind mr_shared_file_join(struct mr_shared_file *file, struct mr_error *error);
bool mr_shared_file_is_alive(const struct mr_shared_file *file, uint32_t process);
/* More bytes at the end, really allocated: a full disk must be an error here and no signal later. */
bool mr_shared_file_grow(struct mr_shared_file *file, uint64_t size);
void mr_shared_boot_id(char id[40]);

#endif
