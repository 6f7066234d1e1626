/*
** The transport with a thread, over one that does what the test says when it says so: each action is executed
** in the thread, and has been when 'act' returns. So the order of everything is known.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "memory.h"
#include "thread_parts.h"
#include "transport_thread.h"

/* {====== The inner transport ====== */

#define CALLS_MAX 8

enum what {
  SENT,
  STATUS,
  HEADER,
  HEADERS_END,
  BODY,
  READ,
  DONE,
  FAIL,
  SENT_TOO_LATE,
  LOOK_AT_SIGNALS
};

struct action {
  enum what what;
  int call; /* by the order of the starts */
  const char *text;
  size_t size;
  enum mr_kind kind;
  int64_t result; /* what the event returned */
};

struct fake {
  pthread_mutex_t lock;
  pthread_cond_t moved;
  struct action *action; /* to execute */
  bool woken, failing;
  struct mr_exchange *started[CALLS_MAX];
  int starts;
  char log[2000]; /* what was called, in the thread */
  char bytes[100000];
  enum mr_kind refuses; /* the next start */
  int abandoned;
};

static struct fake fake;

static void note(const char *what, int number) {
  size_t used = strlen(fake.log);
  snprintf(fake.log + used, sizeof fake.log - used, "%s%d ", what, number);
}

static int number_of(const struct mr_exchange *x) {
  for (int i = 0; i < fake.starts; i++)
    if (fake.started[i] == x) return i;
  return -1;
}

static struct mr_transport *fake_open(const struct mr_transport_config *config,
                                      struct mr_error *error) {
  (void)config, (void)error;
  fake = (struct fake){.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
  return (struct mr_transport *)(void *)&fake;
}

static void fake_close(struct mr_transport *transport) {
  (void)transport;
  note("close", fake.starts);
}

static enum mr_kind fake_start(struct mr_transport *transport, struct mr_exchange *x,
                               struct mr_error *error) {
  (void)transport;
  pthread_mutex_lock(&fake.lock);
  enum mr_kind kind = fake.refuses;
  fake.refuses = MR_NONE;
  if (!kind) {
    note("start", fake.starts);
    fake.started[fake.starts++] = x;
  }
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
  return kind ? mr_fail(error, kind, "refused") : MR_NONE;
}

static void fake_note(const char *what, struct mr_exchange *x) {
  pthread_mutex_lock(&fake.lock);
  note(what, number_of(x));
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
}

static void fake_cancel(struct mr_transport *transport, struct mr_exchange *x) {
  (void)transport;
  fake_note("cancel", x);
}

static void fake_resume(struct mr_transport *transport, struct mr_exchange *x) {
  (void)transport;
  fake_note("resume", x);
}

static void finish(struct mr_exchange *x, enum mr_kind kind) {
  struct mr_exchange_result result = {
      .kind = kind, .status = 200, .phase = MR_PHASE_DONE, .timings = {-1, -1, -1, -1, -1, 7}};
  if (kind) mr_fail(&result.error, kind, "as the test wants it");
  x->events->on_done(x, &result);
}

static int64_t count_signals(void) {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  return sigismember(&blocked, SIGINT) + sigismember(&blocked, SIGTERM);
}

static bool is_dropped(struct mr_parcel *parcel) {
  pthread_mutex_lock(&parcel->transport->lock);
  bool dropped = parcel->mail.is_dropped;
  pthread_mutex_unlock(&parcel->transport->lock);
  return dropped;
}

static void execute(struct action *action) {
  struct mr_exchange *x = fake.started[action->call];
  switch (action->what) {
  case SENT:
    action->result = x->events->on_sent(x, (int64_t)action->size);
    break;
  case STATUS:
    action->result = x->events->on_status(x, (int)action->size);
    break;
  case HEADER:
    action->result = x->events->on_header(x, action->text, strlen(action->text));
    break;
  case HEADERS_END:
    action->result = x->events->on_headers_end(x, (int64_t)action->size);
    break;
  case BODY:
    action->result = x->events->on_body(x, action->text, action->size);
    break;
  case READ:
    action->result = x->events->on_read(x, fake.bytes, action->size);
    break;
  case DONE:
    finish(x, action->kind);
    break;
  case SENT_TOO_LATE:
    fake_note("late", x);
    while (!is_dropped(x->owner))
      sched_yield();
    action->result = x->events->on_sent(x, 41);
    break;
  case LOOK_AT_SIGNALS:
    action->result = count_signals();
    break;
  case FAIL:
    fake.failing = true;
  }
}

static int fake_step(struct mr_transport *transport, int64_t timeout_us, struct mr_error *error) {
  (void)transport, (void)timeout_us;
  pthread_mutex_lock(&fake.lock);
  while (!fake.woken && !fake.action)
    pthread_cond_wait(&fake.moved, &fake.lock);
  fake.woken = false;
  struct action *action = fake.action;
  pthread_mutex_unlock(&fake.lock);
  if (!action) return 0;
  execute(action);
  pthread_mutex_lock(&fake.lock);
  fake.action = NULL;
  bool failing = fake.failing;
  fake.failing = false;
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
  if (failing) mr_fail(error, MR_NETWORK, "the loop broke");
  return failing ? -1 : 0;
}

static void fake_wake(struct mr_transport *transport) {
  (void)transport;
  pthread_mutex_lock(&fake.lock);
  fake.woken = true;
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
}

static void fake_route_closed(struct mr_transport *transport, const struct mr_route *route) {
  (void)transport;
  pthread_mutex_lock(&fake.lock);
  note(route->ca_file ? route->ca_file : "route", 0);
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
}

static void fake_abandon(struct mr_transport *transport) {
  (void)transport;
  fake.abandoned++;
}

static const struct mr_transport_type fake_type = {
    .version = MR_TRANSPORT_VERSION,
    .name = "fake",
    .open = fake_open,
    .close = fake_close,
    .start = fake_start,
    .cancel = fake_cancel,
    .resume = fake_resume,
    .step = fake_step,
    .wake = fake_wake,
    .route_closed = fake_route_closed,
    .abandon = fake_abandon,
};

/* Has the thread do this, and waits until it has. */
static int64_t act(struct action action) {
  pthread_mutex_lock(&fake.lock);
  while (fake.starts <= action.call)
    pthread_cond_wait(&fake.moved, &fake.lock);
  fake.action = &action;
  pthread_cond_broadcast(&fake.moved);
  while (fake.action)
    pthread_cond_wait(&fake.moved, &fake.lock);
  pthread_mutex_unlock(&fake.lock);
  return action.result;
}

static void *act_later(void *context) {
  struct action *action = context;
  action->result = act(*action);
  return NULL;
}

/* Waits until the thread has called that. */
static void wait_for(const char *logged) {
  pthread_mutex_lock(&fake.lock);
  while (!strstr(fake.log, logged))
    pthread_cond_wait(&fake.moved, &fake.lock);
  pthread_mutex_unlock(&fake.lock);
}

static bool was_called(const char *logged) {
  pthread_mutex_lock(&fake.lock);
  bool found = strstr(fake.log, logged) != NULL;
  pthread_mutex_unlock(&fake.lock);
  return found;
}

/* }====== */

/* {====== The owner ====== */

struct call {
  struct mr_exchange exchange;
  char log[2000];
  size_t body_size, reads;
  enum what stop_at, pause_at; /* SENT: nowhere */
  const char *upload;          /* in pieces of 3 bytes; NULL: fails */
  int64_t sent_us, ended_us;   /* as the events said */
  struct mr_exchange_result result;
  int dones;
};

static void tell(struct mr_exchange *x, const char *format, ...) {
  struct call *call = x->owner;
  size_t used = strlen(call->log);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(call->log + used, sizeof call->log - used, format, arguments);
  va_end(arguments);
}

static enum mr_flow flow(struct mr_exchange *x, enum what event) {
  struct call *call = x->owner;
  x->stop_kind = MR_TOO_LARGE;
  if (call->stop_at == event) return MR_FLOW_STOP;
  if (call->pause_at != event) return MR_FLOW_ON;
  call->pause_at = SENT;
  tell(x, "pause ");
  return MR_FLOW_PAUSE;
}

static enum mr_flow on_sent(struct mr_exchange *x, int64_t at_us) {
  ((struct call *)x->owner)->sent_us = at_us;
  tell(x, "sent ");
  return MR_FLOW_ON;
}

static enum mr_flow on_status(struct mr_exchange *x, int status) {
  tell(x, "%d ", status);
  return flow(x, STATUS);
}

static enum mr_flow on_header(struct mr_exchange *x, const char *line, size_t size) {
  tell(x, "[%.*s] ", (int)size, line);
  return flow(x, HEADER);
}

static enum mr_flow on_headers_end(struct mr_exchange *x, int64_t at_us) {
  ((struct call *)x->owner)->ended_us = at_us;
  tell(x, "end ");
  return flow(x, HEADERS_END);
}

static enum mr_flow on_body(struct mr_exchange *x, const char *bytes, size_t size) {
  struct call *call = x->owner;
  enum mr_flow how = flow(x, BODY);
  if (how != MR_FLOW_ON) return how;
  if (size < 20) tell(x, "%.*s ", (int)size, bytes);
  call->body_size += size;
  return MR_FLOW_ON;
}

static int64_t on_read(struct mr_exchange *x, char *bytes, size_t size) {
  struct call *call = x->owner;
  if (!call->upload) return -1;
  size_t left = strlen(call->upload);
  if (size > 3) size = 3;
  if (size > left) size = left;
  memcpy(bytes, call->upload, size);
  call->upload += size;
  call->reads++;
  return (int64_t)size;
}

static void on_done(struct mr_exchange *x, const struct mr_exchange_result *result) {
  struct call *call = x->owner;
  call->result = *result;
  call->dones++;
  tell(x, "done:%s", mr_kind_name(result->kind));
}

static const struct mr_exchange_events events = {
    .on_sent = on_sent,
    .on_status = on_status,
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_body = on_body,
    .on_read = on_read,
    .on_done = on_done,
};

struct scene {
  struct mr_transport *transport;
  struct mr_route route;
  struct call calls[CALLS_MAX];
};

static void open_scene(struct scene *scene) {
  struct mr_transport_config config = {.clock = &mr_clock_system, .inner = &fake_type};
  *scene = (struct scene){.route = {.verify = true}};
  scene->transport = mr_transport_thread.open(&config, NULL);
  assert_non_null(scene->transport);
}

static void close_scene(struct scene *scene) {
  mr_transport_thread.route_closed(scene->transport, &scene->route);
  mr_transport_thread.close(scene->transport);
}

static struct call *start(struct scene *scene, int number) {
  struct call *call = &scene->calls[number];
  *call = (struct call){.upload = "hello, world"};
  call->exchange = (struct mr_exchange){.events = &events,
                                        .owner = call,
                                        .route = &scene->route,
                                        .method = "GET",
                                        .url = "http://a/b",
                                        .url_size = 10,
                                        .headers = "",
                                        .headers_size = 1,
                                        .body_size = -1,
                                        .deadline_us = MR_NEVER};
  assert_int_equal(mr_transport_thread.start(scene->transport, &call->exchange, NULL), MR_NONE);
  return call;
}

static int step(struct scene *scene, int64_t timeout_us) {
  struct mr_error error = {0};
  return mr_transport_thread.step(scene->transport, timeout_us, &error);
}

static bool readable(int descriptor) {
  struct pollfd entry = {.fd = descriptor, .events = POLLIN};
  return poll(&entry, 1, 0) == 1;
}

static void answer(int call, const char *body) {
  act((struct action){.what = SENT, .call = call, .size = 41});
  act((struct action){.what = STATUS, .call = call, .size = 200});
  act((struct action){.what = HEADER, .call = call, .text = "A: 1"});
  act((struct action){.what = HEADER, .call = call, .text = "B:"});
  act((struct action){.what = HEADERS_END, .call = call, .size = 42});
  if (body) act((struct action){.what = BODY, .call = call, .text = body, .size = strlen(body)});
}

static void done(int call, enum mr_kind kind) {
  act((struct action){.what = DONE, .call = call, .kind = kind});
}

static void cancel(struct scene *scene, struct call *call) {
  mr_transport_thread.cancel(scene->transport, &call->exchange);
}

/* }====== */

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

static struct call *start_upload(struct scene *scene, int64_t size) {
  struct call *call = start(scene, 0);
  pthread_mutex_lock(
      &scene->transport->lock); /* it may have been started: the size is the thread's */
  call->exchange.body_size = size;
  pthread_mutex_unlock(&scene->transport->lock);
  return call;
}

static int64_t read_some(void) {
  return act((struct action){.what = READ, .size = 8});
}

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
      cmocka_unit_test(test_failure),
      cmocka_unit_test(test_signals),
      cmocka_unit_test(test_routes),
      cmocka_unit_test(test_fork),
      cmocka_unit_test(test_exit),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_memory),
  };
  atexit(look_at_exit);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
