/* The owner's side of the transport with a thread: what it is given, when, and what it may do about it. */
#include "thread_scene.h"

static void test_events(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  answer(0, "hello");
  done(0, MR_NONE);
  assert_string_equal(call->log, ""); /* nothing comes outside of a step */
  assert_int_equal(step(&scene, 0), 1);
  assert_string_equal(call->log, "sent 200 [A: 1] [B:] end hello done:none");
  assert_int_equal(call->sent_us, 41);
  assert_int_equal(call->ended_us, 42);
  assert_true(call->result.timings.done_us >= 7);
  assert_int_equal(call->result.timings.sent_us, -1);
  assert_int_equal(step(&scene, 0), 0);
  close_scene(&scene);
}

/* What an exchange points to need not last: the owner may cancel and free it at any time. */
static void test_copies(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  char body[] = "body", url[] = "http://c/d", headers[] = "X: y\0";
  struct call *call = &scene.calls[0];
  *call = (struct call){.exchange = {.events = &events,
                                     .owner = call,
                                     .route = &scene.route,
                                     .method = "POST",
                                     .url = url,
                                     .url_size = 10,
                                     .headers = headers,
                                     .headers_size = sizeof headers,
                                     .body = body,
                                     .body_size = 4,
                                     .deadline_us = MR_NEVER}};
  assert_int_equal(mr_transport_thread.start(scene.transport, &call->exchange, NULL), MR_NONE);
  memset(body, '!', 4);
  memset(url, '!', 10);
  memset(headers, '!', 4);
  act((struct action){.what = SENT});
  const struct mr_exchange *x = fake.started[0];
  assert_string_equal(x->url, "http://c/d");
  assert_string_equal(x->headers, "X: y");
  assert_memory_equal(x->body, "body", 4);
  assert_true(x->route != &scene.route && x->route->verify);
  cancel(&scene, call);
  close_scene(&scene);
}

/* ---- flow ---- */

static void test_window(void **state) {
  struct scene scene;
  static const char bytes[16384];
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  answer(0, NULL);
  size_t sent = 0;
  while (act((struct action){.what = BODY, .text = bytes, .size = sizeof bytes}) == MR_FLOW_ON)
    sent += sizeof bytes;
  assert_in_range(sent, MR_MAIL_WINDOW / 2, MR_MAIL_WINDOW);
  assert_false(was_called("resume0"));
  size_t before = 0;
  for (int i = 0; call->body_size < sent; i++) { /* a slice at a time */
    assert_int_equal(step(&scene, 0), 0);
    assert_in_range(call->body_size - before, 1, 64 * 1024);
    before = call->body_size;
    assert_true(i < 100);
  }
  wait_for("resume0");
  assert_int_equal(act((struct action){.what = BODY, .text = "end", .size = 3}), MR_FLOW_ON);
  done(0, MR_NONE);
  step(&scene, 0);
  assert_int_equal(call->body_size, sent + 3);
  assert_int_equal(call->dones, 1);
  close_scene(&scene);
}

static void test_pause(void **state) {
  static const enum what places[] = {STATUS, HEADER, HEADERS_END, BODY};
  (void)state;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    struct scene scene;
    open_scene(&scene);
    struct call *call = start(&scene, 0);
    call->pause_at = places[i];
    answer(0, "one");
    act((struct action){.what = BODY, .text = "two", .size = 3});
    done(0, MR_NONE);
    for (int n = 0; n < 3; n++)
      step(&scene, 0);
    assert_null(strstr(call->log, "one"));
    assert_non_null(strstr(call->log, "end"));
    assert_int_equal(call->dones, 0);
    mr_transport_thread.resume(scene.transport, &call->exchange);
    assert_true(mr_transport_thread.next_timer_us(scene.transport) == 0);
    step(&scene, 0);
    assert_non_null(strstr(call->log, "one two done:none"));
    close_scene(&scene);
  }
}

/* The wire may be through with it: who has paused it still has a deadline. */
static void test_deadline_of_what_is_paused(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  call->pause_at = BODY;
  answer(0, "never read");
  done(0, MR_NONE);
  step(&scene, 0);
  call->exchange.deadline_us = mr_clock_now(&mr_clock_system) + 20 * MR_MILLISECOND;
  assert_true(mr_transport_thread.next_timer_us(scene.transport) == call->exchange.deadline_us);
  while (!call->dones)
    step(&scene, MR_SECOND);
  assert_int_equal(call->result.kind, MR_TIMEOUT);
  assert_int_equal(call->result.status, 200);
  assert_true(mr_clock_now(&mr_clock_system) >= call->exchange.deadline_us);
  close_scene(&scene);
}

static void test_stop(void **state) {
  static const enum what places[] = {STATUS, HEADER, HEADERS_END, BODY};
  (void)state;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    for (int ended = 0; ended < 2; ended++) {
      struct scene scene;
      open_scene(&scene);
      struct call *call = start(&scene, 0);
      call->stop_at = places[i];
      answer(0, "one");
      if (ended) done(0, MR_NONE);
      assert_int_equal(step(&scene, 0), 1);
      assert_int_equal(call->result.kind, MR_TOO_LARGE);
      assert_int_equal(call->result.error.kind, MR_TOO_LARGE);
      assert_int_equal(call->result.phase, MR_PHASE_RECEIVE);
      assert_int_equal(call->result.status, 200);
      if (!ended) wait_for("cancel0");
      assert_int_equal(step(&scene, 0), 0);
      assert_int_equal(call->dones, 1);
      close_scene(&scene);
      assert_int_equal(was_called("cancel0"), !ended);
    }
  }
}

/* A large body has its turns, and so has a small one behind it. */
static void test_fairness(void **state) {
  struct scene scene;
  static const char bytes[100000];
  (void)state;
  open_scene(&scene);
  struct call *large = start(&scene, 0);
  answer(0, NULL);
  for (int i = 0; i < 2; i++)
    act((struct action){.what = BODY, .text = bytes, .size = sizeof bytes});
  struct call *small = start(&scene, 1);
  answer(1, "small");
  done(1, MR_NONE);
  step(&scene, 0);
  assert_int_equal(small->dones, 1);
  assert_true(large->body_size < sizeof bytes);
  cancel(&scene, large);
  close_scene(&scene);
}

/* ---- cancelling ---- */

/* The wire is about to send when the owner cancels: nothing leaves, as the slot has gone back. */
static void test_cancel_before_it_left(void **state) {
  struct scene scene;
  pthread_t thread;
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  struct action action = {.what = SENT_TOO_LATE};
  assert_int_equal(pthread_create(&thread, NULL, act_later, &action), 0);
  wait_for("late0");
  cancel(&scene, call);
  pthread_join(thread, NULL);
  assert_int_equal(action.result, MR_FLOW_STOP);
  assert_string_equal(call->log, "");
  wait_for("cancel0");
  close_scene(&scene);
}

/* It has left, and nobody was told: the slot must not go back. */
static void test_cancel_after_it_left(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  answer(0, "much");
  cancel(&scene, call);
  assert_string_equal(call->log, "sent ");
  assert_int_equal(call->sent_us, 41);
  assert_int_equal(step(&scene, 0), 0);
  assert_string_equal(call->log, "sent ");
  call = start(&scene, 1);
  answer(1, "more");
  step(&scene, 0);
  char before[sizeof call->log];
  strcpy(before, call->log);
  cancel(&scene, call); /* told once is enough */
  assert_string_equal(call->log, before);
  close_scene(&scene);
}

static void test_cancel_unstarted(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  for (int i = 0; i < 200; i++) {
    struct call *call = start(&scene, 0);
    pthread_mutex_lock(&fake.lock);
    if (fake.starts > CALLS_MAX - 2) fake.starts = 0;
    pthread_mutex_unlock(&fake.lock);
    cancel(&scene, call);
    assert_string_equal(call->log, "");
  }
  close_scene(&scene);
}

static void test_refused_start(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  pthread_mutex_lock(&fake.lock);
  fake.refuses = MR_AUTH;
  pthread_mutex_unlock(&fake.lock);
  struct call *call = start(&scene, 0);
  while (!call->dones)
    step(&scene, MR_SECOND);
  assert_string_equal(call->log, "done:auth");
  assert_string_equal(call->result.error.message, "refused");
  assert_true(call->result.lasting);
  assert_int_equal(call->result.phase, MR_PHASE_NONE);
  close_scene(&scene);
}

/* ---- sending bodies ---- */

static void test_upload(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_upload(&scene, 12);
  assert_true(read_some() == MR_READ_LATER);
  assert_true(read_some() == MR_READ_LATER);
  assert_int_equal(call->reads, 0); /* only a step reads */
  step(&scene, 0);
  wait_for("resume0");
  assert_int_equal(read_some(), 8);
  assert_memory_equal(fake.bytes, "hello, w", 8);
  assert_int_equal(read_some(), 4);
  assert_memory_equal(fake.bytes, "orld", 4);
  assert_int_equal(read_some(), 0);
  step(&scene, 0);
  assert_int_equal(call->reads, 4);
  cancel(&scene, call);
  close_scene(&scene);
}

static void test_upload_fails(void **state) {
  struct scene scene;
  (void)state;
  for (int fails = 0; fails < 2; fails++) {
    open_scene(&scene);
    struct call *call = start_upload(&scene, 100);
    if (fails) call->upload = NULL;
    assert_true(read_some() == MR_READ_LATER);
    step(&scene, 0);
    wait_for("resume0");
    if (!fails) assert_int_equal(read_some(), 8);
    if (!fails) assert_int_equal(read_some(), 4);
    assert_int_equal(read_some(), fails ? -1 : 0);
    done(0, MR_IO);
    step(&scene, 0);
    assert_int_equal(call->result.kind, MR_IO);
    close_scene(&scene);
  }
}

/* ---- waiting and waking ---- */

static void test_bell(void **state) {
  struct scene scene;
  static const char bytes[16384];
  (void)state;
  open_scene(&scene);
  int descriptor = mr_transport_thread.descriptor(scene.transport);
  struct call *call = start(&scene, 0);
  assert_false(readable(descriptor));
  act((struct action){.what = SENT});
  assert_true(readable(descriptor));
  step(&scene, 0);
  assert_false(readable(descriptor));
  answer(0, NULL);
  for (int i = 0; i < 8; i++)
    act((struct action){.what = BODY, .text = bytes, .size = sizeof bytes});
  step(&scene, 0);
  assert_true(call->body_size < 8 * sizeof bytes);
  assert_true(readable(descriptor)); /* there is more */
  assert_true(mr_transport_thread.next_timer_us(scene.transport) == 0);
  step(&scene, 0);
  step(&scene, 0);
  step(&scene, 0);
  assert_int_equal(call->body_size, 8 * sizeof bytes);
  assert_false(readable(descriptor));
  mr_transport_thread.wake(scene.transport);
  assert_true(readable(descriptor));
  assert_int_equal(step(&scene, MR_NEVER), 0);
  assert_false(readable(descriptor));
  cancel(&scene, call);
  close_scene(&scene);
}

/* A sending that nobody waits for does not end a step; its end does. */
static void test_waiting(void **state) {
  struct scene scene;
  pthread_t thread;
  (void)state;
  open_scene(&scene);
  struct call *call = start(&scene, 0);
  struct action action = {.what = DONE};
  assert_int_equal(pthread_create(&thread, NULL, act_later, &action), 0);
  assert_int_equal(step(&scene, MR_NEVER), 1);
  pthread_join(thread, NULL);
  assert_int_equal(call->dones, 1);
  int64_t before_us = mr_clock_now(&mr_clock_system);
  assert_int_equal(step(&scene, 10 * MR_MILLISECOND), 0);
  assert_true(mr_clock_now(&mr_clock_system) - before_us >= 10 * MR_MILLISECOND);
  close_scene(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_events),
      cmocka_unit_test(test_copies),
      cmocka_unit_test(test_window),
      cmocka_unit_test(test_pause),
      cmocka_unit_test(test_deadline_of_what_is_paused),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_fairness),
      cmocka_unit_test(test_cancel_before_it_left),
      cmocka_unit_test(test_cancel_after_it_left),
      cmocka_unit_test(test_cancel_unstarted),
      cmocka_unit_test(test_refused_start),
      cmocka_unit_test(test_upload),
      cmocka_unit_test(test_upload_fails),
      cmocka_unit_test(test_bell),
      cmocka_unit_test(test_waiting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
