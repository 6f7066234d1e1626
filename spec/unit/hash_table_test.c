#include "failing_allocator.h"

#include "core/hash_table.h"

#define COUNT 1000

struct item {
  struct mr_hash_link link;
  int number;
};

static struct item *find(const struct mr_hash_table *table, uint64_t hash, int number) {
  struct mr_hash_link *link = mr_hash_table_find(table, hash);
  while (link && ((struct item *)link)->number != number)
    link = mr_hash_table_next(link);
  return (struct item *)link;
}

static uint64_t hash_of(int number) {
  return mr_hash_mix(0, (uint64_t)(number / 3));
}

static void count_visited(void *context, struct mr_hash_link *link) {
  (void)link;
  ++*(int *)context;
}

static void test_add_find_remove(void **state) {
  (void)state;
  static struct item items[COUNT];
  struct mr_hash_table table = {0};
  assert_null(mr_hash_table_find(&table, 1));
  for (int i = 0; i < COUNT; i++) {
    items[i].number = i;
    assert_true(mr_hash_table_add(&table, &items[i].link, hash_of(i)));
  }
  for (int i = 0; i < COUNT; i++)
    assert_ptr_equal(find(&table, hash_of(i), i), &items[i]);
  for (int i = 0; i < COUNT; i += 2)
    mr_hash_table_remove(&table, &items[i].link);
  for (int i = 0; i < COUNT; i++)
    assert_ptr_equal(find(&table, hash_of(i), i), i % 2 ? &items[i] : NULL);
  int visited = 0;
  mr_hash_table_each(&table, count_visited, &visited);
  assert_int_equal(visited, COUNT / 2);
  mr_hash_table_free(&table);
}

static void test_without_memory_chains_get_longer(void **state) {
  (void)state;
  static struct item items[COUNT];
  struct failing_allocator memory;
  struct mr_hash_table table = {0};
  failing_allocator_install(&memory);
  memory.fail_at = 1;
  assert_false(mr_hash_table_add(&table, &items[0].link, 1));
  for (int i = 0; i < COUNT; i++) {
    memory.fail_at = i < 1 ? 0 : memory.calls + 1;
    items[i].number = i;
    assert_true(mr_hash_table_add(&table, &items[i].link, hash_of(i)));
  }
  for (int i = 0; i < COUNT; i++)
    assert_ptr_equal(find(&table, hash_of(i), i), &items[i]);
  mr_hash_table_free(&table);
  failing_allocator_remove(&memory);
}

static void test_hash_of_bytes(void **state) {
  (void)state;
  assert_int_equal(mr_hash_bytes(1, "abc", 3), mr_hash_bytes(1, "abc", 3));
  assert_int_not_equal(mr_hash_bytes(1, "abc", 3), mr_hash_bytes(2, "abc", 3));
  assert_int_not_equal(mr_hash_bytes(1, "abc", 3), mr_hash_bytes(1, "abd", 3));
  assert_int_not_equal(mr_hash_bytes(1, "", 0), mr_hash_bytes(1, "\0", 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_add_find_remove),
                                     cmocka_unit_test(test_without_memory_chains_get_longer),
                                     cmocka_unit_test(test_hash_of_bytes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
