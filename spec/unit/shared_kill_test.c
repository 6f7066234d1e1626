/*
** Processes that are killed, stopped or forked while they share buckets.
*/
#include "shared_world.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <time.h>

#include "core/random.h"

/* A child that ends with this program: nobody else would end it when the test fails, or is killed itself. */
static pid_t fork_mortal(void) {
  pid_t child = fork();
  if (child == 0) CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  return child;
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
  pid_t child = fork_mortal();
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
  pid_t child = fork_mortal();
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
  pid_t child = fork_mortal();
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

/* Stopped in the middle of a change: nobody waits for it for long, and nobody takes more than was allowed: what is left
** of the limits is an even part for each of those who shared. Running again it shares with those who come then. */
static void test_a_holder_that_is_stopped(void **state) {
  (void)state;
  struct world world;
  struct mr_virtual_clock clock = some_time();
  join_world(&world, &clock);
  struct mr_bucket_limits limits = limits_of(10, MR_SECOND), few = limits_of(1, MR_SECOND);
  struct mr_bucket *bucket = world_bucket(&world, "key", &limits);
  struct mr_bucket *slow = world_bucket(&world, "slow", &few);
  struct mr_ticket ticket = ticket_for(bucket);
  enter(&world, &ticket);
  pid_t child = fork_mortal();
  if (child == 0) {
    struct world mine;
    join_world(&mine, &clock);
    struct mr_bucket *own = world_bucket(&mine, "key", &limits);
    world_bucket(&mine, "slow", &few);
    mr_limiter_begin(mine.limiter, &own, 1);
    raise(SIGSTOP);
    mr_limiter_end(mine.limiter);
    mine.clock.now_us += 2 * MR_SECOND;
    CHECK(drain(&mine, own) == 9); /* what the other had under way counts as long as it lives */
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
  assert_int_equal(drain(&world, slow), 0);
  world.clock.now_us += 3 * MR_SECOND;
  assert_int_equal(drain(&world, bucket), 5);
  assert_int_equal(drain(&world, slow), 1);
  world.clock.now_us += 1500 * MR_MILLISECOND;
  assert_int_equal(drain(&world, slow), 0);
  world.clock.now_us += MR_SECOND;
  assert_int_equal(drain(&world, slow), 1);
  struct mr_bucket_view view;
  mr_bucket_look(bucket, &view);
  assert_int_equal(view.running, 0);
  kill(child, SIGCONT);
  assert_child(child);
  world.clock.now_us += 3 * MR_SECOND;
  assert_int_equal(drain(&world, bucket), 5); /* not back: it may have sent what nobody counted */
  mr_bucket_release(bucket);
  mr_bucket_release(slow);
  world_close(&world);
}

/*
** {======================================================
** Killed at any instruction
** =======================================================
*/

/* A child that stops itself before the life of one request, to be led through it step by step. */
static pid_t start_led_child(const struct mr_virtual_clock *clock,
                             const struct mr_bucket_limits *limits) {
  pid_t child = fork_mortal();
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

/* Single steps are slow, with a sanitizer's instructions between them above all, and hundreds of times as slow where
** others want the processor: after each step both processes wait for it. */
static long affordable_steps(long made, int64_t took_us) {
  enum { STEPS_MAX = 150000, SECONDS = 10 };
  int64_t steps = made * (SECONDS * MR_SECOND / (took_us + 1) + 1);
  return steps < STEPS_MAX ? (long)steps : STEPS_MAX;
}

static void test_killed_after_so_many_instructions(void **state) {
  (void)state;
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
  int64_t begun_us = mr_clock_now(&mr_clock_system);
  long all = lead(child, 100000000);
  long most = affordable_steps(all, mr_clock_now(&mr_clock_system) - begun_us);
  long stride = all * all / most / 2 + 1;
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

/* A member that the machine gave no time to for so long that another took it for stopped leaves as if it were killed. */
static void leave_if_starved(const struct mr_error *trouble) {
  if (strstr(trouble->message, "is stopped")) raise(SIGKILL);
}

/* Asks without end. The server counts between the grant and the send. */
static void crowd_member(struct arrivals *arrivals, uint64_t seed) {
  struct mr_error error;
  struct mr_limiter *limiter = mr_limiter_open_shared(&mr_clock_system, path, &error);
  leave_if_starved(&error);
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
    bool is_troubled = mr_limiter_trouble(limiter, &error);
    if (is_troubled) leave_if_starved(&error);
    CHECK(!is_troubled);
  }
}

static pid_t start_member(struct arrivals *arrivals, uint64_t seed) {
  pid_t child = fork_mortal();
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_the_slots_of_the_dead),
                                     TEST(test_a_change_that_was_cut_short),
                                     TEST(test_a_child_of_fork),
                                     TEST(test_a_holder_that_is_stopped),
                                     TEST(test_killed_after_so_many_instructions),
                                     TEST(test_killed_at_any_instruction)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
