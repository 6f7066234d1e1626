/* The thread of the transport: failures, signals, routes, fork, exit, its end, and what it does without memory. */
#include "thread_scene.h"

static void test_failure(void **state) {
  struct scene scene;
  struct mr_error error = {0};
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  act((struct action){.what = FAIL});
  assert_int_equal(mr_transport_thread.step(scene.transport, MR_SECOND, &error), -1);
  assert_string_equal(error.message, "the loop broke");
  assert_int_equal(step(&scene, 0), 0);
  cancel(&scene, call);
  close_scene(&scene);
}

static void test_signals(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  assert_int_equal(act((struct action){.what = LOOK_AT_SIGNALS}), 2);
  assert_int_equal(count_signals(), 0);
  cancel(&scene, call);
  close_scene(&scene);
}

/* ---- routes ---- */

/* The owner frees a route as soon as it has closed it. */
static void test_routes(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  char ca_file[] = "mine.pem";
  scene.route.ca_file = ca_file;
  struct call *call = start(&scene, 0);
  mr_transport_thread.route_closed(scene.transport, &scene.route);
  memset(ca_file, '!', sizeof ca_file - 1);
  memset(&scene.route, 0, sizeof scene.route);
  wait_for("mine.pem0");
  assert_true(was_called("start0 mine.pem0"));
  struct call *other = start(&scene, 1); /* another one at the same address */
  act((struct action){.what = SENT, .call = 1});
  assert_false(fake.started[1]->route->verify);
  cancel(&scene, call);
  cancel(&scene, other);
  close_scene(&scene);
}

/* ---- fork ---- */

/* The thread stands still, between two turns, while a child is made; and works on in the parent. */
static void test_fork(void **state) {
  struct scene scene;
  int status = -1;
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  answer(0, "hello");
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    if (child == 0) {
      alarm(20);
      mr_transport_thread.abandon(scene.transport);
      bool free = pthread_mutex_trylock(&fake.lock) == 0;
      _exit(fake.abandoned == 1 && free ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
  }
  done(0, MR_NONE);
  step(&scene, 0);
  assert_string_equal(call->log, "sent 200 [A: 1] [B:] end hello done:none");
  close_scene(&scene);
}

static struct mr_transport *left_open;

/* Registered before there was a thread, as a TLS library's is: called after the library's own. */
static void look_at_exit(void) {
  if (!left_open) return;
  if (!left_open->is_parked) _exit(1);
  pid_t child = fork();
  if (child == 0) _exit(0);
  if (waitpid(child, NULL, 0) != child || !left_open->is_frozen) _exit(2);
  mr_transport_thread.close(left_open);
}

/* Whoever exits with a thread at work finds it standing still, and may even fork or close it then. */
static void test_exit(void **state) {
  int status = -1;
  (void)state;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    static struct scene scene;
    alarm(20);
    open_scene(&scene);
    start(&scene, 0);
    left_open = scene.transport;
    exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

/* Everything in flight and in the mail is given up with the owner. */
static void test_close(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  for (int i = 0; i < 4; i++)
    start(&scene, i);
  for (int i = 0; i < 3; i++)
    answer(i, "left behind");
  done(2, MR_NETWORK);
  for (int i = 0; i < 4; i++)
    cancel(&scene, &scene.calls[i]);
  close_scene(&scene);
  assert_true(was_called("cancel0") && was_called("cancel1") && was_called("cancel3"));
  assert_false(was_called("cancel2"));
  assert_true(was_called("close4"));
}

/* ---- memory ---- */

static size_t allocations_left = SIZE_MAX;
static pthread_mutex_t allocations_lock = PTHREAD_MUTEX_INITIALIZER;
static int blocks;

static void *scarce(void *context, void *block, size_t size) {
  (void)context;
  pthread_mutex_lock(&allocations_lock);
  bool there = size == 0 || allocations_left > 0;
  if (size > 0 && there) allocations_left--;
  if (there && size > 0 && !block) blocks++;
  if (size == 0 && block) blocks--;
  pthread_mutex_unlock(&allocations_lock);
  if (size == 0) free(block);
  return size > 0 && there ? realloc(block, size) : NULL;
}

/* One exchange; returns whether all of it worked. */
static bool try_exchange(void) {
  struct mr_transport_config config = {.clock = &mr_clock_system, .inner = &fake_type};
  struct mr_error error = {0};
  static struct scene scene;
  scene = (struct scene){.route = {.verify = true}};
  scene.transport = mr_transport_thread.open(&config, &error);
  if (!scene.transport) return false;
  struct call *call = &scene.calls[0];
  *call = (struct call){.upload = "hello, world"};
  call->exchange = (struct mr_exchange){.events = &events,
                                        .owner = call,
                                        .route = &scene.route,
                                        .method = "PUT",
                                        .url = "http://a/b",
                                        .url_size = 10,
                                        .body_size = 12,
                                        .deadline_us = MR_NEVER};
  bool started = !mr_transport_thread.start(scene.transport, &call->exchange, &error);
  bool whole = started;
  for (int i = 0; started && i < 3 && read_some() == MR_READ_LATER; i++)
    step(&scene, 0);
  enum { NOT_WHOLE = MR_FLOW_STOP };
  if (started) {
    act((struct action){.what = STATUS, .size = 200});
    whole &= act((struct action){.what = HEADER, .text = "A: 1"}) != NOT_WHOLE;
    whole &= act((struct action){.what = HEADERS_END}) != NOT_WHOLE;
    whole &= act((struct action){.what = BODY, .text = "x", .size = 1}) != NOT_WHOLE;
    done(0, whole ? MR_NONE : MR_LIMIT);
    for (int i = 0; i < 100 && !call->dones; i++)
      step(&scene, 0);
    assert_int_equal(call->dones, 1);
    if (!whole) assert_int_equal(call->result.kind, MR_LIMIT);
  }
  mr_transport_thread.route_closed(scene.transport, &scene.route);
  mr_transport_thread.close(scene.transport);
  return whole && call->reads == 4;
}

static void test_memory(void **state) {
  (void)state;
  bool whole = false;
  for (size_t n = 0; !whole && n < 100; n++) {
    allocations_left = n;
    blocks = 0;
    mr_memory_hook(scarce, NULL);
    whole = try_exchange();
    mr_memory_hook(NULL, NULL);
    assert_int_equal(blocks, 0);
  }
  assert_true(whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_failure), cmocka_unit_test(test_signals), cmocka_unit_test(test_routes),
      cmocka_unit_test(test_fork),    cmocka_unit_test(test_exit),    cmocka_unit_test(test_close),
      cmocka_unit_test(test_memory),
  };
  atexit(look_at_exit);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
