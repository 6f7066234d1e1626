/*
** For tests of the transport with a thread: one over a transport that does what the test says when it says so. Each
** action is executed in the thread, and has been when 'act' returns. So the order of everything is known.
*/
#ifndef THREAD_SCENE_H
#define THREAD_SCENE_H

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

#include "exchange_events.h"
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

static inline void note(const char *what, int number) {
  size_t used = strlen(fake.log);
  snprintf(fake.log + used, sizeof fake.log - used, "%s%d ", what, number);
}

static inline int number_of(const struct mr_exchange *x) {
  for (int i = 0; i < fake.starts; i++)
    if (fake.started[i] == x) return i;
  return -1;
}

static inline struct mr_transport *fake_open(const struct mr_transport_config *config,
                                             struct mr_error *error) {
  (void)config, (void)error;
  fake = (struct fake){.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
  return (struct mr_transport *)(void *)&fake;
}

static inline void fake_close(struct mr_transport *transport) {
  (void)transport;
  note("close", fake.starts);
}

static inline enum mr_kind fake_start(struct mr_transport *transport, struct mr_exchange *x,
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

static inline void fake_note(const char *what, struct mr_exchange *x) {
  pthread_mutex_lock(&fake.lock);
  note(what, number_of(x));
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
}

static inline void fake_cancel(struct mr_transport *transport, struct mr_exchange *x) {
  (void)transport;
  fake_note("cancel", x);
}

static inline void fake_resume(struct mr_transport *transport, struct mr_exchange *x) {
  (void)transport;
  fake_note("resume", x);
}

static inline void finish(struct mr_exchange *x, enum mr_kind kind) {
  struct mr_exchange_result result = {
      .kind = kind, .status = 200, .phase = MR_PHASE_DONE, .timings = {-1, -1, -1, -1, -1, 7}};
  if (kind) mr_fail(&result.error, kind, "as the test wants it");
  x->events->on_done(x, &result);
}

static inline int64_t count_signals(void) {
  sigset_t blocked;
  pthread_sigmask(SIG_SETMASK, NULL, &blocked);
  return sigismember(&blocked, SIGINT) + sigismember(&blocked, SIGTERM);
}

static inline bool is_dropped(struct mr_parcel *parcel) {
  pthread_mutex_lock(&parcel->transport->lock);
  bool dropped = parcel->mail.is_dropped;
  pthread_mutex_unlock(&parcel->transport->lock);
  return dropped;
}

static inline void execute(struct action *action) {
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

static inline int fake_step(struct mr_transport *transport, int64_t timeout_us,
                            struct mr_error *error) {
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

static inline void fake_wake(struct mr_transport *transport) {
  (void)transport;
  pthread_mutex_lock(&fake.lock);
  fake.woken = true;
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
}

static inline void fake_route_closed(struct mr_transport *transport, const struct mr_route *route) {
  (void)transport;
  pthread_mutex_lock(&fake.lock);
  note(route->ca_file ? route->ca_file : "route", 0);
  pthread_cond_broadcast(&fake.moved);
  pthread_mutex_unlock(&fake.lock);
}

static inline void fake_abandon(struct mr_transport *transport) {
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
static inline int64_t act(struct action action) {
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

static inline void *act_later(void *context) {
  struct action *action = context;
  action->result = act(*action);
  return NULL;
}

/* Waits until the thread has called that. */
static inline void wait_for(const char *logged) {
  pthread_mutex_lock(&fake.lock);
  while (!strstr(fake.log, logged))
    pthread_cond_wait(&fake.moved, &fake.lock);
  pthread_mutex_unlock(&fake.lock);
}

static inline bool was_called(const char *logged) {
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

static inline void tell(struct mr_exchange *x, const char *format, ...) {
  struct call *call = x->owner;
  size_t used = strlen(call->log);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(call->log + used, sizeof call->log - used, format, arguments);
  va_end(arguments);
}

static inline enum mr_flow flow(struct mr_exchange *x, enum what event) {
  struct call *call = x->owner;
  x->stop_kind = MR_TOO_LARGE;
  if (call->stop_at == event) return MR_FLOW_STOP;
  if (call->pause_at != event) return MR_FLOW_ON;
  call->pause_at = SENT;
  tell(x, "pause ");
  return MR_FLOW_PAUSE;
}

static inline enum mr_flow on_sent(struct mr_exchange *x, int64_t at_us) {
  ((struct call *)x->owner)->sent_us = at_us;
  tell(x, "sent ");
  return MR_FLOW_ON;
}

static inline enum mr_flow on_status(struct mr_exchange *x, int status) {
  tell(x, "%d ", status);
  return flow(x, STATUS);
}

static inline enum mr_flow on_header(struct mr_exchange *x, const char *line, size_t size) {
  tell(x, "[%.*s] ", (int)size, line);
  return flow(x, HEADER);
}

static inline enum mr_flow on_headers_end(struct mr_exchange *x, int64_t at_us) {
  ((struct call *)x->owner)->ended_us = at_us;
  tell(x, "end ");
  return flow(x, HEADERS_END);
}

static inline enum mr_flow on_body(struct mr_exchange *x, const char *bytes, size_t size) {
  struct call *call = x->owner;
  enum mr_flow how = flow(x, BODY);
  if (how != MR_FLOW_ON) return how;
  if (size < 20) tell(x, "%.*s ", (int)size, bytes);
  call->body_size += size;
  return MR_FLOW_ON;
}

static inline int64_t on_read(struct mr_exchange *x, char *bytes, size_t size) {
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

static inline void on_done(struct mr_exchange *x, const struct mr_exchange_result *result) {
  struct call *call = x->owner;
  call->result = *result;
  call->dones++;
  tell(x, "done:%s", mr_kind_name(result->kind));
}

static const struct mr_exchange_events events = EXCHANGE_EVENTS;

struct scene {
  struct mr_transport *transport;
  struct mr_route route;
  struct call calls[CALLS_MAX];
};

static inline void open_scene(struct scene *scene) {
  struct mr_transport_config config = {.clock = &mr_clock_system, .inner = &fake_type};
  *scene = (struct scene){.route = {.verify = true}};
  scene->transport = mr_transport_thread.open(&config, NULL);
  assert_non_null(scene->transport);
}

static inline void close_scene(struct scene *scene) {
  mr_transport_thread.route_closed(scene->transport, &scene->route);
  mr_transport_thread.close(scene->transport);
}

static inline struct call *make_call(struct scene *scene, int number) {
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
  return call;
}

static inline void begin(struct scene *scene, struct call *call) {
  assert_int_equal(mr_transport_thread.start(scene->transport, &call->exchange, NULL), MR_NONE);
}

static inline struct call *start(struct scene *scene, int number) {
  struct call *call = make_call(scene, number);
  begin(scene, call);
  return call;
}

static inline int step(struct scene *scene, int64_t timeout_us) {
  struct mr_error error = {0};
  return mr_transport_thread.step(scene->transport, timeout_us, &error);
}

static inline bool readable(int descriptor) {
  struct pollfd entry = {.fd = descriptor, .events = POLLIN};
  return poll(&entry, 1, 0) == 1;
}

static inline void answer(int call, const char *body) {
  act((struct action){.what = SENT, .call = call, .size = 41});
  act((struct action){.what = STATUS, .call = call, .size = 200});
  act((struct action){.what = HEADER, .call = call, .text = "A: 1"});
  act((struct action){.what = HEADER, .call = call, .text = "B:"});
  act((struct action){.what = HEADERS_END, .call = call, .size = 42});
  if (body) act((struct action){.what = BODY, .call = call, .text = body, .size = strlen(body)});
}

static inline void done(int call, enum mr_kind kind) {
  act((struct action){.what = DONE, .call = call, .kind = kind});
}

static inline void cancel(struct scene *scene, struct call *call) {
  mr_transport_thread.cancel(scene->transport, &call->exchange);
}

static inline struct call *start_upload(struct scene *scene, int64_t size) {
  struct call *call = start(scene, 0);
  /* It may have been started: the size is the thread's. */
  pthread_mutex_lock(&scene->transport->lock);
  call->exchange.body_size = size;
  pthread_mutex_unlock(&scene->transport->lock);
  return call;
}

static inline int64_t read_some(void) {
  return act((struct action){.what = READ, .size = 8});
}

/* }====== */

#endif
