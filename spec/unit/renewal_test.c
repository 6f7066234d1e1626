/* Credentials that a command brings again: requests on virtual time and a scripted network, real commands that end when
** the test says so. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine.h"
#include "failing_allocator.h"
#include "virtual_engine.h"

#define LOOKS    2500                  /* of 10 ms each: less than a command may take */
#define LOOK_US  (10 * MR_MILLISECOND) /* of virtual time */
#define REQUESTS 5

/* Each test's is static, so that children that are forked leave nothing unreachable when they end. */
struct world {
  struct mr_virtual_clock clock;
  struct mr_virtual_network network;
  struct mr_route route;
  struct mr_limiter *limiter;
  struct mr_engine *engine;
  struct mr_endpoint *endpoint, *open_endpoint; /* the other needs no credential */
  struct mr_secret *secret, *second;
  const char *good; /* the credential that the server takes */
  int64_t slow_us;  /* of the next answer, once */
  char folder[64];
  int pipe; /* what is written here is what the command says next */
  int descriptors;
};

static void serve(void *context, const struct mr_virtual_sent *sent,
                  struct mr_virtual_answer *answer) {
  struct world *world = context;
  const char *given = mr_virtual_header(sent, "authorization");
  *answer = (struct mr_virtual_answer){.body = "{}", .wait_us = world->slow_us};
  world->slow_us = 0;
  if (given && strcmp(given, world->good) != 0) answer->status = 401;
}

static int open_descriptors(void) {
  int count = 0;
  for (int i = 0; i < 256; i++)
    count += fcntl(i, F_GETFD) != -1;
  return count;
}

static const char *place(const struct world *world, const char *name) {
  static char paths[4][96];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", world->folder, name);
  return path;
}

/* Says "old-one" first, and what is written to the pipe from then on. */
static struct mr_secret *open_command(const struct world *world) {
  struct mr_secret *secret = NULL;
  char line[400];
  snprintf(line, sizeof line,
           "echo $$ >>%s; test -p %s || { echo old-one; exit; }; read said <%s; test \"$said\" != "
           "bad || exit 3; "
           "echo $said",
           place(world, "runs"), place(world, "pipe"), place(world, "pipe"));
  mr_secret_open(MR_SECRET_COMMAND, line, strlen(line), false, &secret, NULL);
  return secret;
}

static struct mr_endpoint *open_endpoint(struct world *world) {
  struct mr_error error = {0};
  const char *base = "https://api.example.com/v1";
  struct mr_endpoint *endpoint = mr_endpoint_new();
  if (!endpoint) return NULL;
  endpoint->route = &world->route;
  if (!mr_endpoint_target(endpoint, "GET", base, strlen(base), &error)) return endpoint;
  mr_endpoint_release(endpoint);
  return NULL;
}

static bool open_world(struct world *world) {
  *world = (struct world){.good = "new-one", .pipe = -1, .folder = "/tmp/moonrest-renewal-XXXXXX"};
  world->descriptors = open_descriptors();
  assert_non_null(mkdtemp(world->folder));
  world->secret = open_command(world);
  mr_virtual_clock_init(&world->clock, 5 * MR_SECOND, 1700000000 * MR_SECOND);
  mr_virtual_network_init(&world->network, &world->clock, serve, world);
  world->engine = virtual_engine_open(&world->network, &world->limiter);
  bool good = world->engine && world->secret;
  if (good) world->endpoint = open_endpoint(world);
  if (good) world->open_endpoint = open_endpoint(world);
  good = good && world->endpoint && world->open_endpoint;
  good = good &&
         !mr_endpoint_credential(world->endpoint, "Authorization", NULL, "", world->secret, NULL);
  assert_int_equal(mkfifo(place(world, "pipe"), 0600), 0);
  world->pipe = open(place(world, "pipe"), O_RDWR | O_CLOEXEC);
  assert_true(world->pipe >= 0);
  return good;
}

static void close_world(struct world *world) {
  mr_endpoint_release(world->endpoint);
  mr_endpoint_release(world->open_endpoint);
  mr_secret_release(world->secret);
  mr_secret_release(world->second);
  virtual_engine_close(world->engine, world->limiter, &world->network);
  close(world->pipe);
  unlink(place(world, "pipe"));
  unlink(place(world, "runs"));
  rmdir(world->folder);
  assert_int_equal(open_descriptors(), world->descriptors);
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  assert_int_equal(errno, ECHILD);
}

static void say(const struct world *world, const char *line) {
  assert_int_equal(write(world->pipe, line, strlen(line)), strlen(line));
}

/* How often the command was started, and the last one's process. */
static int runs(const struct world *world, pid_t *process) {
  int count = 0, number;
  FILE *file = fopen(place(world, "runs"), "r");
  if (!file) return 0;
  while (fscanf(file, "%d", &number) == 1) {
    count++;
    if (process) *process = number;
  }
  fclose(file);
  return count;
}

static pid_t await_runs(const struct world *world, int count) {
  pid_t process = 0;
  for (int i = 0; i < 10000 && runs(world, &process) < count; i++)
    usleep(1000);
  assert_int_equal(runs(world, &process), count);
  return process;
}

/* The inner shell is an orphan then: the system reaps it in its own time, or never. */
static bool has_ended(pid_t process) {
  char path[64], status[512] = "";
  if (kill(process, 0) != 0) return true;
  snprintf(path, sizeof path, "/proc/%d/stat", (int)process);
  FILE *file = fopen(path, "r");
  bool ended = !file || !fgets(status, sizeof status, file) || strstr(status, ") Z ");
  if (file) fclose(file);
  return ended;
}

static bool is_gone(pid_t process) {
  for (int i = 0; i < 10000 && !has_ended(process); i++)
    usleep(1000);
  return has_ended(process);
}

static struct mr_request *start(struct world *world, struct mr_endpoint *endpoint) {
  struct mr_request *request = mr_request_new(endpoint);
  if (!request) return NULL;
  if (mr_buffer_text(&request->url, endpoint->base) || mr_buffer_text(&request->url, "/x") ||
      mr_request_target(request, false, NULL)) {
    mr_request_free(request);
    return NULL;
  }
  mr_engine_start(world->engine, request);
  return request;
}

/* Lets the network answer, without a look at the command. */
static void answer(struct world *world) {
  for (int i = 0; i < 3; i++)
    mr_engine_step(world->engine, 0, NULL);
}

static struct mr_request *start_renewing(struct world *world) {
  struct mr_request *request = start(world, world->endpoint);
  assert_non_null(request);
  answer(world);
  assert_int_equal(request->state, MR_STATE_RENEWING);
  return request;
}

static void look(struct world *world) {
  world->clock.now_us += LOOK_US;
  assert_true(mr_engine_step(world->engine, 0, NULL) >= 0);
}

static void run(struct world *world, struct mr_request *request) {
  for (int i = 0; i < LOOKS && !mr_request_is_finished(request); i++) {
    look(world);
    usleep(1000); /* the command's time is real */
  }
  assert_true(mr_request_is_finished(request));
}

static void one_run_serves_all(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  struct mr_request *requests[REQUESTS];
  for (int i = 0; i < REQUESTS; i++)
    requests[i] = start_renewing(&world);
  await_runs(&world, 2); /* the first was that of the opening */
  struct mr_request *other = start(&world, world.open_endpoint);
  look(&world);
  assert_int_equal(other->state, MR_STATE_DONE);
  assert_int_equal(mr_engine_next_timer_us(world.engine), world.clock.now_us + LOOK_US);
  say(&world, "new-one\n");
  for (int i = 0; i < REQUESTS; i++) {
    run(&world, requests[i]);
    assert_int_equal(requests[i]->status, 200);
    mr_request_free(requests[i]);
  }
  assert_int_equal(runs(&world, NULL), 2);
  mr_request_free(other);
  close_world(&world);
}

static void what_does_not_change_is_not_sent_again(void **state) {
  (void)state;
  static const char *const said[] = {"old-one\n", "bad\n", "\n", "new\1one\n"};
  for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
    static struct world world;
    assert_true(open_world(&world));
    struct mr_request *request = start_renewing(&world);
    say(&world, said[i]);
    run(&world, request);
    assert_int_equal(request->state, MR_STATE_DONE);
    assert_int_equal(request->status, 401);
    assert_int_equal(world.network.sent_count, 1);
    assert_int_equal(mr_secret_refused(world.secret), 2);
    mr_request_free(request);
    close_world(&world);
  }
}

static void it_is_read_once(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  struct mr_request *request = start_renewing(&world);
  say(&world, "another\n");
  run(&world, request);
  assert_int_equal(request->status, 401);
  assert_int_equal(world.network.sent_count, 2);
  assert_int_equal(runs(&world, NULL), 2);
  mr_request_free(request);
  close_world(&world);
}

static void a_late_refusal_of_the_old_one_needs_no_run(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  world.slow_us = 60 * MR_SECOND - LOOK_US;
  struct mr_request *slow = start(&world, world.endpoint);
  struct mr_request *quick = start_renewing(&world);
  say(&world, "new-one\n");
  run(&world, quick);
  assert_int_equal(slow->state, MR_STATE_SENDING);
  world.clock.now_us = slow->deadline_us - LOOK_US;
  run(&world, slow);
  assert_int_equal(slow->status, 200);
  assert_int_equal(runs(&world, NULL), 2);
  mr_request_free(slow);
  mr_request_free(quick);
  close_world(&world);
}

static void who_is_cancelled_last_ends_the_command(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  struct mr_request *one = start_renewing(&world), *other = start_renewing(&world);
  pid_t process = await_runs(&world, 2);
  mr_engine_cancel(world.engine, one);
  assert_int_equal(one->state, MR_STATE_CANCELLED);
  assert_string_equal(one->error.message, "cancelled while renewing");
  assert_int_equal(kill(process, 0), 0);
  mr_engine_cancel_route(world.engine, &world.route, "the client was closed");
  assert_int_equal(other->state, MR_STATE_CANCELLED);
  assert_true(is_gone(process));
  for (int i = 0; i < LOOKS && mr_engine_next_timer_us(world.engine) != MR_NEVER; i++) {
    look(&world); /* a busy machine takes longer to end a process than a kill waits */
    usleep(1000);
  }
  assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
  mr_request_free(one);
  mr_request_free(other);
  close_world(&world);
}

static void closing_the_engine_ends_the_command(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  struct mr_request *request = start_renewing(&world);
  pid_t process = await_runs(&world, 2);
  mr_engine_close(world.engine);
  world.engine = NULL;
  assert_int_equal(request->state, MR_STATE_CANCELLED);
  assert_true(is_gone(process));
  mr_request_free(request);
  close_world(&world);
}

static void the_deadline_holds(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  world.endpoint->timeout_us = MR_SECOND;
  struct mr_request *early = start_renewing(&world);
  world.endpoint->timeout_us = 2 * MR_SECOND;
  struct mr_request *late = start_renewing(&world);
  pid_t process = await_runs(&world, 2);
  world.clock.now_us += MR_SECOND;
  look(&world);
  assert_int_equal(early->state, MR_STATE_FAILED);
  assert_int_equal(early->error.kind, MR_TIMEOUT);
  assert_int_equal(late->state, MR_STATE_RENEWING);
  assert_int_equal(kill(process, 0), 0);
  world.clock.now_us += MR_SECOND;
  look(&world);
  assert_int_equal(late->error.kind, MR_TIMEOUT);
  assert_true(is_gone(process));
  mr_request_free(early);
  mr_request_free(late);
  close_world(&world);
}

static void a_command_has_thirty_seconds(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  struct mr_request *request = start_renewing(&world);
  pid_t process = await_runs(&world, 2);
  world.clock.now_us += 29 * MR_SECOND;
  look(&world);
  assert_int_equal(request->state, MR_STATE_RENEWING);
  world.clock.now_us += MR_SECOND;
  look(&world);
  assert_int_equal(request->state, MR_STATE_DONE);
  assert_int_equal(request->status, 401);
  assert_true(is_gone(process));
  mr_request_free(request);
  close_world(&world);
}

static void no_slot_is_held_meanwhile(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  struct mr_bucket_limits limits = {.concurrent = 1};
  struct mr_bucket *bucket = NULL;
  assert_int_equal(mr_limiter_bucket(world.limiter, "b", &limits, &bucket, NULL), MR_NONE);
  world.endpoint->buckets[world.endpoint->bucket_count++] = bucket;
  struct mr_request *one = start_renewing(&world), *other = start_renewing(&world);
  say(&world, "new-one\n");
  run(&world, one);
  run(&world, other);
  assert_int_equal(one->status + other->status, 400);
  mr_request_free(one);
  mr_request_free(other);
  close_world(&world);
}

static void several_commands_run_in_turn(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  say(&world, "second\n");
  world.second = open_command(&world);
  assert_non_null(world.second);
  assert_false(mr_endpoint_credential(world.endpoint, "X-Key", NULL, "", world.second, NULL));
  struct mr_request *request = start_renewing(&world);
  say(&world, "new-one\nthird\n");
  run(&world, request);
  assert_int_equal(request->status, 200);
  assert_string_equal(mr_virtual_header(mr_virtual_sent_at(&world.network, 1), "x-key"), "third");
  mr_request_free(request);
  close_world(&world);
}

/* The child has no say over the parent's command, which goes on. */
static void a_fork_leaves_the_command_alone(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  struct mr_request *request = start_renewing(&world);
  await_runs(&world, 2);
  pid_t child = fork();
  if (child == 0) {
    int before = open_descriptors();
    bool good = mr_engine_step(world.engine, 0, NULL) == 0;
    good = good && request->state == MR_STATE_CANCELLED && open_descriptors() == before - 2;
    good = good && mr_engine_pending(world.engine) == 0;
    mr_request_free(request);
    mr_engine_close(world.engine);
    _exit(good ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  say(&world, "new-one\n");
  run(&world, request);
  assert_int_equal(request->status, 200);
  mr_request_free(request);
  close_world(&world);
}

static void a_host_may_ignore_its_children(void **state) {
  (void)state;
  static struct world world;
  void (*before)(int) = signal(SIGCHLD, SIG_IGN);
  assert_true(open_world(&world));
  struct mr_request *request = start_renewing(&world);
  say(&world, "new-one\n");
  run(&world, request);
  assert_int_equal(request->status, 200);
  mr_request_free(request);
  close_world(&world);
  signal(SIGCHLD, before);
}

/* A step with a bound sends a part of those that waited, and says that it is to come again. */
static void many_go_on_within_the_bound(void **state) {
  (void)state;
  static struct world world;
  assert_true(open_world(&world));
  mr_engine_bound(world.engine, 0);
  struct mr_request *requests[REQUESTS];
  for (int i = 0; i < REQUESTS; i++)
    requests[i] = start_renewing(&world);
  say(&world, "new-one\n");
  int sent = REQUESTS;
  for (int i = 0; i < LOOKS && (int)world.network.sent_count < 2 * REQUESTS; i++) {
    look(&world);
    assert_true((int)world.network.sent_count - sent <=
                2); /* before the network's turn and behind */
    sent = (int)world.network.sent_count;
    usleep(1000);
  }
  for (int i = 0; i < REQUESTS; i++) {
    run(&world, requests[i]);
    assert_int_equal(requests[i]->status, 200);
    mr_request_free(requests[i]);
  }
  close_world(&world);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.needle = "new-one";
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    static struct world world;
    if (open_world(&world)) {
      world.good = "";
      struct mr_request *request = start(&world, world.endpoint);
      say(&world, "new-one\n");
      if (request) run(&world, request);
      if (request && request->state == MR_STATE_DONE) assert_int_equal(request->status, 401);
      mr_request_free(request);
    }
    close_world(&world);
  }
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_run_serves_all),
      cmocka_unit_test(what_does_not_change_is_not_sent_again),
      cmocka_unit_test(it_is_read_once),
      cmocka_unit_test(a_late_refusal_of_the_old_one_needs_no_run),
      cmocka_unit_test(who_is_cancelled_last_ends_the_command),
      cmocka_unit_test(closing_the_engine_ends_the_command),
      cmocka_unit_test(the_deadline_holds),
      cmocka_unit_test(a_command_has_thirty_seconds),
      cmocka_unit_test(no_slot_is_held_meanwhile),
      cmocka_unit_test(several_commands_run_in_turn),
      cmocka_unit_test(a_fork_leaves_the_command_alone),
      cmocka_unit_test(a_host_may_ignore_its_children),
      cmocka_unit_test(many_go_on_within_the_bound),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
