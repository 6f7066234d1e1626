/*
** The one place that allocates. The hook below is set before anything else runs and is read-only from then on, so it
** needs no lock.
*/
#include "memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"

static void *system_allocator(void *context, void *block, size_t size) {
  (void)context;
  if (size == 0) {
    free(block);
    return NULL;
  }
  return realloc(block, size);
}

static mr_allocator memory_allocator = system_allocator;
static void *memory_context = NULL;

/* Called through a volatile pointer, so that no compiler can prove the store to be dead. */
static void *(*const volatile fill)(void *, int, size_t) = memset;

void mr_memory_hook(mr_allocator allocator, void *context) {
  memory_allocator = allocator ? allocator : system_allocator;
  memory_context = allocator ? context : NULL;
}

/* A block of no bytes is still a block: NULL means "no memory" and nothing else. */
void *mr_alloc(size_t size) {
  return memory_allocator(memory_context, NULL, size ? size : 1);
}

void *mr_alloc_zero(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return NULL;
  void *block = mr_alloc(count * size);
  if (block) memset(block, 0, count * size);
  return block;
}

void *mr_alloc_for(const char *purpose, size_t size, struct mr_error *error) {
  void *block = mr_alloc_zero(1, size);
  if (!block) mr_fail(error, MR_LIMIT, "out of memory for %s", purpose);
  return block;
}

void *mr_realloc(void *block, size_t size) {
  return memory_allocator(memory_context, block, size);
}

void mr_free(void *block) {
  if (block) memory_allocator(memory_context, block, 0);
}

void mr_wipe(void *block, size_t size) {
  if (size > 0) fill(block, 0, size);
}

/* glibc does it before it looks for a block of so much or more. */
#define LARGE_BYTES 2048

void mr_memory_settle(void) {
  mr_free(mr_alloc(LARGE_BYTES));
}

char *mr_duplicate(const char *text, size_t size) {
  if (size == SIZE_MAX) return NULL;
  char *copy = mr_alloc(size + 1);
  if (!copy) return NULL;
  if (size > 0) memcpy(copy, text, size);
  copy[size] = '\0';
  return copy;
}
