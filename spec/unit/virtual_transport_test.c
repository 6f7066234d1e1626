/* The virtual transport itself: other tests rest on its order and its clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_events.h"
#include "virtual_transport.h"

struct scene {
  struct mr_virtual_clock clock;
  struct mr_virtual_network network;
  struct mr_virtual_answer answer; /* for every exchange */
  struct mr_transport *transport;
  char log[1000]; /* "event@ms " */
  bool pause_body, stop_body;
  int read;
};

static void note(struct mr_exchange *x, const char *what) {
  struct scene *scene = x->owner;
  size_t used = strlen(scene->log);
  snprintf(scene->log + used, sizeof scene->log - used, "%s@%d ", what,
           (int)(scene->clock.now_us / MR_MILLISECOND));
}

static enum mr_flow on_sent(struct mr_exchange *x, int64_t at_us) {
  (void)at_us;
  note(x, "sent");
  return MR_FLOW_ON;
}

static enum mr_flow on_status(struct mr_exchange *x, int status) {
  char text[10];
  snprintf(text, sizeof text, "%d", status);
  note(x, text);
  return MR_FLOW_ON;
}

static enum mr_flow on_header(struct mr_exchange *x, const char *line, size_t size) {
  char text[100];
  snprintf(text, sizeof text, "[%.*s]", (int)size, line);
  note(x, text);
  return MR_FLOW_ON;
}

static enum mr_flow on_headers_end(struct mr_exchange *x, int64_t at_us) {
  (void)at_us;
  note(x, "end");
  return MR_FLOW_ON;
}

static enum mr_flow on_body(struct mr_exchange *x, const char *bytes, size_t size) {
  struct scene *scene = x->owner;
  char text[100];
  if (scene->stop_body) {
    x->stop_kind = MR_TOO_LARGE;
    return MR_FLOW_STOP;
  }
  if (scene->pause_body) {
    scene->pause_body = false;
    return MR_FLOW_PAUSE;
  }
  snprintf(text, sizeof text, "%.*s", (int)size, bytes);
  note(x, text);
  return MR_FLOW_ON;
}

static int64_t on_read(struct mr_exchange *x, char *bytes, size_t size) {
  struct scene *scene = x->owner;
  size_t left = 5 - (size_t)scene->read;
  size_t count = left < 2 ? left : 2;
  if (count > size) count = size;
  memcpy(bytes, &"hello"[scene->read], count);
  scene->read += (int)count;
  return (int64_t)count;
}

static void on_done(struct mr_exchange *x, const struct mr_exchange_result *result) {
  char text[60];
  snprintf(text, sizeof text, "done:%s:%d%s", mr_kind_name(result->kind), (int)result->phase,
           result->stale ? ":stale" : "");
  note(x, text);
}

static const struct mr_exchange_events events = EXCHANGE_EVENTS;

static void serve(void *context, const struct mr_virtual_sent *sent,
                  struct mr_virtual_answer *answer) {
  struct scene *scene = context;
  (void)sent;
  *answer = scene->answer;
}

static void open_scene(struct scene *scene, struct mr_virtual_answer answer) {
  *scene = (struct scene){.answer = answer};
  mr_virtual_clock_init(&scene->clock, 0, 0);
  mr_virtual_network_init(&scene->network, &scene->clock, serve, scene);
  mr_virtual_network_use(&scene->network);
  struct mr_transport_config config = {.clock = &scene->clock.clock};
  scene->transport = mr_transport_virtual.open(&config, NULL);
}

static void close_scene(struct scene *scene) {
  mr_transport_virtual.close(scene->transport);
  mr_virtual_network_free(&scene->network);
}

static void start(struct scene *scene, struct mr_exchange *x) {
  *x = (struct mr_exchange){.events = &events,
                            .owner = scene,
                            .method = "GET",
                            .url = "http://a.test/x",
                            .url_size = 15,
                            .headers = "A: 1\0B:  2\0",
                            .headers_size = 12,
                            .body_size = -1,
                            .deadline_us = MR_NEVER};
  assert_int_equal(mr_transport_virtual.start(scene->transport, x, NULL), MR_NONE);
}

static int step(struct scene *scene, int64_t timeout_us) {
  return mr_transport_virtual.step(scene->transport, timeout_us, NULL);
}

static void run(struct scene *scene) {
  while (scene->network.in_flight > 0)
    step(scene, 10 * MR_SECOND);
}

static void test_answer(void **state) {
  struct scene scene;
  struct mr_exchange x;
  (void)state;
  open_scene(&scene, (struct mr_virtual_answer){.status = 201,
                                                .headers = "X: y\nZ: w",
                                                .body = "abcd",
                                                .connect_us = 5000,
                                                .wait_us = 10000,
                                                .body_us = 4000,
                                                .pieces = 2});
  start(&scene, &x);
  run(&scene);
  assert_string_equal(scene.log,
                      "sent@5 201@15 [X: y]@15 [Z: w]@15 end@15 ab@17 cd@19 done:none:5@19 ");
  const struct mr_virtual_sent *sent = mr_virtual_sent_at(&scene.network, 0);
  assert_string_equal(sent->url, "http://a.test/x");
  assert_string_equal(mr_virtual_header(sent, "b"), "2");
  assert_null(mr_virtual_header(sent, "C"));
  assert_int_equal(sent->sent_us, 5000);
  close_scene(&scene);
}

static void test_failures(void **state) {
  static const struct {
    enum mr_exchange_phase phase;
    const char *log;
  } cases[] = {
      {MR_PHASE_CONNECT, "done:network:2@1 "},
      {MR_PHASE_SEND, "sent@1 done:network:3:stale@3 "},
      {MR_PHASE_RECEIVE, "sent@1 200@3 end@3 ab@3 done:network:4@3 "},
  };
  (void)state;
  for (size_t i = 0; i < 3; i++) {
    struct scene scene;
    struct mr_exchange x;
    open_scene(&scene, (struct mr_virtual_answer){.body = "ab",
                                                  .connect_us = 1000,
                                                  .wait_us = 2000,
                                                  .kind = MR_NETWORK,
                                                  .phase = cases[i].phase,
                                                  .stale = cases[i].phase == MR_PHASE_SEND});
    start(&scene, &x);
    run(&scene);
    assert_string_equal(scene.log, cases[i].log);
    close_scene(&scene);
  }
}

static void test_time_limits(void **state) {
  struct scene scene;
  struct mr_exchange x;
  (void)state;
  open_scene(&scene, (struct mr_virtual_answer){.silent = true, .connect_us = 1000});
  start(&scene, &x);
  x.deadline_us = 50000;
  run(&scene);
  start(&scene, &x);
  x.idle_timeout_us = 7000;
  run(&scene);
  scene.answer.connect_us = MR_NEVER;
  start(&scene, &x);
  x.connect_timeout_us = 3000;
  run(&scene);
  assert_string_equal(scene.log,
                      "sent@1 done:timeout:3@50 sent@51 done:timeout:3@58 done:timeout:0@61 ");
  close_scene(&scene);
}

static void test_steps(void **state) {
  struct scene scene;
  struct mr_exchange x, y;
  (void)state;
  open_scene(&scene, (struct mr_virtual_answer){.wait_us = 10000});
  start(&scene, &x);
  assert_int_equal(step(&scene, 0), 0);
  assert_string_equal(scene.log, "sent@0 ");
  assert_int_equal(step(&scene, 4000), 0);
  assert_int_equal(scene.clock.now_us, 4000);
  start(&scene, &y);
  assert_int_equal(scene.network.most_in_flight, 2);
  assert_int_equal(mr_transport_virtual.next_timer_us(scene.transport), 4000);
  mr_transport_virtual.wake(scene.transport);
  assert_int_equal(step(&scene, MR_NEVER), 0);
  assert_int_equal(scene.clock.now_us, 4000);
  assert_int_equal(step(&scene, MR_NEVER), 1);
  assert_int_equal(scene.clock.now_us, 10000);
  mr_transport_virtual.cancel(scene.transport, &y);
  assert_int_equal(scene.network.cancelled, 1);
  assert_int_equal(scene.network.in_flight, 0);
  close_scene(&scene);
}

static void test_flow(void **state) {
  struct scene scene;
  struct mr_exchange x;
  (void)state;
  open_scene(&scene, (struct mr_virtual_answer){.body = "abcd", .body_us = 2000, .pieces = 2});
  scene.pause_body = true;
  start(&scene, &x);
  while (scene.pause_body)
    step(&scene, MR_SECOND);
  assert_int_equal(step(&scene, 8000), 0);
  mr_transport_virtual.resume(scene.transport, &x);
  run(&scene);
  assert_string_equal(scene.log, "sent@0 200@0 end@0 ab@9 cd@10 done:none:5@10 ");
  scene.log[0] = '\0';
  scene.stop_body = true;
  start(&scene, &x);
  run(&scene);
  assert_non_null(strstr(scene.log, "done:too_large:4@"));
  close_scene(&scene);
}

static void test_upload(void **state) {
  struct scene scene;
  struct mr_exchange x;
  (void)state;
  open_scene(&scene, (struct mr_virtual_answer){0});
  start(&scene, &x);
  x.body_size = 5;
  run(&scene);
  assert_string_equal(mr_virtual_sent_at(&scene.network, 0)->body, "hello");
  start(&scene, &x);
  x.body_size = 9; /* more than there is */
  run(&scene);
  assert_non_null(strstr(scene.log, "done:io:3@"));
  scene.network.refuse_start = true;
  struct mr_error error;
  assert_int_equal(mr_transport_virtual.start(scene.transport, &x, &error), MR_LIMIT);
  close_scene(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answer),      cmocka_unit_test(test_failures),
      cmocka_unit_test(test_time_limits), cmocka_unit_test(test_steps),
      cmocka_unit_test(test_flow),        cmocka_unit_test(test_upload),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
