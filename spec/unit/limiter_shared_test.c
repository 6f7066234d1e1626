/*
** Buckets that several processes share, on files in a directory of their own.
*/
#include "shared_world.h"

static void test_two_share(void **state) {
  (void)state;
  struct world a, b;
  struct mr_virtual_clock clock = some_time();
  join_world(&a, &clock);
  join_world(&b, &clock);
  struct mr_bucket_limits limits = limits_of(40, MR_SECOND);
  struct mr_bucket *in_a = world_bucket(&a, "key", &limits),
                   *in_b = world_bucket(&b, "key", &limits);
  struct mr_bucket *other = world_bucket(&b, "other", &limits);
  for (int i = 0; i < 25; i++) {
    struct mr_ticket ticket = ticket_for(in_a);
    enter(&a, &ticket);
    finish(&a, &ticket);
  }
  assert_int_equal(remaining(in_b), 15);
  assert_int_equal(drain(&b, in_b), 15);
  assert_int_equal(drain(&a, in_a), 0);
  assert_int_equal(remaining(other), 40);
  struct mr_ticket waiting = ticket_for(in_a);
  enter(&a, &waiting);
  assert_int_equal(waiting.state, MR_TICKET_QUEUED);
  assert_ptr_equal(await(&a), &waiting);
  finish(&a, &waiting);
  mr_bucket_release(in_a);
  mr_bucket_release(in_b);
  mr_bucket_release(other);
  world_close(&a);
  world_close(&b);
}

static void test_history_outlives_the_process(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  struct mr_bucket_limits limits = limits_of(1000, 3600 * MR_SECOND);
  for (int day = 0; day < 5; day++) {
    join_world(&world, &clock);
    struct mr_bucket *bucket = world_bucket(&world, "hourly", &limits);
    assert_int_equal(remaining(bucket), day < 4 ? 1000 - day * 250 : 0);
    for (int i = 0; i < 250 && day < 4; i++) {
      struct mr_ticket ticket = ticket_for(bucket);
      enter(&world, &ticket);
      finish(&world, &ticket);
    }
    mr_bucket_release(bucket);
    world_close(&world);
    clock.now_us += 600 * MR_SECOND;
  }
  clock.now_us += 3600 * MR_SECOND;
  join_world(&world, &clock);
  struct mr_bucket *bucket = world_bucket(&world, "hourly", &limits);
  assert_int_equal(remaining(bucket), 1000);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_other_limits_for_all(void **state) {
  (void)state;
  struct world a, b;
  struct mr_virtual_clock clock = some_time();
  join_world(&a, &clock);
  join_world(&b, &clock);
  struct mr_bucket_limits narrow = limits_of(10, MR_SECOND), wide = limits_of(20000, MR_SECOND);
  struct mr_bucket *in_a = world_bucket(&a, "key", &narrow);
  for (int i = 0; i < 200; i++) { /* blocks come back, or the file would be full */
    const struct mr_bucket_limits *limits = i % 2 ? &narrow : &wide;
    struct mr_bucket *in_b = world_bucket(&b, "key", limits);
    assert_int_equal(remaining(in_a), limits->windows[0].count);
    mr_bucket_release(in_b);
  }
  struct mr_error trouble;
  assert_false(mr_limiter_trouble(b.limiter, &trouble));
  mr_bucket_release(in_a);
  world_close(&a);
  world_close(&b);
}

static void test_the_default_place(void **state) {
  (void)state;
  char runtime[80], file[160];
  struct stat status;
  snprintf(runtime, sizeof(runtime), "%s/run", directory);
  assert_int_equal(mkdir(runtime, 0700), 0);
  const char *before = getenv("XDG_RUNTIME_DIR");
  setenv("XDG_RUNTIME_DIR", runtime, 1);
  struct mr_virtual_clock clock = some_time();
  clock.clock.context = &clock;
  struct mr_error error;
  struct mr_limiter *limiter = mr_limiter_open_shared(&clock.clock, NULL, &error);
  assert_string_equal(error.message, "");
  mr_limiter_close(limiter);
  snprintf(file, sizeof(file), "%s/moonrest/limits-2", runtime);
  assert_int_equal(stat(file, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0600);
  snprintf(file, sizeof(file), "%s/moonrest", runtime);
  assert_int_equal(chmod(file, 0777), 0);
  assert_falls_back(NULL, "not this user's own");
  if (before)
    setenv("XDG_RUNTIME_DIR", before, 1);
  else
    unsetenv("XDG_RUNTIME_DIR");
}

static void test_more_processes_than_places(void **state) {
  (void)state;
  struct world worlds[MR_SHARED_PROCESSES];
  struct mr_virtual_clock clock = some_time();
  for (int i = 0; i < MR_SHARED_PROCESSES; i++)
    join_world(&worlds[i], &clock);
  assert_falls_back(path, "128 processes");
  world_close(&worlds[77]);
  join_world(&worlds[77], &clock);
  for (int i = 0; i < MR_SHARED_PROCESSES; i++)
    world_close(&worlds[i]);
}

static uint32_t entry_end(void) {
  uint32_t end = 0;
  int descriptor = open(path, O_RDONLY);
  size_t offset = offsetof(struct mr_shared_header, entry_end);
  assert_int_equal(pread(descriptor, &end, sizeof(end), (off_t)offset), sizeof(end));
  close(descriptor);
  return end;
}

/* What is never used of the file is never looked at, so that it takes no memory: entries that are needed no more make
** room for new ones long before all are taken. */
static void test_only_the_first_entries_are_in_use(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  struct mr_bucket_limits limits = limits_of(5, MR_SECOND);
  uint32_t highest = 0;
  for (int i = 0; i < 500; i++) {
    char key[32];
    snprintf(key, sizeof(key), "key:%d", i);
    join_world(&world, &clock);
    struct mr_bucket *bucket = world_bucket(&world, key, &limits);
    assert_int_equal(drain(&world, bucket), 5);
    mr_bucket_release(bucket);
    world_close(&world);
    clock.now_us += 50 * MR_MILLISECOND;
    if (i == 0) assert_int_equal(entry_end(), 1);
    if (entry_end() > highest) highest = entry_end();
  }
  assert_int_equal(highest, 64); /* of which about 20 have not forgotten yet */
  limits = limits_of(5, 3600 * MR_SECOND);
  join_world(&world, &clock);
  struct mr_bucket *buckets[200];
  for (int i = 0; i < 200; i++) {
    char key[32];
    snprintf(key, sizeof(key), "hourly:%d", i);
    buckets[i] = world_bucket(&world, key, &limits);
    assert_int_equal(drain(&world, buckets[i]), 5);
  }
  assert_in_range(entry_end(), 200, 264);
  for (int i = 0; i < 200; i++) {
    assert_int_equal(remaining(buckets[i]), 0);
    mr_bucket_release(buckets[i]);
  }
  world_close(&world);
}

static void test_more_keys_than_entries(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(5, MR_SECOND);
  for (int i = 0; i < 3 * MR_SHARED_ENTRIES; i++) {
    char key[32];
    snprintf(key, sizeof(key), "device:%d", i);
    struct mr_bucket *bucket = world_bucket(&world, key, &limits);
    assert_int_equal(drain(&world, bucket), 5);
    mr_bucket_release(bucket);
    world.clock.now_us += 50 * MR_MILLISECOND;
  }
  struct mr_error trouble;
  assert_false(mr_limiter_trouble(world.limiter, &trouble));
  world_close(&world);
}

static void set_boot(const char *id, int64_t last_us, int64_t wall_us) {
  char boot_id[40] = "";
  strcpy(boot_id, id);
  patch(offsetof(struct mr_shared_header, boot_id), boot_id, sizeof(boot_id));
  patch(offsetof(struct mr_shared_header, last_us), &last_us, sizeof(last_us));
  patch(offsetof(struct mr_shared_header, wall_us), &wall_us, sizeof(wall_us));
}

/* Uses 30 of 40 an hour, starts the machine anew after 'off', and tells what is left. */
static int64_t left_after_boot(int64_t off_us, int64_t wait_us) {
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(40, 3600 * MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  for (int i = 0; i < 30; i++) {
    struct mr_ticket ticket = ticket_for(bucket);
    enter(&world, &ticket);
    finish(&world, &ticket);
  }
  mr_bucket_release(bucket);
  world_close(&world);
  set_boot("another boot", clock.now_us, WORLD_WALL_US);
  mr_virtual_clock_init(&clock, 3 * MR_SECOND, WORLD_WALL_US + off_us);
  join_world(&world, &clock);
  world.clock.now_us += wait_us;
  bucket = world_bucket(&world, "key", &limits);
  int64_t left = remaining(bucket);
  mr_bucket_release(bucket);
  world_close(&world);
  unlink(path);
  return left;
}

static void test_another_boot(void **state) {
  (void)state;
  assert_int_equal(left_after_boot(1000 * MR_SECOND, 0), 10);
  assert_int_equal(left_after_boot(1000 * MR_SECOND, 2500 * MR_SECOND), 10);
  assert_int_equal(left_after_boot(1000 * MR_SECOND, 2610 * MR_SECOND), 40);
  assert_int_equal(left_after_boot(4000 * MR_SECOND, 0), 40);
  assert_int_equal(left_after_boot(-4000 * MR_SECOND, 3500 * MR_SECOND), 10); /* clock set back */
  assert_int_equal(left_after_boot(-4000 * MR_SECOND, 3610 * MR_SECOND), 40);
}

static void test_another_clock(void **state) {
  (void)state;
  char boot_id[40];
  make_good_file();
  mr_shared_boot_id(boot_id);
  set_boot(boot_id, 999999 * MR_SECOND, WORLD_WALL_US);
  assert_falls_back(path, "another clock");
}

static void test_sharing_is_chosen_before_the_first_bucket(void **state) {
  (void)state;
  struct world world;
  struct mr_error error = {0};
  struct stat status;
  char place[160];
  world_open(&world);
  setenv("XDG_RUNTIME_DIR", directory, 1);
  snprintf(place, sizeof(place), "%s/moonrest/limits-2", directory);
  assert_int_equal(mr_limiter_share(world.limiter, MR_SHARING_PROCESS, &error), MR_NONE);
  assert_int_equal(mr_limiter_share(world.limiter, MR_SHARING_USER, &error), MR_NONE);
  assert_int_not_equal(stat(place, &status), 0); /* not yet */
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  assert_int_equal(stat(place, &status), 0);
  assert_false(mr_limiter_trouble(world.limiter, &error));
  assert_int_equal(mr_limiter_share(world.limiter, MR_SHARING_USER, &error), MR_NONE);
  assert_int_equal(mr_limiter_share(world.limiter, MR_SHARING_PROCESS, &error), MR_LIMIT);
  assert_non_null(strstr(error.message, "before the first"));
  mr_bucket_release(bucket);
  world_close(&world);
}

/* What is wrong with the file is told later, and the limits hold all the same. */
static void test_no_place_for_the_file(void **state) {
  (void)state;
  struct world world;
  struct mr_error error = {0};
  world_open(&world);
  setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
  assert_int_equal(mr_limiter_share(world.limiter, MR_SHARING_USER, &error), MR_NONE);
  struct mr_bucket_limits limits = limits_of(3, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  assert_true(mr_limiter_trouble(world.limiter, &error));
  assert_non_null(strstr(error.message, "by each process alone"));
  assert_int_equal(drain(&world, bucket), 3);
  mr_bucket_release(bucket);
  world_close(&world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_two_share),
                                     TEST(test_history_outlives_the_process),
                                     TEST(test_other_limits_for_all),
                                     TEST(test_the_default_place),
                                     TEST(test_more_processes_than_places),
                                     TEST(test_only_the_first_entries_are_in_use),
                                     TEST(test_more_keys_than_entries),
                                     TEST(test_another_boot),
                                     TEST(test_another_clock),
                                     TEST(test_sharing_is_chosen_before_the_first_bucket),
                                     TEST(test_no_place_for_the_file)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
