/*
** A binary heap of pointers to things that know their own place in it, so that
** any of them can be moved or taken out in O(log n).
*/
#ifndef MR_HEAP_H
#define MR_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

#define MR_HEAP_NOWHERE UINT32_MAX /* the place of a thing that is in no heap */

struct mr_heap {
  void **items;
  uint32_t size, capacity;
  size_t place;                                 /* offsetof the uint32_t place in an item */
  bool (*before)(const void *a, const void *b); /* does a come out before b? */
};

/* Items that were never in a heap must have their place set to MR_HEAP_NOWHERE. */
void mr_heap_init(struct mr_heap *heap, size_t place, bool (*before)(const void *a, const void *b));
void mr_heap_free(struct mr_heap *heap);

/* Room for so many in all; adding cannot fail up to there. MR_LIMIT: no memory. */
enum mr_kind mr_heap_reserve(struct mr_heap *heap, uint32_t size);
void mr_heap_add(struct mr_heap *heap, void *item);    /* reserved before; not in it */
void mr_heap_moved(struct mr_heap *heap, void *item);  /* its key changed; in it */
void mr_heap_remove(struct mr_heap *heap, void *item); /* fine when it is nowhere */

static inline void *mr_heap_first(const struct mr_heap *heap) {
  return heap->size > 0 ? heap->items[0] : NULL;
}

#endif
