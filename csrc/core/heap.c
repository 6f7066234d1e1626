#include "heap.h"

#include "memory.h"

#define FIRST_CAPACITY 8

void mr_heap_init(struct mr_heap *heap, size_t place,
                  bool (*before)(const void *a, const void *b)) {
  *heap = (struct mr_heap){.place = place, .before = before};
}

void mr_heap_free(struct mr_heap *heap) {
  mr_free(heap->items);
  heap->items = NULL;
  heap->size = heap->capacity = 0;
}

enum mr_kind mr_heap_reserve(struct mr_heap *heap, uint32_t size) {
  if (size <= heap->capacity) return MR_NONE;
  uint32_t capacity = heap->capacity ? heap->capacity : FIRST_CAPACITY;
  while (capacity < size)
    capacity += capacity / 2;
  void **items = mr_realloc(heap->items, capacity * sizeof(*items));
  if (!items) return MR_LIMIT;
  heap->items = items;
  heap->capacity = capacity;
  return MR_NONE;
}

static uint32_t *place_of(const struct mr_heap *heap, void *item) {
  return (uint32_t *)((char *)item + heap->place);
}

static void put(struct mr_heap *heap, uint32_t place, void *item) {
  heap->items[place] = item;
  *place_of(heap, item) = place;
}

static void sift_up(struct mr_heap *heap, uint32_t place, void *item) {
  while (place > 0) {
    uint32_t parent = (place - 1) / 2;
    if (!heap->before(item, heap->items[parent])) break;
    put(heap, place, heap->items[parent]);
    place = parent;
  }
  put(heap, place, item);
}

static void sift_down(struct mr_heap *heap, uint32_t place, void *item) {
  for (;;) {
    uint32_t child = 2 * place + 1;
    if (child >= heap->size) break;
    if (child + 1 < heap->size && heap->before(heap->items[child + 1], heap->items[child])) child++;
    if (!heap->before(heap->items[child], item)) break;
    put(heap, place, heap->items[child]);
    place = child;
  }
  put(heap, place, item);
}

static void settle(struct mr_heap *heap, uint32_t place, void *item) {
  if (place > 0 && heap->before(item, heap->items[(place - 1) / 2]))
    sift_up(heap, place, item);
  else
    sift_down(heap, place, item);
}

void mr_heap_add(struct mr_heap *heap, void *item) {
  sift_up(heap, heap->size++, item);
}

void mr_heap_moved(struct mr_heap *heap, void *item) {
  settle(heap, *place_of(heap, item), item);
}

void mr_heap_remove(struct mr_heap *heap, void *item) {
  uint32_t place = *place_of(heap, item);
  if (place == MR_HEAP_NOWHERE) return;
  *place_of(heap, item) = MR_HEAP_NOWHERE;
  void *last = heap->items[--heap->size];
  if (last != item) settle(heap, place, last);
}
