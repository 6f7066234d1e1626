#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/heap.h"
#include "core/random.h"

#define COUNT 500

struct item {
  int64_t key;
  uint32_t place;
};

static bool item_before(const void *a, const void *b) {
  return ((const struct item *)a)->key < ((const struct item *)b)->key;
}

static void assert_heap(const struct mr_heap *heap) {
  for (uint32_t i = 0; i < heap->size; i++) {
    struct item *item = heap->items[i];
    assert_int_equal(item->place, i);
    if (i > 0) assert_false(item_before(item, heap->items[(i - 1) / 2]));
  }
}

static void test_random_changes(void **state) {
  (void)state;
  static struct item items[COUNT];
  struct mr_heap heap;
  struct mr_random random;
  mr_random_seed(&random, 7);
  mr_heap_init(&heap, offsetof(struct item, place), item_before);
  assert_int_equal(mr_heap_reserve(&heap, COUNT), MR_NONE);
  for (int i = 0; i < COUNT; i++)
    items[i].place = MR_HEAP_NOWHERE;
  for (int step = 0; step < 20000; step++) {
    struct item *item = &items[mr_random_below(&random, COUNT)];
    bool inside = item->place != MR_HEAP_NOWHERE;
    if (inside && mr_random_below(&random, 3) == 0) {
      mr_heap_remove(&heap, item);
      assert_int_equal(item->place, MR_HEAP_NOWHERE);
    } else {
      item->key = mr_random_below(&random, 1000);
      if (inside)
        mr_heap_moved(&heap, item);
      else
        mr_heap_add(&heap, item);
    }
    if (step % 100 == 0) assert_heap(&heap);
  }
  int64_t last = -1;
  for (struct item *item; (item = mr_heap_first(&heap));) {
    assert_true(item->key >= last);
    last = item->key;
    mr_heap_remove(&heap, item);
  }
  mr_heap_free(&heap);
}

static void test_removal_of_what_is_nowhere(void **state) {
  (void)state;
  struct item item = {.key = 1, .place = MR_HEAP_NOWHERE};
  struct mr_heap heap;
  mr_heap_init(&heap, offsetof(struct item, place), item_before);
  mr_heap_remove(&heap, &item);
  assert_int_equal(heap.size, 0);
  assert_null(mr_heap_first(&heap));
  mr_heap_free(&heap);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_changes),
                                     cmocka_unit_test(test_removal_of_what_is_nowhere)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
