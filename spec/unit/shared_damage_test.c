/*
** Shared files that are not ours, not as they were left, or have no room.
*/
#include "shared_world.h"

#include <signal.h>
#include <sys/resource.h>

#include "core/random.h"

static void write_file(const void *bytes, size_t size) {
  int descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  assert_true(descriptor >= 0);
  assert_int_equal(write(descriptor, bytes, size), (ssize_t)size);
  close(descriptor);
}

static void test_files_that_are_not_ours(void **state) {
  (void)state;
  static char noise[3 * 1024 * 1024];
  struct mr_random random;
  mr_random_seed(&random, 9);
  for (size_t i = 0; i < sizeof(noise); i++)
    noise[i] = (char)mr_random_next(&random);
  write_file(noise, sizeof(noise));
  assert_falls_back(path, "not one of ours");
  struct stat status;
  assert_int_equal(stat(path, &status), 0);
  assert_int_equal(status.st_size, sizeof(noise));
  write_file("hello", 5);
  assert_falls_back(path, "not one of ours");
  unlink(path);
  assert_int_equal(symlink("/etc/passwd", path), 0);
  assert_falls_back(path, "symbolic link");
  unlink(path);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_falls_back(path, "");
  rmdir(path);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_falls_back(path, "no regular file");
  unlink(path);
  assert_falls_back("/nowhere/at/all", "cannot be opened");
  memset(noise, 'x', 400);
  noise[400] = '\0';
  assert_falls_back(noise, "longer than");
}

static void test_files_that_others_can_reach(void **state) {
  (void)state;
  make_good_file();
  assert_int_equal(chmod(path, 0620), 0);
  assert_falls_back(path, "open to other users");
  assert_int_equal(chmod(path, 0600), 0);
  char second[128];
  snprintf(second, sizeof(second), "%s/second", directory);
  assert_int_equal(link(path, second), 0);
  assert_falls_back(path, "second name");
  unlink(second);
  if (geteuid() != 0) {
    print_message("SKIPPED: only root can make a file of another user\n");
    return;
  }
  assert_int_equal(chown(path, 12345, 12345), 0);
  assert_falls_back(path, "another user");
}

static void test_damaged_files(void **state) {
  (void)state;
  make_good_file();
  uint32_t other = 99;
  patch(offsetof(struct mr_shared_header, version), &other, sizeof(other));
  assert_falls_back(path, "another version");
  unlink(path);
  make_good_file();
  patch(offsetof(struct mr_shared_header, layout), &other, sizeof(other));
  assert_falls_back(path, "another version");
  unlink(path);
  make_good_file();
  assert_int_equal(truncate(path, MR_SHARED_FIRST / 2), 0);
  assert_falls_back(path, "truncated");
  assert_int_equal(truncate(path, 100), 0);
  assert_falls_back(path, "truncated");
  unlink(path);
  make_good_file();
  uint64_t top = 77;
  patch(offsetof(struct mr_shared_header, top), &top, sizeof(top));
  assert_falls_back(path, "damaged");
}

/* Whoever was killed while making the file left it without its magic: the next one makes it. */
static void test_a_file_that_was_left_unfinished(void **state) {
  (void)state;
  make_good_file();
  uint64_t nothing = 0;
  patch(offsetof(struct mr_shared_header, magic), &nothing, sizeof(nothing));
  make_good_file();
}

/* Where the entries end is not what it was: the history may be lost, and nothing else. */
static void test_a_damaged_end_of_the_entries(void **state) {
  (void)state;
  const uint32_t ends[] = {0, 1, MR_SHARED_ENTRIES, MR_SHARED_ENTRIES + 1, UINT32_MAX};
  struct mr_bucket_limits limits = limits_of(5, MR_SECOND);
  for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
    struct world world;
    struct mr_virtual_clock clock = some_time();
    for (int life = 0; life < 2; life++) {
      join_world(&world, &clock);
      struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
      struct mr_bucket *other = world_bucket(&world, life ? "new" : "old", &limits);
      assert_int_equal(drain(&world, bucket), life && ends[i] > 0 ? 0 : 5);
      assert_int_equal(drain(&world, other), 5);
      mr_bucket_release(bucket);
      mr_bucket_release(other);
      world_close(&world);
      patch(offsetof(struct mr_shared_header, entry_end), &ends[i], sizeof(*ends));
    }
    unlink(path);
  }
}

/* Random bytes anywhere behind the magic and the lock: no crash, no hang, whatever it then believes. */
static void test_random_damage(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 21);
  for (int round = 0; round < 300; round++) {
    struct world world;
    struct mr_virtual_clock clock = some_time();
    join_world(&world, &clock);
    struct mr_bucket_limits limits = limits_of(40, MR_SECOND);
    struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
    drain(&world, bucket);
    mr_bucket_release(bucket);
    world_close(&world);
    size_t first = offsetof(struct mr_shared_header, free_blocks);
    size_t block = (sizeof(struct mr_shared_header) + 4095) / 4096 * 4096;
    size_t length = sizeof(struct mr_shared_block) + 40 * sizeof(struct mr_cell);
    for (int i = 0; i < 20; i++) {
      uint64_t noise = mr_random_next(&random);
      size_t at = round % 2 ? first + (size_t)mr_random_below(&random, (int64_t)(block - first - 8))
                            : block + (size_t)mr_random_below(&random, (int64_t)length);
      patch(at, &noise, 1 + (size_t)mr_random_below(&random, 8));
    }
    struct mr_error error;
    world.limiter = mr_limiter_open_shared(&world.clock.clock, path, &error);
    world.queue = mr_queue_open(world.limiter, &world.clock.clock, 1);
    if (!mr_limiter_bucket(world.limiter, "key", &limits, &bucket, &error)) {
      struct mr_ticket ticket = ticket_for(bucket);
      enter(&world, &ticket);
      mr_ticket_cancel(world.queue, &ticket);
      mr_bucket_release(bucket);
    }
    world_close(&world);
    unlink(path);
  }
}

static void test_a_full_disk(void **state) {
  (void)state;
  for (int large = 0; large <= 1; large++) {
    pid_t child = fork();
    if (child == 0) {
      struct rlimit limit = {.rlim_cur = large ? MR_SHARED_FIRST : 1000};
      limit.rlim_max = limit.rlim_cur;
      signal(SIGXFSZ, SIG_IGN);
      CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
      struct mr_virtual_clock clock = some_time();
      clock.clock.context = &clock;
      struct mr_error error;
      struct mr_limiter *limiter = mr_limiter_open_shared(&clock.clock, path, &error);
      CHECK((error.kind == MR_IO) == !large);
      struct mr_bucket_limits limits = limits_of(60000, MR_SECOND);
      struct mr_bucket *a, *b;
      CHECK(!mr_limiter_bucket(limiter, "a", &limits, &a, &error));
      CHECK(!mr_limiter_bucket(limiter, "b", &limits, &b, &error));
      CHECK(remaining(a) == 60000 && remaining(b) == 60000);
      CHECK(mr_limiter_trouble(limiter, &error) == large);
      CHECK(!large || strstr(error.message, "no room"));
      CHECK(!mr_limiter_trouble(limiter, &error));
      mr_bucket_release(a);
      mr_bucket_release(b);
      mr_limiter_close(limiter);
      _exit(0);
    }
    assert_child(child);
    struct stat status;
    if (!large && stat(path, &status) == 0) assert_int_equal(status.st_size, 0);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_files_that_are_not_ours),
                                     TEST(test_files_that_others_can_reach),
                                     TEST(test_damaged_files),
                                     TEST(test_a_file_that_was_left_unfinished),
                                     TEST(test_a_damaged_end_of_the_entries),
                                     TEST(test_random_damage),
                                     TEST(test_a_full_disk)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
