/*
** An allocator for tests: counts what is alive, fails one chosen call, and
** looks into every block that goes back for a text that should have been wiped.
** A growing block always moves, so that a stale pointer is found by ASan.
**
** The usual loop:
**
**   struct failing_allocator memory;
**   failing_allocator_install(&memory);
**   for (size_t n = 1; failing_allocator_next(&memory, n); n++)
**     work();              -- must survive, whatever it returns
**   failing_allocator_remove(&memory);
**
** It ends after the first round in which no call was left to fail. 'next' and
** 'remove' assert that nothing is alive.
*/
#ifndef FAILING_ALLOCATOR_H
#define FAILING_ALLOCATOR_H

#include <pthread.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/memory.h"

struct failing_allocator {
  pthread_mutex_t lock; /* what is tested may have threads */
  size_t calls;         /* asked for since the round began */
  size_t fail_at;       /* the call that fails, from 1; 0: none does */
  size_t live;          /* blocks */
  size_t live_bytes;
  size_t peak_bytes;  /* the most that was alive at once */
  const char *needle; /* a text that no returned block may hold; NULL: not looked for */
  size_t found;       /* how often it did */
};

union failing_block { /* stands before the bytes that the caller sees */
  size_t size;
  max_align_t alignment;
};

static inline void failing_allocator_return(struct failing_allocator *memory,
                                            union failing_block *block) {
  if (memory->needle && memmem(block + 1, block->size, memory->needle, strlen(memory->needle)))
    memory->found++;
  memory->live--;
  memory->live_bytes -= block->size;
  free(block);
}

static inline void *failing_allocator_locked(struct failing_allocator *memory, void *bytes,
                                             size_t size) {
  union failing_block *old = bytes ? (union failing_block *)bytes - 1 : NULL;
  if (size == 0) {
    if (old) failing_allocator_return(memory, old);
    return NULL;
  }
  if (++memory->calls == memory->fail_at || size > SIZE_MAX / 2) return NULL;
  union failing_block *block = malloc(sizeof(*block) + size);
  if (!block) return NULL;
  memset(block + 1, 0xa5, size); /* what the C library left in it is not ours */
  block->size = size;
  memory->live++;
  memory->live_bytes += size;
  if (memory->live_bytes > memory->peak_bytes) memory->peak_bytes = memory->live_bytes;
  if (old) {
    memcpy(block + 1, old + 1, old->size < size ? old->size : size);
    failing_allocator_return(memory, old);
  }
  return block + 1;
}

static inline void *failing_allocator_call(void *context, void *bytes, size_t size) {
  struct failing_allocator *memory = context;
  pthread_mutex_lock(&memory->lock);
  void *block = failing_allocator_locked(memory, bytes, size);
  pthread_mutex_unlock(&memory->lock);
  return block;
}

static inline void failing_allocator_install(struct failing_allocator *memory) {
  memset(memory, 0, sizeof(*memory));
  pthread_mutex_init(&memory->lock, NULL);
  mr_memory_hook(failing_allocator_call, memory);
}

static inline bool failing_allocator_next(struct failing_allocator *memory, size_t n) {
  assert_int_equal(memory->live, 0);
  bool more = n == 1 || memory->calls >= memory->fail_at;
  memory->calls = 0;
  memory->fail_at = more ? n : 0;
  return more;
}

static inline void failing_allocator_remove(struct failing_allocator *memory) {
  assert_int_equal(memory->live, 0);
  assert_int_equal(memory->found, 0);
  mr_memory_hook(NULL, NULL);
}

#endif
