#include "limiter_shared.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hash_table.h"
#include "memory.h"
#include "shared_arena.h"

#define LOCK_WAIT_NS   200000000 /* a critical section takes microseconds */
#define TICK_US        (200 * MR_MILLISECOND)
#define CLOCK_SLACK_US MR_SECOND

struct mr_shared {
  struct mr_shared_file file;
  struct mr_clock clock;
  bool broken;
};

static void barrier(void) {
  atomic_signal_fence(memory_order_seq_cst);
}

/*
** {======================================================
** Undo
** =======================================================
*/

static void remember(struct mr_shared_header *header, struct mr_shared_block *block,
                     uint64_t offset, uint32_t process) {
  uint32_t count = atomic_load_explicit(&header->undo_count, memory_order_relaxed);
  struct mr_shared_undo *undo = &header->undo[count % MR_TICKET_BUCKETS];
  header->undo_process = process;
  undo->block = offset;
  undo->holding = block->holdings[process];
  undo->state = block->state;
  barrier();
  atomic_store_explicit(&header->undo_count, count + 1, memory_order_release);
  barrier();
}

static void forget(struct mr_shared_header *header) {
  barrier();
  atomic_store_explicit(&header->undo_count, 0, memory_order_release);
  barrier();
}

/* The cells need no undo: a change only appends to them, outside of what was in use. */
static void roll_back(struct mr_shared *shared) {
  struct mr_shared_header *header = shared->file.header;
  uint32_t count = atomic_load(&header->undo_count);
  for (uint32_t i = 0; i < count && i < MR_TICKET_BUCKETS; i++) {
    const struct mr_shared_undo *undo = &header->undo[i];
    if (undo->block + sizeof(struct mr_shared_block) > header->top) continue;
    struct mr_shared_block *block = mr_shared_block_at(&shared->file, undo->block);
    block->state = undo->state;
    block->holdings[header->undo_process % MR_SHARED_PROCESSES] = undo->holding;
  }
  forget(header);
}

/* }====================================================== */

/*
** {======================================================
** The dead, and other days
** =======================================================
*/

static void each_bucket(struct mr_shared *shared, void (*visit)(struct mr_bucket_state *, int64_t),
                        int64_t argument) {
  struct mr_shared_header *header = shared->file.header;
  for (uint32_t i = 0; i < mr_shared_entry_end(&shared->file); i++)
    if (mr_shared_block_is_sound(&shared->file, header->entries[i].block))
      visit(&mr_shared_block_at(&shared->file, header->entries[i].block)->state, argument);
}

static void reap_bucket(struct mr_shared *shared, struct mr_shared_entry *entry, uint32_t process,
                        int64_t now_us) {
  if (mr_shared_block_is_sound(&shared->file, entry->block)) {
    struct mr_shared_block *block = mr_shared_block_at(&shared->file, entry->block);
    struct mr_shared_holding held = block->holdings[process];
    remember(shared->file.header, block, entry->block, process);
    mr_bucket_abandon(&block->state, held.pending, held.unsent, held.running, now_us);
    block->holdings[process] = (struct mr_shared_holding){0};
    forget(shared->file.header);
  }
  mr_shared_forget_user(entry, process);
}

static void reap(struct mr_shared *shared, uint32_t process, int64_t now_us) {
  struct mr_shared_header *header = shared->file.header;
  for (uint32_t i = 0; i < mr_shared_entry_end(&shared->file); i++) {
    struct mr_shared_entry *entry = &header->entries[i];
    bool used = entry->users[process / 64] >> (process % 64) & 1;
    if (entry->block != 0 && used) reap_bucket(shared, entry, process, now_us);
  }
  header->processes[process] = 0;
}

static void reap_all(struct mr_shared *shared, int64_t now_us) {
  struct mr_shared_header *header = shared->file.header;
  header->reaped_us = header->last_us = now_us;
  header->wall_us = mr_clock_wall(&shared->clock);
  for (uint32_t i = 0; i < MR_SHARED_PROCESSES; i++)
    if (header->processes[i] && !mr_shared_file_is_alive(&shared->file, i)) reap(shared, i, now_us);
}

void mr_shared_tick(struct mr_shared *shared, int64_t now_us) {
  int64_t since_us = now_us - shared->file.header->reaped_us;
  if (since_us >= TICK_US || since_us < 0) reap_all(shared, now_us);
}

/* The machine was started anew, and its clock with it: how long it was off, only the wall clock knows. One that
** was set back is taken to have stood still, which holds everything longer. */
static void begin_new_boot(struct mr_shared *shared, const char id[40], int64_t now_us) {
  struct mr_shared_header *header = shared->file.header;
  int64_t off_us = mr_clock_wall(&shared->clock) - header->wall_us;
  header->shifting = 1;
  barrier();
  each_bucket(shared, mr_bucket_shift, now_us - (header->last_us + (off_us > 0 ? off_us : 0)));
  memcpy(header->boot_id, id, sizeof(header->boot_id));
  header->last_us = header->reaped_us = now_us;
  barrier();
  header->shifting = 0;
}

/* }====================================================== */

/*
** {======================================================
** The lock
** =======================================================
*/

static void recover(struct mr_shared *shared) {
  int64_t now_us = mr_clock_now(&shared->clock);
  roll_back(shared);
  if (shared->file.header->shifting) each_bucket(shared, mr_bucket_renew, now_us);
  shared->file.header->shifting = 0;
  shared->file.header->reaped_us = 0;
  pthread_mutex_consistent(&shared->file.header->lock);
}

static int lock_in_time(pthread_mutex_t *lock) {
  int code = pthread_mutex_trylock(lock);
  if (code != EBUSY) return code;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += LOCK_WAIT_NS;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  return pthread_mutex_clocklock(lock, CLOCK_MONOTONIC, &until);
}

/* A holder that was stopped, not killed, would stop everybody: then this process goes on alone, to its end, after a
** period of silence and with an even part of each limit. Those who wait for the same holder leave with it, so that all
** of them together keep the limit. The holder, when it runs again, shares the file with whoever comes newly: until the
** others end, both together may use up to twice the limit. */
bool mr_shared_lock(struct mr_shared *shared, struct mr_error *error) {
  if (shared->broken) return false;
  int code = lock_in_time(&shared->file.header->lock);
  if (code == EOWNERDEAD) {
    recover(shared);
    code = 0;
  }
  if (code == 0) return true;
  shared->broken = true;
  mr_fail(
      error, MR_IO,
      "the shared limits file %s stays locked (%s); this process goes on alone, at its part of the "
      "limits",
      shared->file.path, code == ETIMEDOUT ? "its holder is stopped" : "it is damaged");
  return false;
}

void mr_shared_unlock(struct mr_shared *shared) {
  pthread_mutex_unlock(&shared->file.header->lock);
}

bool mr_shared_is_broken(const struct mr_shared *shared) {
  return shared->broken;
}

/* }====================================================== */

/*
** {======================================================
** Buckets
** =======================================================
*/

struct mr_shared_entry *mr_shared_bucket(struct mr_shared *shared, const char *key,
                                         const struct mr_bucket_limits *limits) {
  const uint64_t hashes[2] = {mr_hash_bytes(1, key, strlen(key)),
                              mr_hash_bytes(2, key, strlen(key))};
  return mr_shared_attach(&shared->file, hashes, limits, mr_clock_now(&shared->clock));
}

bool mr_shared_set_limits(struct mr_shared *shared, struct mr_shared_entry *entry,
                          const struct mr_bucket_limits *limits) {
  return mr_shared_relimit(&shared->file, entry, limits);
}

void mr_shared_drop(struct mr_shared *shared, struct mr_shared_entry *entry) {
  mr_shared_detach(&shared->file, entry);
}

uint32_t mr_shared_users(const struct mr_shared_entry *entry) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < MR_SHARED_PROCESSES; i++)
    count += entry->users[i / 64] >> (i % 64) & 1;
  return count;
}

struct mr_bucket_state *mr_shared_change(struct mr_shared *shared, struct mr_shared_entry *entry) {
  struct mr_shared_block *block = mr_shared_block_at(&shared->file, entry->block);
  remember(shared->file.header, block, entry->block, shared->file.process);
  return &block->state;
}

/* What the change took or gave is this process's. */
void mr_shared_commit(struct mr_shared *shared) {
  struct mr_shared_header *header = shared->file.header;
  uint32_t count = atomic_load_explicit(&header->undo_count, memory_order_relaxed);
  for (uint32_t i = 0; i < count; i++) {
    const struct mr_shared_undo *undo = &header->undo[i];
    struct mr_shared_block *block = mr_shared_block_at(&shared->file, undo->block);
    struct mr_shared_holding *holding = &block->holdings[shared->file.process];
    holding->pending += block->state.pending - undo->state.pending;
    holding->unsent += block->state.unsent - undo->state.unsent;
    holding->running += (int64_t)block->state.running - (int64_t)undo->state.running;
  }
  forget(header);
}

/* }====================================================== */

/* Under the lock: the boot, the clock, the place of this process. */
static enum mr_kind take_part(struct mr_shared *shared, struct mr_error *error) {
  struct mr_shared_header *header = shared->file.header;
  int64_t now_us = mr_clock_now(&shared->clock);
  char boot_id[40];
  forget(header); /* nobody is in a change now, whatever a damaged file says */
  mr_shared_boot_id(boot_id);
  if (memcmp(boot_id, header->boot_id, sizeof(boot_id)) != 0)
    begin_new_boot(shared, boot_id, now_us);
  if (now_us < header->last_us - CLOCK_SLACK_US)
    return mr_fail(error, MR_IO,
                   "the shared limits file %s is used with another clock; limits are kept by each "
                   "process alone",
                   shared->file.path);
  enum mr_kind kind = mr_shared_file_join(&shared->file, error);
  if (kind) return kind;
  if (header->processes[shared->file.process]) reap(shared, shared->file.process, now_us);
  header->processes[shared->file.process] = 1;
  reap_all(shared, now_us);
  return MR_NONE;
}

struct mr_shared *mr_shared_open(const struct mr_clock *clock, const char *path,
                                 struct mr_error *error) {
  struct mr_shared *shared = mr_alloc_for("the shared limits", sizeof(*shared), error);
  if (!shared) return NULL;
  shared->clock = *clock;
  enum mr_kind kind = mr_shared_file_open(&shared->file, path, error);
  if (!kind) kind = mr_shared_lock(shared, error) ? MR_NONE : MR_IO;
  if (!kind) {
    kind = take_part(shared, error);
    mr_shared_unlock(shared);
  }
  if (!kind) return shared;
  mr_shared_file_close(&shared->file);
  mr_free(shared);
  return NULL;
}

struct mr_shared *mr_shared_open_again(const struct mr_shared *shared, struct mr_error *error) {
  return mr_shared_open(&shared->clock, shared->file.path, error);
}

/* A child of fork has no place of its own: it leaves the parent's as it is. */
void mr_shared_close(struct mr_shared *shared) {
  if (!shared) return;
  if (shared->file.owner == (int)getpid() && mr_shared_lock(shared, NULL)) {
    reap(shared, shared->file.process, mr_clock_now(&shared->clock));
    mr_shared_unlock(shared);
  }
  mr_shared_file_close(&shared->file);
  mr_free(shared);
}
