/* HTTP/2: what answers consist of, which requests may be sent again, and that streams of one connection stay apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault_server.h"
#include "made_certificates.h"
#include "wire.h"

#define CALLS_MAX 6

struct scene {
  struct wire wire;
  struct fault_server *server;
  struct call calls[CALLS_MAX];
};

static void open_options(struct scene *scene, struct fault_server_options options) {
  options.certificate = certificates.good;
  options.key = certificates.key;
  wire_open(&scene->wire);
  scene->wire.route.ca_file = certificates.ca;
  scene->wire.route.http2 = true;
  scene->server = fault_server_start(&options);
}

static void open_version(struct scene *scene, const struct fault_script *scripts, size_t count,
                         bool speaks_h2) {
  open_options(scene, (struct fault_server_options){
                          .scripts = scripts, .script_count = count, .speaks_h2 = speaks_h2});
}

static void open_scripts(struct scene *scene, const struct fault_script *scripts, size_t count) {
  open_version(scene, scripts, count, true);
}

static void open_scene(struct scene *scene, const struct fault_script *script) {
  open_scripts(scene, script, 1);
}

static void close_scene(struct scene *scene) {
  wire_close(&scene->wire);
  fault_server_stop(scene->server);
}

static struct call *prepare(struct scene *scene, int index, const char *method) {
  struct call *call = &scene->calls[index];
  char url[100];
  snprintf(url, sizeof url, "https://127.0.0.1:%d/", fault_server_port(scene->server));
  call_init(call, &scene->wire, 0, "/");
  call_url(call, url);
  call->exchange.once = strcmp(method, "POST") == 0;
  call_body(call, method, call->exchange.once ? "{}" : NULL);
  return call;
}

static struct call *begin(struct scene *scene, int index, const char *method) {
  struct call *call = prepare(scene, index, method);
  call_start(call);
  return call;
}

static struct call *run(struct scene *scene, int index, const char *method) {
  struct call *call = begin(scene, index, method);
  call_wait(call);
  call_free(call);
  return call;
}

static void wait_sent(struct scene *scene, const struct call *call) {
  while (!call->sent)
    wire_step(&scene->wire, MR_SECOND);
}

static void test_a_connection_carries_several(void **state) {
  static const struct fault_script script = {{DO_FRAMES(H2_SETTINGS), DO_REQUEST,
                                              DO_FRAMES(H2_OK("\x01")), DO_REQUEST, DO_REQUEST,
                                              DO_FRAMES(H2_OK("\x05") H2_OK("\x03")), DO_HANG}};
  struct scene scene;
  (void)state;
  open_scene(&scene, &script);
  assert_answer(run(&scene, 0, "GET"), 200, "");
  assert_int_equal(scene.calls[0].result.http_major, 2);
  begin(&scene, 1, "GET");
  begin(&scene, 2, "GET");
  call_wait(&scene.calls[1]);
  call_wait(&scene.calls[2]);
  assert_answer(&scene.calls[1], 200, "");
  assert_answer(&scene.calls[2], 200, "");
  assert_int_equal(fault_server_connections(scene.server), 1);
  close_scene(&scene);
}

/* The kept one stays for the others. */
static void test_a_fresh_connection(void **state) {
  static const struct fault_script scripts[] = {
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
        DO_FRAMES(H2_OK("\x03")), DO_HANG}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_HANG}}};
  struct scene scene;
  (void)state;
  open_scripts(&scene, scripts, 2);
  assert_answer(run(&scene, 0, "GET"), 200, "");
  struct call *call = prepare(&scene, 1, "GET");
  call->exchange.fresh = true;
  call_start(call);
  call_wait(call);
  assert_answer(call, 200, "");
  assert_int_equal(fault_server_connections(scene.server), 2);
  call_free(call);
  struct call *first_again = run(&scene, 2, "GET");
  assert_int_equal(fault_server_connections(scene.server), 2);
  assert_true(first_again->result.reused);
  close_scene(&scene);
}

/* Interim answers come before the real one, fields after the body are none of its headers. */
static void test_interim_answers_and_trailers(void **state) {
  static const struct fault_script script = {
      {DO_FRAMES(H2_SETTINGS), DO_REQUEST,
       DO_FRAMES(H2_HINTS("\x01") H2_CONTINUE("\x01") H2_HINTS("\x01") H2_HEAD("\x01")
                     H2_DATA("\x05", "\x01", "hello") H2_TRAILER("\x01")),
       DO_REQUEST, DO_FRAMES(H2_HINTS("\x03")), DO_FRAMES(H2_OK("\x03")), DO_HANG}};
  struct scene scene;
  (void)state;
  open_scene(&scene, &script);
  for (int i = 0; i < 2; i++) {
    struct call *call = begin(&scene, i, "POST");
    call_wait(call);
    assert_answer(call, 200, i == 0 ? "hello" : "");
    assert_int_equal(call->header_count, 0);
    call_free(call);
  }
  assert_int_equal(fault_server_connections(scene.server), 1);
  close_scene(&scene);
}

/* An interim answer alone is none. */
static void test_an_interim_answer_alone(void **state) {
  static const struct fault_script script = {{DO_FRAMES(H2_SETTINGS), DO_REQUEST,
                                              DO_FRAMES(H2_HINTS("\x01")),
                                              DO_FRAMES(H2_RESET("\x01", "\x02")), DO_HANG}};
  struct scene scene;
  (void)state;
  open_scene(&scene, &script);
  struct call *call = run(&scene, 0, "POST");
  assert_ended(call, MR_TRUNCATED, MR_PHASE_RECEIVE);
  assert_int_equal(call->result.status, 0);
  close_scene(&scene);
}

/* ---- what was not begun with ---- */

static void expect_unread(const struct call *call) {
  assert_ended(call, MR_NETWORK, MR_PHASE_SEND);
  assert_true(call->result.unread);
  assert_true(call->result.stale);
  assert_message(call, "has not begun with the request");
}

static void expect_lost(const struct call *call) {
  assert_int_not_equal(call->result.kind, MR_NONE);
  assert_false(call->result.unread);
}

/* On a connection of its own and on a kept one, and the next exchange of the handle is none the wiser. */
static void test_refused_streams(void **state) {
  static const struct fault_script script = {
      {DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_RESET("\x01", "\x07")), DO_HANG}};
  static const struct fault_script scripts[] = {
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
        DO_FRAMES(H2_RESET("\x03", "\x07")), DO_HANG}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_RESET}}};
  struct scene scene;
  (void)state;
  open_scene(&scene, &script);
  expect_unread(run(&scene, 0, "POST"));
  assert_int_equal(fault_server_requests(scene.server), 1);
  close_scene(&scene);
  open_scripts(&scene, scripts, 2);
  assert_answer(run(&scene, 0, "GET"), 200, "");
  expect_unread(run(&scene, 1, "POST"));
  expect_lost(run(&scene, 2, "POST"));
  assert_int_equal(fault_server_requests(scene.server), 3);
  close_scene(&scene);
}

/* Above its last stream nothing was begun with, at or below it all may have been. */
static void test_goaway(void **state) {
  static const struct fault_script scripts[] = {
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST, DO_REQUEST,
        DO_REQUEST, DO_REQUEST, DO_FRAMES(H2_GOAWAY("\x03")), DO_RESET}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_HANG}}};
  struct scene scene;
  (void)state;
  open_scripts(&scene, scripts, 2);
  assert_answer(run(&scene, 0, "POST"), 200, "");
  for (int i = 1; i <= 4; i++) {
    begin(&scene, i, "POST");
    wait_sent(&scene, &scene.calls[i]);
  }
  for (int i = 1; i <= 4; i++)
    call_wait(&scene.calls[i]);
  expect_lost(&scene.calls[1]);
  for (int i = 2; i <= 4; i++)
    expect_unread(&scene.calls[i]);
  assert_answer(run(&scene, 5, "POST"), 200, "");
  assert_int_equal(fault_server_requests(scene.server), 6);
  close_scene(&scene);
}

/* A server that ends a stream for another reason, or the whole connection, may have begun with it. */
static void test_lost_streams(void **state) {
  static const struct fault_script ends[] = {
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
        DO_FRAMES(H2_RESET("\x03", "\x02")), DO_HANG}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
        DO_FRAMES(H2_RESET("\x03", "\x08")), DO_RESET}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST, DO_RESET}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST, DO_CUT}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
        DO_FRAMES(H2_GOAWAY("\x03"))}}};
  (void)state;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    struct scene scene;
    open_scene(&scene, &ends[i]);
    assert_answer(run(&scene, 0, "GET"), 200, "");
    expect_lost(run(&scene, 1, "POST"));
    assert_int_equal(fault_server_requests(scene.server), 2);
    close_scene(&scene);
  }
}

/* A server that has HTTP/1.1 alone cannot say what it did not begin with. */
static void test_lost_in_the_older(void **state) {
  static const struct fault_script ends[] = {
      {{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST, DO_RESET}},
      {{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST, DO_CUT}},
      {{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST}},
  };
  (void)state;
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    struct scene scene;
    open_version(&scene, &ends[i], 1, false);
    assert_int_equal(run(&scene, 0, "GET")->result.kind, MR_NONE);
    expect_lost(run(&scene, 1, "POST"));
    assert_true(scene.calls[1].result.stale);
    assert_int_equal(fault_server_requests(scene.server), 2);
    close_scene(&scene);
  }
}

/* What has begun to be answered was begun with. */
static void test_refused_in_the_answer(void **state) {
  static const struct fault_script script = {{DO_FRAMES(H2_SETTINGS), DO_REQUEST,
                                              DO_FRAMES(H2_HEAD("\x01")),
                                              DO_FRAMES(H2_RESET("\x01", "\x07")), DO_HANG}};
  struct scene scene;
  (void)state;
  open_scene(&scene, &script);
  expect_lost(run(&scene, 0, "POST"));
  close_scene(&scene);
}

static void test_a_server_that_wants_the_older(void **state) {
  static const struct fault_script scripts[] = {
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_RESET("\x01", "\x0d")), DO_HANG}},
      {{DO_REQUEST, DO_SEND(FAULT_OK), DO_AGAIN}}};
  struct scene scene;
  (void)state;
  open_scripts(&scene, scripts, 2);
  expect_unread(run(&scene, 0, "POST"));
  for (int i = 1; i < 3; i++) {
    struct call *call = begin(&scene, i, "POST");
    call_wait(call);
    assert_answer(call, 200, "hello");
    assert_int_equal(call->result.http_major, 1);
    call_free(call);
  }
  assert_int_equal(fault_server_requests(scene.server), 3);
  close_scene(&scene);
}

/* ---- streams beside each other ---- */

static void test_alone(void **state) {
  static const struct fault_script scripts[] = {
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_REQUEST,
        DO_FRAMES(H2_OK("\x03")), DO_HANG}},
      {{DO_REQUEST, DO_SEND(FAULT_OK), DO_AGAIN}}};
  struct scene scene;
  (void)state;
  open_scripts(&scene, scripts, 2);
  assert_answer(run(&scene, 0, "GET"), 200, "");
  struct call *call = begin(&scene, 1, "GET");
  mr_transport_curl.cancel(scene.wire.transport, &call->exchange);
  call_init(call, &scene.wire, 0, "/");
  call_url(call, scene.calls[0].url);
  call->exchange.alone = true;
  call_run(call);
  assert_answer(call, 200, "hello");
  assert_int_equal(call->result.http_major, 1);
  call_free(call);
  assert_int_equal(fault_server_connections(scene.server), 2);
  close_scene(&scene);
}

static struct call *run_alone(struct scene *scene, int index, const char *method) {
  struct call *call = prepare(scene, index, method);
  call->exchange.alone = true;
  call_run(call);
  call_free(call);
  return call;
}

/* Each on a new connection, which nobody else joins. */
static void expect_alone_on_the_newer(struct scene *scene, size_t connections_before) {
  for (int i = 1; i < 4; i++) {
    struct call *call = prepare(scene, i, "GET");
    call->exchange.alone = i < 3;
    call_run(call);
    assert_answer(call, 200, "");
    assert_int_equal(call->result.http_major, 2);
    call_free(call);
  }
  assert_int_equal(fault_server_connections(scene->server), connections_before + 3);
  assert_true(fault_server_wait_open(scene->server, 1));
}

static const struct fault_script newer = {
    {DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_HANG}};

/* Refused in the handshake nothing was sent: a write goes again as well, and is sent once. */
static void test_alone_where_the_older_is_refused(void **state) {
  struct scene scene;
  (void)state;
  open_options(&scene,
               (struct fault_server_options){
                   .scripts = &newer, .script_count = 1, .speaks_h2 = true, .only_h2 = true});
  struct call *call = run_alone(&scene, 0, "POST");
  assert_int_equal(call->result.kind, MR_NONE);
  assert_int_equal(call->result.http_major, 2);
  assert_int_equal(call->sent, 1);
  assert_int_equal(fault_server_requests(scene.server), 1);
  expect_alone_on_the_newer(&scene, 2);
  close_scene(&scene);
}

/* Where it was sent, whoever asked for it decides; the next one knows better. */
static void test_alone_where_the_older_is_not_heard(void **state) {
  static const struct fault_script scripts[] = {
      {{DO_REQUEST, DO_CUT}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_FRAMES(H2_OK("\x01")), DO_HANG}}};
  struct scene scene;
  (void)state;
  open_scripts(&scene, scripts, 2);
  expect_lost(run_alone(&scene, 0, "POST"));
  expect_alone_on_the_newer(&scene, 1);
  close_scene(&scene);
}

/* A server that has answered in it once has it. */
static void test_alone_where_the_older_was_heard(void **state) {
  static const struct fault_script scripts[] = {
      {{DO_REQUEST, DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")}},
      {{DO_REQUEST, DO_CUT}},
      {{DO_REQUEST, DO_SEND(FAULT_OK), DO_HANG}},
  };
  struct scene scene;
  (void)state;
  open_scripts(&scene, scripts, 3);
  assert_int_equal(run_alone(&scene, 0, "GET")->result.kind, MR_NONE);
  expect_lost(run_alone(&scene, 1, "GET"));
  assert_int_equal(run_alone(&scene, 2, "GET")->result.http_major, 1);
  close_scene(&scene);
}

/* While the answer to one that is alone comes, the others find each other and not its connection. */
static void test_beside_one_alone(void **state) {
  static const struct fault_script scripts[] = {
      {{DO_REQUEST, DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"), DO_REQUEST,
        DO_RESET}},
      {{DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_REQUEST, DO_FRAMES(H2_OK("\x01") H2_OK("\x03")),
        DO_HANG}}};
  struct scene scene;
  (void)state;
  open_scripts(&scene, scripts, 2);
  struct call *alone = prepare(&scene, 0, "GET");
  alone->exchange.alone = true;
  call_start(alone);
  while (alone->body_size < 2)
    wire_step(&scene.wire, MR_SECOND);
  for (int i = 1; i < 3; i++)
    wait_sent(&scene, begin(&scene, i, "GET"));
  for (int i = 1; i < 3; i++) {
    call_wait(&scene.calls[i]);
    assert_answer(&scene.calls[i], 200, "");
  }
  assert_int_equal(fault_server_connections(scene.server), 2);
  assert_int_equal(alone->dones, 0);
  mr_transport_curl.cancel(scene.wire.transport, &alone->exchange);
  call_free(alone);
  close_scene(&scene);
}

/* Of an exchange that is cancelled while it is paused nothing reaches the next one of its handle. */
static void test_cancelled_while_paused(void **state) {
  static const struct fault_script script = {
      {DO_FRAMES(H2_SETTINGS), DO_REQUEST, DO_REQUEST,
       DO_FRAMES(H2_HEAD("\x03") H2_DATA_END("\x03", "\x03", "old")), DO_REQUEST,
       DO_FRAMES(H2_HEAD("\x05") H2_DATA_END("\x03", "\x05", "new")), DO_HANG}};
  struct scene scene;
  (void)state;
  open_scene(&scene, &script);
  struct call *other = begin(&scene, 0, "GET"); /* keeps the connection in use */
  wait_sent(&scene, other);
  for (int i = 1; i < 3; i++) {
    struct call *call = begin(&scene, i, "GET");
    call->pause_at = WIRE_BODY;
    call->pauses = 1;
    while (!call->waiting)
      wire_step(&scene.wire, MR_SECOND);
    if (i == 1) mr_transport_curl.cancel(scene.wire.transport, &call->exchange);
  }
  call_wait(&scene.calls[2]);
  assert_answer(&scene.calls[2], 200, "new");
  call_free(&scene.calls[2]);
  mr_transport_curl.cancel(scene.wire.transport, &other->exchange);
  close_scene(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_connection_carries_several),
      cmocka_unit_test(test_a_fresh_connection),
      cmocka_unit_test(test_interim_answers_and_trailers),
      cmocka_unit_test(test_an_interim_answer_alone),
      cmocka_unit_test(test_refused_streams),
      cmocka_unit_test(test_goaway),
      cmocka_unit_test(test_lost_streams),
      cmocka_unit_test(test_lost_in_the_older),
      cmocka_unit_test(test_refused_in_the_answer),
      cmocka_unit_test(test_a_server_that_wants_the_older),
      cmocka_unit_test(test_alone),
      cmocka_unit_test(test_alone_where_the_older_is_refused),
      cmocka_unit_test(test_alone_where_the_older_is_not_heard),
      cmocka_unit_test(test_alone_where_the_older_was_heard),
      cmocka_unit_test(test_beside_one_alone),
      cmocka_unit_test(test_cancelled_while_paused),
  };
  return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
