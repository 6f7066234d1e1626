#include "shared_arena.h"

#include <string.h>

#define SMALLEST 4096 /* bytes of a block of class 0; each class doubles it */
/* Before so many more entries come into use, those that nobody needs make room. */
#define PURGE_EVERY 64

static uint64_t class_size(uint32_t size_class) {
  return (uint64_t)SMALLEST << size_class;
}

static uint64_t block_size(const struct mr_bucket_limits *limits) {
  return offsetof(struct mr_shared_block, state) + mr_bucket_state_size(limits);
}

/*
** {======================================================
** Blocks
** =======================================================
*/

static bool make_room(struct mr_shared_file *file, uint64_t end) {
  struct mr_shared_header *header = file->header;
  if (end <= header->size) return true;
  uint64_t size = (end + MR_SHARED_FIRST - 1) / MR_SHARED_FIRST * MR_SHARED_FIRST;
  if (!mr_shared_file_grow(file, size)) return false;
  header->size = size;
  return true;
}

static bool is_block(const struct mr_shared_file *file, uint64_t offset) {
  const struct mr_shared_header *header = file->header;
  return offset % SMALLEST == 0 && offset >= sizeof(*header) &&
         offset + sizeof(struct mr_shared_block) <= header->top && header->top <= MR_SHARED_MOST;
}

static uint64_t take_block(struct mr_shared_file *file, uint64_t size) {
  struct mr_shared_header *header = file->header;
  uint32_t size_class = 0;
  while (size_class < MR_SHARED_CLASSES && class_size(size_class) < size)
    size_class++;
  if (size_class == MR_SHARED_CLASSES) return 0;
  uint64_t offset = header->free_blocks[size_class];
  if (offset != 0 && is_block(file, offset)) {
    header->free_blocks[size_class] = mr_shared_block_at(file, offset)->next;
  } else {
    offset = header->top;
    if (!make_room(file, offset + class_size(size_class))) return 0;
    header->top = offset + class_size(size_class);
  }
  struct mr_shared_block *block = mr_shared_block_at(file, offset);
  memset(block, 0, sizeof(*block));
  block->size_class = size_class;
  return offset;
}

static void free_block(struct mr_shared_file *file, uint64_t offset) {
  struct mr_shared_header *header = file->header;
  struct mr_shared_block *block = mr_shared_block_at(file, offset);
  if (block->size_class >= MR_SHARED_CLASSES) return;
  block->next = header->free_blocks[block->size_class];
  atomic_signal_fence(memory_order_seq_cst);
  header->free_blocks[block->size_class] = offset;
}

/* Any other byte in a bool is undefined behaviour to read. */
static bool is_bool(const bool *value) {
  unsigned char byte;
  memcpy(&byte, value, 1);
  return byte <= 1;
}

static bool is_sound_window(const struct mr_window *window, uint32_t start) {
  return is_bool(&window->renewing) && is_bool(&window->blocked) && window->start == start &&
         window->count >= 1 && window->period_us >= 1 &&
         window->capacity == mr_window_capacity(&(struct mr_window_limit){
                                 .count = window->count, .period_us = window->period_us}) &&
         window->first < window->capacity && window->size < window->capacity && window->held >= 0 &&
         window->foreign >= 0 && window->burst >= 1 && window->burst <= window->count &&
         window->hold_us >= window->period_us && window->hold_us <= 2 * window->period_us &&
         window->stiffness <= MR_STIFFNESS_MAX && window->interval_us == mr_window_interval(window);
}

bool mr_shared_block_is_sound(const struct mr_shared_file *file, uint64_t offset) {
  if (!is_block(file, offset)) return false;
  const struct mr_shared_block *block = mr_shared_block_at(file, offset);
  const struct mr_bucket_state *state = &block->state;
  if (block->size_class >= MR_SHARED_CLASSES || !is_bool(&state->limits.strict) ||
      !is_bool(&state->limits.renewing) || mr_bucket_check(&state->limits, "", NULL))
    return false;
  uint64_t size = block_size(&state->limits);
  if (size > class_size(block->size_class) || offset + size > file->header->size) return false;
  uint32_t start = 0;
  for (uint32_t i = 0; i < state->limits.window_count; i++) {
    const struct mr_window *window = &state->windows[i];
    if (window->count != state->limits.windows[i].count ||
        window->period_us != state->limits.windows[i].period_us || !is_sound_window(window, start))
      return false;
    start += window->capacity;
  }
  return state->cell_count == start;
}

/* }====================================================== */

/*
** {======================================================
** Entries
** =======================================================
*/

static bool has_users(const struct mr_shared_entry *entry) {
  uint64_t users = 0;
  for (size_t i = 0; i < MR_SHARED_PROCESSES / 64; i++)
    users |= entry->users[i];
  return users != 0;
}

static void free_entry(struct mr_shared_file *file, struct mr_shared_entry *entry) {
  uint64_t block = entry->block;
  entry->block = 0;
  atomic_signal_fence(memory_order_seq_cst);
  if (mr_shared_block_is_sound(file, block)) free_block(file, block);
}

static bool is_needed(const struct mr_shared_file *file, const struct mr_shared_entry *entry,
                      int64_t now_us) {
  if (has_users(entry)) return true;
  return mr_shared_block_is_sound(file, entry->block) &&
         !mr_bucket_is_idle(&mr_shared_block_at(file, entry->block)->state, now_us);
}

/* Whatever nobody uses and has nothing to remember makes room. */
static void purge(struct mr_shared_file *file, int64_t now_us) {
  struct mr_shared_header *header = file->header;
  uint32_t end = 0;
  for (uint32_t i = 0; i < mr_shared_entry_end(file); i++) {
    struct mr_shared_entry *entry = &header->entries[i];
    if (entry->block != 0 && !is_needed(file, entry, now_us)) free_entry(file, entry);
    if (entry->block != 0) end = i + 1;
  }
  header->entry_end = end;
}

static struct mr_shared_entry *find(struct mr_shared_file *file, const uint64_t key[2]) {
  for (uint32_t i = 0; i < mr_shared_entry_end(file); i++) {
    struct mr_shared_entry *entry = &file->header->entries[i];
    if (entry->block != 0 && entry->key[0] == key[0] && entry->key[1] == key[1]) return entry;
  }
  return NULL;
}

/* A free one between others, else the one behind them, which may be MR_SHARED_ENTRIES. */
static uint32_t find_free(const struct mr_shared_file *file) {
  uint32_t end = mr_shared_entry_end(file), i = 0;
  while (i < end && file->header->entries[i].block != 0)
    i++;
  return i;
}

static uint64_t make_block(struct mr_shared_file *file, const struct mr_bucket_limits *limits) {
  uint64_t block = take_block(file, block_size(limits));
  if (block != 0) mr_bucket_state_init(&mr_shared_block_at(file, block)->state, limits);
  return block;
}

static struct mr_shared_entry *make_entry(struct mr_shared_file *file, const uint64_t key[2],
                                          const struct mr_bucket_limits *limits, int64_t now_us) {
  struct mr_shared_header *header = file->header;
  uint32_t i = find_free(file);
  bool full = i == mr_shared_entry_end(file) && i % PURGE_EVERY == 0;
  uint64_t block = full ? 0 : make_block(file, limits);
  if (block == 0) {
    purge(file, now_us);
    i = find_free(file);
    if (i < MR_SHARED_ENTRIES) block = make_block(file, limits);
  }
  if (block == 0) return NULL;
  if (i == header->entry_end) header->entry_end++;
  atomic_signal_fence(memory_order_seq_cst);
  header->entries[i] = (struct mr_shared_entry){.key = {key[0], key[1]}};
  atomic_signal_fence(memory_order_seq_cst);
  header->entries[i].block = block;
  return &header->entries[i];
}

bool mr_shared_relimit(struct mr_shared_file *file, struct mr_shared_entry *entry,
                       const struct mr_bucket_limits *limits) {
  struct mr_shared_block *old = mr_shared_block_at(file, entry->block);
  if (mr_bucket_same_limits(&old->state.limits, limits)) return true;
  uint64_t block = make_block(file, limits), old_block = entry->block;
  if (block == 0) return false;
  struct mr_shared_block *fresh = mr_shared_block_at(file, block);
  memcpy(fresh->holdings, old->holdings, sizeof(fresh->holdings));
  mr_bucket_state_adopt(&fresh->state, &old->state);
  atomic_signal_fence(memory_order_seq_cst);
  entry->block = block;
  atomic_signal_fence(memory_order_seq_cst);
  free_block(file, old_block);
  return true;
}

struct mr_shared_entry *mr_shared_attach(struct mr_shared_file *file, const uint64_t key[2],
                                         const struct mr_bucket_limits *limits, int64_t now_us) {
  struct mr_shared_entry *entry = find(file, key);
  if (!entry) entry = make_entry(file, key, limits, now_us);
  if (!entry || !mr_shared_block_is_sound(file, entry->block)) return NULL;
  struct mr_bucket_state *state = &mr_shared_block_at(file, entry->block)->state;
  if (!mr_bucket_is_timely(state, now_us)) mr_bucket_renew(state, now_us);
  if (!mr_shared_relimit(file, entry, limits)) return NULL;
  entry->users[file->process / 64] |= UINT64_C(1) << (file->process % 64);
  return entry;
}

void mr_shared_forget_user(struct mr_shared_entry *entry, uint32_t process) {
  entry->users[process / 64] &= ~(UINT64_C(1) << (process % 64));
}

void mr_shared_detach(struct mr_shared_file *file, struct mr_shared_entry *entry) {
  mr_shared_forget_user(entry, file->process);
}

/* }====================================================== */
