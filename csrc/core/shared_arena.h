/*
** The buckets in the shared file: blocks of a few sizes, handed out from the end
** of the file or from lists of free ones, and the entries that find them. The
** caller holds the file's lock. A process that dies in here loses at most one
** block: every step is completed by a single store.
*/
#ifndef MR_SHARED_ARENA_H
#define MR_SHARED_ARENA_H

#include "shared_file.h"

static inline struct mr_shared_block *mr_shared_block_at(const struct mr_shared_file *file,
                                                         uint64_t offset) {
  return (struct mr_shared_block *)(void *)(file->bytes + offset);
}

/* Where the entries that may be in use end, whatever a damaged file says. */
static inline uint32_t mr_shared_entry_end(const struct mr_shared_file *file) {
  uint32_t end = file->header->entry_end;
  return end < MR_SHARED_ENTRIES ? end : MR_SHARED_ENTRIES;
}

/* The entry of the key, with these limits, made when there is none, and used by this process from now on. NULL:
** no room, or what is there is damaged. */
struct mr_shared_entry *mr_shared_attach(struct mr_shared_file *file, const uint64_t key[2],
                                         const struct mr_bucket_limits *limits, int64_t now_us);
/* Other limits for it; false: no room. */
bool mr_shared_relimit(struct mr_shared_file *file, struct mr_shared_entry *entry,
                       const struct mr_bucket_limits *limits);
void mr_shared_detach(struct mr_shared_file *file, struct mr_shared_entry *entry);
void mr_shared_forget_user(struct mr_shared_entry *entry, uint32_t process);

/* Is every number in there one that the code can work with? */
bool mr_shared_block_is_sound(const struct mr_shared_file *file, uint64_t offset);

#endif
