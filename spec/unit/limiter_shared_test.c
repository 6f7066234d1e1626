/*
** Buckets that several processes share. The tests fork, kill and stop processes
** of their own, on files in a directory of their own.
*/
#include "limiter_world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/limiter_parts.h"
#include "core/random.h"
#include "core/shared_file.h"

static char directory[64];
static char path[96];

static int set_up(void **state) {
  (void)state;
  strcpy(directory, "/tmp/moonrest-test-XXXXXX");
  assert_non_null(mkdtemp(directory));
  snprintf(path, sizeof(path), "%s/limits", directory);
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  char command[160];
  snprintf(command, sizeof(command), "rm -rf '%s'", directory);
  return system(command);
}

/* Another process in all but the process: a limiter of its own on the same file. */
static void join_world(struct world *world, const struct mr_virtual_clock *clock) {
  struct mr_error error;
  world->clock = *clock;
  world->clock.clock.context = &world->clock;
  world->limiter = mr_limiter_open_shared(&world->clock.clock, path, &error);
  assert_non_null(world->limiter);
  assert_string_equal(error.message, "");
  world->queue = mr_queue_open(world->limiter, &world->clock.clock, 1);
  assert_non_null(world->queue);
}

static struct mr_virtual_clock some_time(void) {
  struct mr_virtual_clock clock;
  mr_virtual_clock_init(&clock, 1000 * MR_SECOND, WORLD_WALL_US);
  return clock;
}

static int64_t remaining(struct mr_bucket *bucket) {
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  return view.remaining[0];
}

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

/* The limiter that is opened there is a local one, works, and says what is wrong with the file. */
static void assert_falls_back(const char *file, const char *word) {
  struct world world;
  struct mr_error error = {0};
  world.clock = some_time();
  world.clock.clock.context = &world.clock;
  world.limiter = mr_limiter_open_shared(&world.clock.clock, file, &error);
  assert_non_null(world.limiter);
  assert_int_equal(error.kind, MR_IO);
  if (!strstr(error.message, word)) fail_msg("no \"%s\" in: %s", word, error.message);
  world.queue = mr_queue_open(world.limiter, &world.clock.clock, 1);
  struct mr_bucket_limits limits = limits_of(5, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  assert_int_equal(drain(&world, bucket), 5);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void write_file(const void *bytes, size_t size) {
  int descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  assert_true(descriptor >= 0);
  assert_int_equal(write(descriptor, bytes, size), (ssize_t)size);
  close(descriptor);
}

static void make_good_file(void) {
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  world_close(&world);
}

static void patch(size_t offset, const void *bytes, size_t size) {
  int descriptor = open(path, O_WRONLY);
  assert_int_equal(pwrite(descriptor, bytes, size, (off_t)offset), (ssize_t)size);
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
  snprintf(file, sizeof(file), "%s/moonrest/limits-1", runtime);
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

/* Runs in a child; its exit code is the number of the line that failed. */
#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) _exit(__LINE__ % 255 + 1);                                                   \
  } while (0)

static void assert_child(pid_t child) {
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
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

/* What a killed process held counts as used when its death is found, and then goes. */
static void test_the_slots_of_the_dead(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  limits.strict = true;
  limits.concurrent = 8;
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  pid_t child = fork();
  if (child == 0) {
    struct world mine;
    join_world(&mine, &clock);
    struct mr_bucket *own = world_bucket(&mine, "key", &limits);
    struct mr_ticket tickets[8];
    for (int i = 0; i < 8; i++) {
      tickets[i] = ticket_for(own);
      enter(&mine, &tickets[i]);
      if (i % 2) mr_ticket_sent(mine.queue, &tickets[i]);
    }
    raise(SIGKILL);
  }
  int status;
  waitpid(child, &status, 0);
  assert_true(WIFSIGNALED(status));
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 8);
  assert_int_equal(view.remaining[0], 2);
  struct mr_ticket waiting = ticket_for(bucket);
  enter(&world, &waiting);
  assert_int_equal(waiting.state, MR_TICKET_QUEUED);
  assert_ptr_equal(await(&world), &waiting);
  finish(&world, &waiting);
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 0);
  assert_int_equal(view.remaining[0], 1);
  world.clock.now_us += 3 * MR_SECOND;
  assert_int_equal(remaining(bucket), 10);
  mr_bucket_release(bucket);
  world_close(&world);
}

/* Killed in the middle of a change, with the lock: the change never happened. */
static void test_a_change_that_was_cut_short(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  struct mr_ticket ticket = ticket_for(bucket);
  enter(&world, &ticket);
  pid_t child = fork();
  if (child == 0) {
    struct world mine;
    join_world(&mine, &clock);
    struct mr_bucket *own = world_bucket(&mine, "key", &limits);
    mr_limiter_begin(mine.limiter, &own, 1);
    memset(own->state, 0x5A, sizeof(*own->state));
    raise(SIGKILL);
  }
  int status;
  waitpid(child, &status, 0);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.remaining[0], 9);
  assert_int_equal(view.running, 1);
  finish(&world, &ticket);
  assert_int_equal(drain(&world, bucket), 9);
  mr_bucket_release(bucket);
  world_close(&world);
}

/* Stopped in the middle of a change: nobody waits for it for long, and nobody takes more than was allowed. */
static void test_a_holder_that_is_stopped(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  struct mr_ticket ticket = ticket_for(bucket);
  enter(&world, &ticket);
  pid_t child = fork();
  if (child == 0) {
    struct world mine;
    join_world(&mine, &clock);
    struct mr_bucket *own = world_bucket(&mine, "key", &limits);
    mr_limiter_begin(mine.limiter, &own, 1);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, WUNTRACED), child);
  finish(&world, &ticket);
  struct mr_error trouble;
  assert_true(mr_limiter_trouble(world.limiter, &trouble));
  assert_non_null(strstr(trouble.message, "stopped"));
  assert_false(mr_limiter_trouble(world.limiter, &trouble));
  assert_int_equal(drain(&world, bucket), 0);
  world.clock.now_us += 2 * MR_SECOND;
  assert_int_equal(drain(&world, bucket), 10);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 0);
  mr_bucket_release(bucket);
  world_close(&world);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
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

/*
** {======================================================
** Killed at any instruction
** =======================================================
*/

/* A child that stops itself before the life of one request, to be led through it step by step. */
static pid_t start_led_child(const struct mr_virtual_clock *clock,
                             const struct mr_bucket_limits *limits) {
  pid_t child = fork();
  if (child == 0) {
    struct world mine;
    join_world(&mine, clock);
    struct mr_bucket *own = world_bucket(&mine, "key", limits);
    struct mr_ticket ticket = ticket_for(own);
    int64_t retry_after_us;
    CHECK(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    raise(SIGSTOP);
    mr_queue_enter(mine.queue, &ticket, &retry_after_us, NULL);
    mr_ticket_sent(mine.queue, &ticket);
    mr_ticket_answered(mine.queue, &ticket);
    mr_ticket_closed(mine.queue, &ticket);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFSTOPPED(status)) return child;
  return -1;
}

/* Leads it so many instructions far; the count that it really made. */
static long lead(pid_t child, long steps) {
  int status = 0;
  for (long made = 0; made < steps; made++) {
    if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0) return made;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSTOPPED(status)) return made;
  }
  kill(child, SIGKILL);
  assert_int_equal(waitpid(child, &status, 0), child);
  return steps;
}

static void test_killed_after_so_many_instructions(void **state) {
  (void)state;
  enum {
    STEPS_MAX = 150000
  }; /* single steps are slow; a sanitizer makes a life six times as long */
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  limits.concurrent = 5;
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  pid_t child = start_led_child(&world.clock, &limits);
  if (child < 0) {
    print_message("SKIPPED: no process may be traced here\n");
    mr_bucket_release(bucket);
    world_close(&world);
    return;
  }
  long all = lead(child, 100000000);
  long stride = all * all / STEPS_MAX / 2 + 1;
  print_message("the life of a request is %ld instructions; killed at every %ldth\n", all, stride);
  int unused = 0, used = 0;
  for (long steps = 1; steps < all; steps += stride) {
    world.clock.now_us += 5 * MR_SECOND;
    assert_int_equal(lead(start_led_child(&world.clock, &limits), steps), steps);
    world.clock.now_us += 300 * MR_MILLISECOND; /* time to look for the dead */
    struct mr_ticket ticket = ticket_for(bucket);
    enter(&world, &ticket);
    assert_int_equal(ticket.state, MR_TICKET_GRANTED);
    finish(&world, &ticket);
    struct mr_bucket_view view;
    mr_bucket_look(bucket, &view);
    assert_int_equal(view.running, 0);
    assert_in_range(view.remaining[0], 8, 9);
    unused += view.remaining[0] == 9;
    used += view.remaining[0] == 8;
    assert_int_equal(drain(&world, bucket), view.remaining[0]);
  }
  assert_true(unused > 0 && used > 0); /* killed before the slot was taken, and after */
  struct mr_error trouble;
  assert_false(mr_limiter_trouble(world.limiter, &trouble));
  mr_bucket_release(bucket);
  world_close(&world);
}

enum { CROWD = 6, ARRIVALS_MAX = 2000000, KILLS = 400 };

struct arrivals { /* in memory that all processes share */
  _Atomic uint32_t count;
  _Atomic int64_t at_us[ARRIVALS_MAX];
};

static const struct mr_bucket_limits crowd_limits = {
    .windows = {{.count = 300, .period_us = 20 * MR_MILLISECOND},
                {.count = 2500, .period_us = 200 * MR_MILLISECOND}},
    .window_count = 2,
    .concurrent = 50};

/* Asks without end. The server counts between the grant and the send. */
static void crowd_member(struct arrivals *arrivals, uint64_t seed) {
  struct mr_error error;
  struct mr_limiter *limiter = mr_limiter_open_shared(&mr_clock_system, path, &error);
  CHECK(limiter && error.kind == MR_NONE);
  struct mr_queue *queue = mr_queue_open(limiter, &mr_clock_system, seed);
  struct mr_bucket *bucket;
  CHECK(!mr_limiter_bucket(limiter, "crowd", &crowd_limits, &bucket, &error));
  for (;;) {
    struct mr_ticket ticket = ticket_for(bucket);
    int64_t retry_after_us;
    CHECK(!mr_queue_enter(queue, &ticket, &retry_after_us, &error));
    if (ticket.state == MR_TICKET_GRANTED) {
      uint32_t index = atomic_fetch_add(&arrivals->count, 1);
      CHECK(index < ARRIVALS_MAX);
      atomic_store(&arrivals->at_us[index], mr_clock_now(&mr_clock_system));
      mr_ticket_sent(queue, &ticket);
    }
    mr_ticket_cancel(queue, &ticket);
    CHECK(!mr_limiter_trouble(limiter, &error));
  }
}

static pid_t start_member(struct arrivals *arrivals, uint64_t seed) {
  pid_t child = fork();
  if (child == 0) crowd_member(arrivals, seed);
  assert_true(child > 0);
  return child;
}

static int compare_times(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
  return left < right ? -1 : left > right;
}

static uint32_t most_in(const int64_t *times, uint32_t count, int64_t period_us) {
  uint32_t most = 0;
  for (uint32_t first = 0, last = 0; last < count; last++) {
    while (times[last] - times[first] > period_us)
      first++;
    if (last - first + 1 > most) most = last - first + 1;
  }
  return most;
}

static void check_arrivals(struct arrivals *arrivals) {
  uint32_t count = 0, all = atomic_load(&arrivals->count);
  int64_t *times = calloc(all + 1, sizeof(*times));
  assert_non_null(times);
  for (uint32_t i = 0; i < all; i++) /* one killed before it wrote its time never sent anything */
    if (atomic_load(&arrivals->at_us[i]) != 0) times[count++] = atomic_load(&arrivals->at_us[i]);
  qsort(times, count, sizeof(*times), compare_times);
  for (uint32_t i = 0; i < crowd_limits.window_count; i++) {
    const struct mr_window_limit *limit = &crowd_limits.windows[i];
    uint32_t most = most_in(times, count, limit->period_us);
    print_message("%u arrivals, %d kills: at most %u of %d in %d ms\n", count, KILLS, most,
                  (int)limit->count, (int)(limit->period_us / 1000));
    assert_true(most <= limit->count);
  }
  assert_true(count > 1000);
  free(times);
}

static void kill_some(struct arrivals *arrivals) {
  pid_t members[CROWD];
  struct mr_random random;
  mr_random_seed(&random, 4);
  for (uint64_t i = 0; i < CROWD; i++)
    members[i] = start_member(arrivals, i);
  for (uint64_t i = 0; i < KILLS + CROWD; i++) {
    struct timespec pause = {.tv_nsec = (long)(1 + mr_random_below(&random, 8000000))};
    nanosleep(&pause, NULL);
    int status;
    pid_t *member = &members[i % CROWD];
    kill(*member, SIGKILL);
    assert_int_equal(waitpid(*member, &status, 0), *member);
    if (!WIFSIGNALED(status)) fail_msg("a member failed in a line that is %d", WEXITSTATUS(status));
    if (i < KILLS) *member = start_member(arrivals, i + CROWD);
  }
}

static void test_killed_at_any_instruction(void **state) {
  (void)state;
  struct arrivals *arrivals =
      mmap(NULL, sizeof(*arrivals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(arrivals != MAP_FAILED);
  kill_some(arrivals);
  check_arrivals(arrivals);
  struct mr_error error;
  struct mr_virtual_clock clock;
  mr_virtual_clock_init(&clock, mr_clock_now(&mr_clock_system) + 10 * MR_SECOND,
                        mr_clock_wall(&mr_clock_system));
  struct mr_limiter *limiter = mr_limiter_open_shared(&clock.clock, path, &error);
  assert_string_equal(error.message, "");
  clock.now_us += 10 * MR_SECOND;
  struct mr_bucket *bucket;
  assert_int_equal(mr_limiter_bucket(limiter, "crowd", &crowd_limits, &bucket, &error), MR_NONE);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 0);
  assert_int_equal(view.remaining[0], 300);
  assert_int_equal(view.remaining[1], 2500);
  mr_bucket_release(bucket);
  mr_limiter_close(limiter);
  munmap(arrivals, sizeof(*arrivals));
}

/* }====================================================== */

/* A child of fork shares in its own name: what its parent has under way stays the parent's, also when it exits. */
static void test_a_child_of_fork(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND);
  limits.concurrent = 5;
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  struct mr_ticket mine = ticket_for(bucket), other = ticket_for(bucket);
  enter(&world, &mine);
  mr_ticket_sent(world.queue, &mine);
  pid_t child = fork();
  if (child == 0) {
    struct mr_bucket_view view;
    struct mr_error trouble;
    mr_bucket_look(bucket, &view);
    CHECK(view.running == 1 && view.remaining[0] == 9);
    enter(&world, &other);
    CHECK(other.state == MR_TICKET_GRANTED);
    mr_ticket_sent(world.queue, &other);
    mr_bucket_look(bucket, &view);
    CHECK(view.running == 2 && view.remaining[0] == 8);
    CHECK(!mr_limiter_trouble(world.limiter, &trouble));
    _exit(0); /* with a slot in its hands */
  }
  assert_child(child);
  world.clock.now_us += 300 * MR_MILLISECOND; /* the dead are looked for now and then */
  enter(&world, &other);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 2); /* the parent's two */
  assert_int_equal(view.remaining[0], 7);
  mr_ticket_cancel(world.queue, &other);
  mr_ticket_closed(world.queue, &mine);
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 0);
  mr_bucket_release(bucket);
  world_close(&world);
}

static void test_sharing_is_chosen_before_the_first_bucket(void **state) {
  (void)state;
  struct world world;
  struct mr_error error = {0};
  struct stat status;
  char place[160];
  world_open(&world);
  setenv("XDG_RUNTIME_DIR", directory, 1);
  snprintf(place, sizeof(place), "%s/moonrest/limits-1", directory);
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
                                     TEST(test_files_that_are_not_ours),
                                     TEST(test_files_that_others_can_reach),
                                     TEST(test_damaged_files),
                                     TEST(test_a_file_that_was_left_unfinished),
                                     TEST(test_random_damage),
                                     TEST(test_the_default_place),
                                     TEST(test_a_full_disk),
                                     TEST(test_more_processes_than_places),
                                     TEST(test_more_keys_than_entries),
                                     TEST(test_the_slots_of_the_dead),
                                     TEST(test_a_change_that_was_cut_short),
                                     TEST(test_a_child_of_fork),
                                     TEST(test_sharing_is_chosen_before_the_first_bucket),
                                     TEST(test_no_place_for_the_file),
                                     TEST(test_a_holder_that_is_stopped),
                                     TEST(test_another_boot),
                                     TEST(test_another_clock),
                                     TEST(test_killed_after_so_many_instructions),
                                     TEST(test_killed_at_any_instruction)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
