/* How libcurl is driven: bounded steps, waking, timers, the descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>

#include "wire_scene.h"

static const struct fault_script hangs = {{DO_REQUEST, DO_HANG}};

/* ---- bounded steps ---- */

#define LARGE 2000000
/* What the grain of a step may be: two turns of a descriptor, and what libcurl had read of them before a pause. */
#define TURN 131072

static void open_large(struct scene *scene) {
  static char answer[LARGE + 100];
  static const struct fault_script sends = {{DO_REQUEST, DO_SEND(answer), DO_AGAIN}};
  int head =
      snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LARGE);
  memset(answer + head, 'x', LARGE);
  open_scene(scene, &sends);
  mr_transport_curl.bound(scene->wire.transport, 0);
}

/* libcurl would read the whole of it. */
static void test_a_bounded_step_takes_a_bit_of_a_body(void **state) {
  struct scene scene;
  struct call call;
  size_t most = 0;
  (void)state;
  open_large(&scene);
  call_init(&call, &scene.wire, scene.port, "/");
  call_start(&call);
  while (call.dones == 0) {
    size_t before = call.body_size;
    wire_step(&scene.wire, 0);
    if (call.body_size - before > most) most = call.body_size - before;
  }
  assert_int_equal(call.body_size, LARGE);
  assert_true(most > 0 && most <= TURN);
  call_free(&call);
  close_scene(&scene);
}

/* libcurl reads a body for a file in large pieces, and hands each out in several that no pause keeps back. */
static void test_bounded_steps_take_a_body_read_in_bulk(void **state) {
  struct scene scene;
  struct call calls[2];
  (void)state;
  open_large(&scene);
  for (int i = 0; i < 2; i++) {
    call_init(&calls[i], &scene.wire, scene.port, "/");
    calls[i].exchange.bulk = true;
    call_start(&calls[i]);
  }
  while (calls[0].dones == 0 || calls[1].dones == 0)
    wire_step(&scene.wire, 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(calls[i].body_size, LARGE);
    call_free(&calls[i]);
  }
  for (int i = 0; i < 10; i++)
    wire_step(&scene.wire, 0); /* nothing is left to be resumed */
  close_scene(&scene);
}

/* One that no step has begun, and one that rests. */
static void test_bounded_exchanges_are_cancelled(void **state) {
  struct scene scene;
  struct call calls[3];
  (void)state;
  open_large(&scene);
  for (int i = 0; i < 3; i++) {
    call_init(&calls[i], &scene.wire, scene.port, "/");
    call_start(&calls[i]);
  }
  cancel(&calls[2]);
  while (calls[0].body_size == 0)
    wire_step(&scene.wire, 0);
  assert_int_equal(calls[0].dones, 0);
  cancel(&calls[0]);
  mr_transport_curl.bound(scene.wire.transport, MR_NEVER);
  call_wait(&calls[1]);
  assert_int_equal(calls[1].body_size, LARGE);
  for (int i = 0; i < 3; i++)
    call_free(&calls[i]);
  close_scene(&scene);
}

/* ---- waiting and waking ---- */

static void *ring(void *context) {
  struct wire *wire = context;
  mr_transport_curl.wake(wire->transport);
  return NULL;
}

static void test_wake(void **state) {
  struct scene scene;
  struct call call;
  pthread_t thread;
  (void)state;
  open_scene(&scene, &hangs);
  call_init(&call, &scene.wire, scene.port, "/");
  call_start(&call);
  while (!call.sent)
    wire_step(&scene.wire, MR_SECOND);
  pthread_create(&thread, NULL, ring, &scene.wire);
  assert_int_equal(wire_step(&scene.wire, MR_NEVER), 0); /* returns at all */
  pthread_join(thread, NULL);
  cancel(&call);
  close_scene(&scene);
}

static void test_never_blocks(void **state) {
  if (wire_inner) skip(); /* no step brings it on its way */
  struct scene scene;
  struct call call;
  (void)state;
  open_scene(&scene, &hangs);
  call_init(&call, &scene.wire, scene.port, "/");
  call_start(&call);
  int64_t start_us = mr_clock_now(&mr_clock_system);
  for (int i = 0; i < 200; i++)
    assert_int_equal(wire_step(&scene.wire, 0), 0);
  assert_true(mr_clock_now(&mr_clock_system) - start_us < 2 * MR_SECOND);
  assert_int_equal(call.sent, 1);
  cancel(&call);
  close_scene(&scene);
}

/* Whoever counts slots from the send is told when it happens, unless nobody does. */
static void test_returns_when_sent(void **state) {
  struct scene scene;
  struct call call;
  (void)state;
  open_scene(&scene, &hangs);
  for (int quietly = 0; quietly < 2; quietly++) {
    call_init(&call, &scene.wire, scene.port, "/");
    call.exchange.sends_quietly = quietly;
    if (quietly) call.exchange.deadline_us = mr_clock_now(&mr_clock_system) + 300 * MR_MILLISECOND;
    call_start(&call);
    while (!call.sent)
      wire_step(&scene.wire, MR_SECOND);
    assert_int_equal(call.dones, quietly);
    if (!call.dones) cancel(&call);
  }
  close_scene(&scene);
}

/* Without anything in flight a step waits as long as it may, and no longer. */
static void test_idle_step(void **state) {
  struct wire wire;
  (void)state;
  wire_open(&wire);
  int64_t start_us = mr_clock_now(&mr_clock_system);
  assert_int_equal(wire_step(&wire, 30 * MR_MILLISECOND), 0);
  int64_t took_us = mr_clock_now(&mr_clock_system) - start_us;
  assert_in_range(took_us, 30 * MR_MILLISECOND, 2 * MR_SECOND);
  assert_true(mr_transport_curl.next_timer_us(wire.transport) == MR_NEVER);
  wire_close(&wire);
}

static bool readable(int descriptor, int timeout_ms) {
  struct pollfd entry = {.fd = descriptor, .events = POLLIN};
  return poll(&entry, 1, timeout_ms) == 1;
}

/* A foreign loop that steps only when the descriptor says so gets everything, deadlines included. */
static void test_descriptor(void **state) {
  struct scene scene;
  struct call call, late;
  (void)state;
  struct fault_script script = {{DO_REQUEST,
                                 DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
                                 DO_DRIP("hello", 10), DO_REQUEST, DO_HANG}};
  open_scene(&scene, &script);
  int descriptor = mr_transport_curl.descriptor(scene.wire.transport);
  assert_true(descriptor >= 0);
  assert_false(readable(descriptor, 0));
  call_init(&call, &scene.wire, scene.port, "/");
  call_start(&call);
  while (!call.dones) {
    assert_true(readable(descriptor, 5000));
    wire_step(&scene.wire, 0);
  }
  assert_answer(&call, 200, "hello");
  call_free(&call);
  call_init(&late, &scene.wire, scene.port, "/");
  late.exchange.deadline_us = mr_clock_now(&mr_clock_system) + 300 * MR_MILLISECOND;
  call_start(&late);
  while (!late.dones) {
    assert_true(readable(descriptor, 5000));
    wire_step(&scene.wire, 0);
  }
  assert_ended(&late, MR_TIMEOUT, MR_PHASE_SEND);
  assert_false(readable(descriptor, 0));
  mr_transport_curl.wake(scene.wire.transport);
  assert_true(readable(descriptor, 0));
  wire_step(&scene.wire, 0);
  assert_false(readable(descriptor, 0));
  close_scene(&scene);
}

static void test_next_timer(void **state) {
  if (wire_inner) skip(); /* timers are the thread's */
  struct scene scene;
  struct call call;
  (void)state;
  open_scene(&scene, &hangs);
  call_init(&call, &scene.wire, scene.port, "/");
  call.exchange.connect_timeout_us = 0;
  call_start(&call);
  assert_true(mr_transport_curl.next_timer_us(scene.wire.transport) <=
              mr_clock_now(&mr_clock_system));
  while (!call.sent)
    wire_step(&scene.wire, MR_SECOND);
  while (mr_transport_curl.next_timer_us(scene.wire.transport) != call.exchange.deadline_us) {
    wire_step(&scene.wire, 20 * MR_MILLISECOND); /* until libcurl's own timers are over */
    assert_int_equal(call.dones, 0);
  }
  cancel(&call);
  close_scene(&scene);
}

/* A server that closes an idle connection is heard once, and does not keep the loop awake. */
static void test_closed_while_idle(void **state) {
  if (wire_inner) skip(); /* the thread hears it */
  struct scene scene;
  struct call call;
  (void)state;
  open_scene(&scene, &(struct fault_script){{DO_REQUEST, DO_SEND(FAULT_OK)}});
  int descriptor = mr_transport_curl.descriptor(scene.wire.transport);
  call_init(&call, &scene.wire, scene.port, "/");
  call_run(&call);
  call_free(&call);
  assert_true(fault_server_wait_open(scene.server, 0));
  assert_true(readable(descriptor, 5000));
  wire_step(&scene.wire, 0);
  assert_false(readable(descriptor, 0));
  close_scene(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_bounded_step_takes_a_bit_of_a_body),
      cmocka_unit_test(test_bounded_steps_take_a_body_read_in_bulk),
      cmocka_unit_test(test_bounded_exchanges_are_cancelled),
      cmocka_unit_test(test_wake),
      cmocka_unit_test(test_never_blocks),
      cmocka_unit_test(test_returns_when_sent),
      cmocka_unit_test(test_idle_step),
      cmocka_unit_test(test_descriptor),
      cmocka_unit_test(test_next_timer),
      cmocka_unit_test(test_closed_while_idle),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
