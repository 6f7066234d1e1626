/* How many connections exchanges open that could share one, and what those that wait for a place may meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certificates.h"
#include "fault_server.h"
#include "wire.h"

static struct certificates certificates;

static int make_certificates(void **state) {
  (void)state;
  certificates_make(&certificates);
  return 0;
}

static int remove_certificates(void **state) {
  (void)state;
  certificates_remove(&certificates);
  return 0;
}

#define CALLS_MAX 320

struct scene {
  struct wire wire;
  struct fault_server *server;
  struct call calls[CALLS_MAX];
};

static struct scene *open_server(const struct fault_server_options *options) {
  struct scene *scene = calloc(1, sizeof *scene);
  assert_non_null(scene);
  wire_open(&scene->wire);
  scene->wire.route.ca_file = certificates.ca;
  scene->wire.route.http2 = true;
  scene->server = fault_server_start(options);
  return scene;
}

static struct scene *open_scene(const struct fault_script *script, bool speaks_h2, size_t secured) {
  return open_server(&(struct fault_server_options){
      .scripts = script,
      .script_count = 1,
      .certificate = certificates.good,
      .key = certificates.key,
      .speaks_h2 = speaks_h2,
      .secured = secured,
  });
}

/* It accepts, and says nothing. */
static struct scene *open_silent(void) {
  static const struct fault_script silence = {{DO_HANG}};
  return open_server(&(struct fault_server_options){.scripts = &silence, .script_count = 1});
}

/* Whatever is in flight is cancelled, in the order of its start. */
static void close_scene(struct scene *scene) {
  for (struct call *call = scene->calls; call < scene->calls + CALLS_MAX; call++) {
    if (call->wire && !call->dones)
      mr_transport_curl.cancel(scene->wire.transport, &call->exchange);
    call_free(call);
  }
  wire_close(&scene->wire);
  fault_server_stop(scene->server);
  free(scene);
}

static struct call *prepare(struct scene *scene, int index) {
  struct call *call = &scene->calls[index];
  char url[100];
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", fault_server_port(scene->server));
  call_init(call, &scene->wire, 0, "/");
  call_url(call, url);
  return call;
}

static void begin(struct scene *scene, int from, int to) {
  for (int i = from; i < to; i++)
    call_start(prepare(scene, i));
}

/* A step; what does not come about in ten seconds of them never does. */
static void pass(struct scene *scene, int64_t start_us) {
  wire_step(&scene->wire, MR_MILLISECOND);
  assert_true(mr_clock_now(&mr_clock_system) < start_us + 10 * MR_SECOND);
}

static void wait_sent(struct scene *scene, int from, int to) {
  int64_t start_us = mr_clock_now(&mr_clock_system);
  for (int i = from; i < to; i++)
    while (!scene->calls[i].sent && !scene->calls[i].dones)
      pass(scene, start_us);
}

static void wait_connections(struct scene *scene, size_t count) {
  int64_t start_us = mr_clock_now(&mr_clock_system);
  while (fault_server_connections(scene->server) < count)
    pass(scene, start_us);
}

static int count_answered(const struct scene *scene, int from, int to) {
  int answered = 0;
  for (int i = from; i < to; i++)
    answered += scene->calls[i].dones && scene->calls[i].result.status == 200;
  return answered;
}

static void wait_answered(struct scene *scene, int from, int to, int count) {
  int64_t start_us = mr_clock_now(&mr_clock_system);
  while (count_answered(scene, from, to) < count)
    pass(scene, start_us);
}

static void cancel(struct scene *scene, int index) {
  struct call *call = &scene->calls[index];
  mr_transport_curl.cancel(scene->wire.transport, &call->exchange);
  call->dones = 1;
}

/* What takes requests and never answers. */
static const struct fault_script swallow = {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_AGAIN}};

/* ---- how many ---- */

/* A connection carries a hundred at a time. */
static void test_as_many_as_needed(void **state) {
  static const struct {
    int calls;
    size_t connections;
  } cases[] = {{1, 1}, {2, 1}, {100, 1}, {101, 2}, {200, 2}, {201, 3}, {320, 4}};
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct scene *scene = open_scene(&swallow, true, 0);
    begin(scene, 0, cases[i].calls);
    wait_sent(scene, 0, cases[i].calls);
    assert_int_equal(fault_server_connections(scene->server), cases[i].connections);
    close_scene(scene);
  }
}

#ifndef WIRE_IN_THREAD /* which may begin with few before it hears of the others */
/* Several at a time when the first does not suffice by far. */
static void test_beside_each_other(void **state) {
  struct scene *scene = open_scene(&swallow, true, 1);
  (void)state;
  begin(scene, 0, 320);
  wait_connections(scene, 3);
  close_scene(scene);
}
#endif

/* Those that are there first. */
static void test_more_beside_those_in_use(void **state) {
  struct scene *scene = open_scene(&swallow, true, 0);
  (void)state;
  begin(scene, 0, 60);
  wait_sent(scene, 0, 60);
  begin(scene, 60, 160);
  wait_sent(scene, 60, 160);
  assert_int_equal(fault_server_connections(scene->server), 2);
  close_scene(scene);
}

/* HTTP/1.1: when the first has its connection all others open theirs at once. */
static void test_a_server_without_it(void **state) {
  static const struct fault_script script = {{DO_REQUEST, DO_HANG}};
  (void)state;
  for (size_t secured = 0; secured < 2; secured++) {
    struct scene *scene = open_scene(&script, false, secured);
    begin(scene, 0, 20);
    wait_connections(scene, 20);
    if (secured == 0) wait_sent(scene, 0, 20);
    close_scene(scene);
  }
}

/* ... and from then on without waiting for a first one: the handshakes go on beside each other. */
static void test_known_to_be_without_it(void **state) {
  static const struct fault_script script = {{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST, DO_HANG}};
  struct scene *scene = open_scene(&script, false, 1);
  (void)state;
  begin(scene, 0, 1);
  call_wait(&scene->calls[0]);
  begin(scene, 1, 9);
  wait_connections(scene, 8);
  close_scene(scene);
}

/* ---- what may go wrong ---- */

static void test_refused(void **state) {
  struct scene *scene = open_silent();
  (void)state;
  for (int i = 0; i < 20; i++)
    prepare(scene, i);
  fault_server_stop(scene->server);
  for (int i = 0; i < 20; i++)
    call_start(&scene->calls[i]);
  for (int i = 0; i < 20; i++) {
    call_wait(&scene->calls[i]);
    assert_ended(&scene->calls[i], MR_NETWORK, MR_PHASE_CONNECT);
    assert_message(&scene->calls[i], "is the server running?");
  }
  scene->server = fault_server_run(&swallow);
  close_scene(scene);
}

/* A server that accepts and says nothing: the time to connect is that of each, also while it waits for the first. */
static void test_time_to_connect(void **state) {
  struct scene *scene = open_silent();
  (void)state;
  int64_t start_us = mr_clock_now(&mr_clock_system);
  for (int i = 0; i < 20; i++) {
    prepare(scene, i)->exchange.connect_timeout_us = 200 * MR_MILLISECOND;
    call_start(&scene->calls[i]);
  }
  for (int i = 0; i < 20; i++) {
    call_wait(&scene->calls[i]);
    assert_int_equal(scene->calls[i].result.kind, MR_TIMEOUT);
    assert_message(&scene->calls[i], "within 0.20 s");
    assert_int_equal(scene->calls[i].result.bytes_received, 0);
  }
  int64_t took_us = mr_clock_now(&mr_clock_system) - start_us;
  assert_true(took_us >= 200 * MR_MILLISECOND);
  assert_true(took_us < 3 * MR_SECOND); /* one after the other it would be four */
  close_scene(scene);
}

/* The deadline of one that waits is its own. */
static void test_deadline_of_one_that_waits(void **state) {
  struct scene *scene = open_silent();
  (void)state;
  begin(scene, 0, 1);
  wait_connections(scene, 1);
  struct call *call = prepare(scene, 1);
  call->exchange.deadline_us = mr_clock_now(&mr_clock_system) + 20 * MR_MILLISECOND;
  call_start(call);
  call_wait(call);
  assert_ended(call, MR_TIMEOUT, MR_PHASE_NONE);
  assert_message(call, "when the time was up");
  assert_int_equal(scene->calls[0].dones, 0);
  assert_int_equal(fault_server_connections(scene->server), 1);
  close_scene(scene);
}

/* One that waits goes without a trace, and when the one that connects goes the next one connects. */
static void test_cancelled(void **state) {
  struct scene *scene = open_silent();
  (void)state;
  begin(scene, 0, 5);
  wait_connections(scene, 1);
  cancel(scene, 2);
  cancel(scene, 4);
  cancel(scene, 0);
  wait_connections(scene, 2);
  cancel(scene, 1);
  wait_connections(scene, 3);
  cancel(scene, 3);
  wire_step(&scene->wire, 0);
  assert_int_equal(fault_server_connections(scene->server), 3);
  close_scene(scene);
}

/* libcurl, which was given one that shares, has it wait for the first connection to the host, whatever that is for. */
static void test_cancelled_in_libcurl(void **state) {
  struct scene *scene = open_silent();
  (void)state;
  prepare(scene, 0)->exchange.alone = true;
  call_start(&scene->calls[0]);
  wait_connections(scene, 1);
  begin(scene, 1, 3);
  for (int i = 0; i < 3; i++)
    wire_step(&scene->wire, 0);
  cancel(scene, 1);
  cancel(scene, 0);
  wait_connections(scene, 2);
  close_scene(scene);
}

static void test_route_closed_while_some_wait(void **state) {
  struct scene *scene = open_scene(&swallow, true, 0);
  (void)state;
  begin(scene, 0, 150);
  mr_transport_curl.route_closed(scene->wire.transport, &scene->wire.route);
  wait_sent(scene, 0, 150);
  close_scene(scene);
}

/* ---- places that become free ---- */

/* The second connection never comes about: the first serves all that wait, one after the other. */
static void test_a_place_that_becomes_free(void **state) {
  static const struct fault_script script = {
      {DO_FRAMES(H2_STREAMS("\x01")), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
       DO_FRAMES(H2_OK("\x03")), DO_REQUEST, DO_FRAMES(H2_OK("\x05")), DO_REQUEST,
       DO_FRAMES(H2_OK("\x07")), DO_HANG}};
  struct scene *scene = open_scene(&script, true, 1);
  (void)state;
  begin(scene, 0, 1);
  call_wait(&scene->calls[0]);
  begin(scene, 1, 5);
  wait_answered(scene, 1, 5, 3);
  assert_true(fault_server_connections(scene->server) <= 2);
  close_scene(scene);
}

/* One that comes later finds it as well, though none waited when it became free. */
static void test_a_place_that_is_free(void **state) {
  static const struct fault_script script = {
      {DO_FRAMES(H2_STREAMS("\x01")), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
       DO_FRAMES(H2_OK("\x03")), DO_REQUEST, DO_FRAMES(H2_OK("\x05")), DO_HANG}};
  struct scene *scene = open_scene(&script, true, 1);
  (void)state;
  begin(scene, 0, 1);
  call_wait(&scene->calls[0]);
  begin(scene, 1, 3);
  wait_answered(scene, 1, 3, 1);
  begin(scene, 3, 4);
  wait_answered(scene, 2, 4, 1);
  assert_true(fault_server_connections(scene->server) <= 2);
  close_scene(scene);
}

/* The server closes the connection on which it became free. One at most opens another for it. */
static void test_a_place_that_is_none(void **state) {
  static const struct fault_script script = {
      {DO_FRAMES(H2_STREAMS("\x03")), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST, DO_REQUEST,
       DO_REQUEST, DO_FRAMES(H2_GOAWAY("\x07") H2_OK("\x03") H2_OK("\x05") H2_OK("\x07")),
       DO_HANG}};
  struct scene *scene = open_scene(&script, true, 1);
  (void)state;
  begin(scene, 0, 1);
  call_wait(&scene->calls[0]);
  begin(scene, 1, 4);
  wait_sent(scene, 1, 4);
  begin(scene, 4, 20);
  for (int i = 1; i < 4; i++)
    call_wait(&scene->calls[i]);
  wait_connections(scene, 2);
  for (int i = 0; i < 5; i++)
    wire_step(&scene->wire, 0);
  assert_in_range(fault_server_connections(scene->server), 2, 3);
  close_scene(scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_as_many_as_needed),
#ifndef WIRE_IN_THREAD
      cmocka_unit_test(test_beside_each_other),
#endif
      cmocka_unit_test(test_more_beside_those_in_use),
      cmocka_unit_test(test_a_server_without_it),
      cmocka_unit_test(test_known_to_be_without_it),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_time_to_connect),
      cmocka_unit_test(test_deadline_of_one_that_waits),
      cmocka_unit_test(test_cancelled),
      cmocka_unit_test(test_cancelled_in_libcurl),
      cmocka_unit_test(test_route_closed_while_some_wait),
      cmocka_unit_test(test_a_place_that_becomes_free),
      cmocka_unit_test(test_a_place_that_is_free),
      cmocka_unit_test(test_a_place_that_is_none),
  };
  return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
