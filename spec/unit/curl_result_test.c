/* What bad days look like: each fault with its kind, phase and words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "wire_scene.h"

/* What the call asks for must not show in what is said of its end. */
static void open_secret(struct scene *scene, const struct fault_script *script) {
  open_scene(scene, script);
  call_init(&scene->call, &scene->wire, scene->port, "/x?key=secret");
}

static void close_secret(struct scene *scene) {
  assert_null(strstr(scene->call.result.error.message, "secret"));
  close_scene(scene);
}

/* 'message' holds the words that must be in it, with "%d" for the port. */
static void expect(const struct fault_script *script, enum mr_kind kind,
                   enum mr_exchange_phase phase, const char *message) {
  struct scene scene;
  char words[200];
  open_secret(&scene, script);
  call_run(&scene.call);
  assert_ended(&scene.call, kind, phase);
  assert_false(scene.call.result.stale);
  assert_false(scene.call.result.reused);
  snprintf(words, sizeof words, "127.0.0.1:%d", fault_server_port(scene.server));
  if (kind) assert_message(&scene.call, words);
  if (kind) assert_message(&scene.call, message);
  close_secret(&scene);
}

static void expect_sent(const char *bytes, enum mr_kind kind, enum mr_exchange_phase phase,
                        const char *message) {
  struct fault_script script = {{DO_REQUEST, DO_SEND(bytes)}};
  expect(&script, kind, phase, message);
}

/* ---- the connection ---- */

static void test_refused(void **state) {
  struct wire wire;
  struct call call;
  (void)state;
  wire_open(&wire);
  struct fault_server *server = fault_server_run(&(struct fault_script){{DO_HANG}});
  int port = fault_server_port(server);
  fault_server_stop(server);
  call_init(&call, &wire, port, "/");
  call_run(&call);
  assert_ended(&call, MR_NETWORK, MR_PHASE_CONNECT);
  assert_message(&call, "connection refused; is the server running?");
  assert_int_equal(call.sent, 0);
  wire_close(&wire);
}

static void test_closed_at_once(void **state) {
  (void)state;
  expect(&(struct fault_script){{DO_REQUEST}}, MR_NETWORK, MR_PHASE_SEND,
         "closed the connection without an answer");
}

static void test_reset(void **state) {
  (void)state;
  expect(&(struct fault_script){{DO_REQUEST, DO_RESET}}, MR_NETWORK, MR_PHASE_SEND,
         "broke before an answer");
}

static void test_reset_in_the_body(void **state) {
  (void)state;
  expect(
      &(struct fault_script){
          {DO_REQUEST, DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), DO_RESET}},
      MR_TRUNCATED, MR_PHASE_RECEIVE, "cut off after 4 of 9 bytes");
}

/* A host name that no resolver is asked for: its label is too long. */
static void test_unresolvable(void **state) {
  struct wire wire;
  struct call call;
  char url[100];
  (void)state;
  wire_open(&wire);
  call_init(&call, &wire, 1, "");
  snprintf(url, sizeof url, "http://%.70s.test/",
           "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggg");
  call_url(&call, url);
  call_run(&call);
  assert_ended(&call, MR_NETWORK, MR_PHASE_RESOLVE);
  assert_message(&call, "cannot resolve the host name");
  wire_close(&wire);
}

/* ---- the answer ---- */

static void test_cut_body(void **state) {
  (void)state;
  expect_sent("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", MR_TRUNCATED, MR_PHASE_RECEIVE,
              "cut off after 5 of 50 bytes");
}

static void test_cut_headers(void **state) {
  (void)state;
  expect_sent("HTTP/1.1 200 OK\r\nContent-Len", MR_TRUNCATED, MR_PHASE_RECEIVE,
              "cut off in its headers");
  expect_sent("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", MR_TRUNCATED, MR_PHASE_RECEIVE,
              "cut off in its headers");
  expect_sent("HTTP/1.1 100 Continue\r\n\r\n", MR_TRUNCATED, MR_PHASE_RECEIVE,
              "cut off in its headers");
}

static void test_cut_status(void **state) {
  (void)state;
  expect_sent("HTTP/1.1 2", MR_NETWORK, MR_PHASE_SEND, "without an answer");
}

static void test_cut_chunks(void **state) {
  (void)state;
  const char *head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const char *const rests[] = {"", "5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n"};
  for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
    char bytes[200];
    snprintf(bytes, sizeof bytes, "%s%s", head, rests[i]);
    expect_sent(bytes, MR_TRUNCATED, MR_PHASE_RECEIVE, "cut off after");
  }
}

static void test_bad_chunks(void **state) {
  (void)state;
  expect_sent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", MR_TRUNCATED,
              MR_PHASE_RECEIVE, "cut off after");
}

static void test_not_http(void **state) {
  (void)state;
  expect_sent("SSH-2.0-OpenSSH_9.2\r\nmore and more\r\n", MR_NETWORK, MR_PHASE_SEND,
              "does not answer in HTTP");
}

/* The port is right: a status came. */
static void test_bad_headers(void **state) {
  (void)state;
  static const char *const bad[] = {"no colon", "Content-Length: -1", "Content-Length: many"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char bytes[200];
    snprintf(bytes, sizeof bytes, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", bad[i]);
    expect_sent(bytes, MR_NETWORK, MR_PHASE_RECEIVE, "answered with status 200 and a header");
  }
}

static void test_endless_line(void **state) {
  (void)state;
  struct fault_script script = {
      {DO_REQUEST, DO_SEND("HTTP/1.1 200 OK\r\nX: "),
       DO_FLOOD("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 40000)}};
  expect(&script, MR_TOO_LARGE, MR_PHASE_RECEIVE, "larger response headers");
}

static void test_endless_lines(void **state) {
  (void)state;
  struct fault_script script = {{DO_REQUEST, DO_SEND("HTTP/1.1 200 OK\r\n"),
                                 DO_FLOOD("X-One-More: xxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 40000)}};
  expect(&script, MR_TOO_LARGE, MR_PHASE_RECEIVE, "larger response headers");
}

/* ---- compression ---- */

/* "compressed " twenty times, and how it ends. */
static const char gzipped[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03";

static void test_unknown_coding(void **state) {
  (void)state;
  expect_sent("HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nContent-Length: 3\r\n\r\nabc",
              MR_DECODE, MR_PHASE_RECEIVE, "'compress': this build knows");
  expect_sent("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 3\r\n\r\nabc",
              MR_DECODE, MR_PHASE_RECEIVE, "'gzip, gzip': this build knows");
  expect_sent("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n"
              "Content-Length: 3\r\n\r\nabc",
              MR_DECODE, MR_PHASE_RECEIVE, "'several': this build knows");
  expect_sent("HTTP/1.1 200 OK\r\nContent-Encoding: \x1b[1m\r\nContent-Length: 3\r\n\r\nabc",
              MR_DECODE, MR_PHASE_RECEIVE, "'?[1m': this build knows");
}

/* No reason to fail where there is nothing to undo. */
static void test_unknown_coding_of_nothing(void **state) {
  struct scene scene;
  (void)state;
  struct fault_script script = {
      {DO_REQUEST,
       DO_SEND("HTTP/1.1 200 OK\r\nContent-Encoding: compress\r\nContent-Length: 0\r\n\r\n"),
       DO_REQUEST, DO_SEND("HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"), DO_REQUEST,
       DO_SEND("HTTP/1.1 304 Not Modified\r\nContent-Encoding: br, br\r\n\r\n")}};
  static const int statuses[] = {200, 204, 304};
  open_secret(&scene, &script);
  for (int i = 0; i < 3; i++) {
    call_run(&scene.call);
    assert_answer(&scene.call, statuses[i], "");
    call_free(&scene.call);
    call_init(&scene.call, &scene.wire, fault_server_port(scene.server), "/");
  }
  close_secret(&scene);
}

static void test_garbage_for_gzip(void **state) {
  (void)state;
  expect_sent("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\nnot gzip ...",
              MR_DECODE, MR_PHASE_RECEIVE, "(gzip): incorrect header check");
  expect_sent(
      "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\nContent-Length: 3\r\n\r\n\xff\xff\xff",
      MR_DECODE, MR_PHASE_RECEIVE, "(deflate): invalid block type");
}

static void test_cut_gzip(void **state) {
  (void)state;
  char bytes[200];
  size_t head =
      (size_t)snprintf(bytes, sizeof bytes,
                       "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n");
  memcpy(bytes + head, gzipped, 10);
  struct fault_script script = {{DO_REQUEST, DO_SEND_BYTES(bytes, head + 10)}};
  expect(&script, MR_TRUNCATED, MR_PHASE_RECEIVE, "ends too early");
}

/* ---- a kept connection ---- */

enum end { END_CLOSE, END_RESET };

/* The first request is answered, the second one read and then the connection dies. */
static void expect_stale(enum end end, const char *method, bool streamed) {
  struct scene scene;
  struct call again;
  struct fault_script script = {{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST}};
  if (end == END_RESET) script.steps[3].action = FAULT_RESET;
  open_secret(&scene, &script);
  call_run(&scene.call);
  assert_answer(&scene.call, 200, "hello");
  call_init(&again, &scene.wire, fault_server_port(scene.server), "/again");
  if (streamed)
    call_upload(&again, method, "a body", 6, 4);
  else
    call_body(&again, method, strcmp(method, "GET") ? "a body" : NULL);
  call_run(&again);
  assert_ended(&again, MR_NETWORK, MR_PHASE_SEND);
  assert_true(again.result.stale);
  assert_true(again.result.reused);
  assert_message(&again, "was closed meanwhile");
  assert_int_equal(again.sent, 1);
  assert_int_equal(fault_server_requests(scene.server), 2);
  assert_int_equal(fault_server_connections(scene.server), 1);
  call_free(&again);
  close_secret(&scene);
}

static void test_stale(void **state) {
  (void)state;
  for (int end = END_CLOSE; end <= END_RESET; end++) {
    expect_stale((enum end)end, "GET", false);
    expect_stale((enum end)end, "POST", false);
    expect_stale((enum end)end, "PATCH", false);
    expect_stale((enum end)end, "PUT", true);
  }
}

/* With another live connection at hand libcurl would send it again there, without connecting anew. */
static void test_stale_beside_another(void **state) {
  if (wire_inner) skip(); /* there the first may be over before the second is started */
  struct scene scene;
  struct call beside, again;
  (void)state;
  open_secret(&scene, &(struct fault_script){{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST}});
  call_init(&beside, &scene.wire, fault_server_port(scene.server), "/beside");
  call_start(&scene.call);
  call_start(&beside);
  call_wait(&scene.call);
  call_wait(&beside);
  assert_int_equal(fault_server_open(scene.server), 2);
  call_init(&again, &scene.wire, fault_server_port(scene.server), "/again");
  call_body(&again, "POST", "a body");
  call_run(&again);
  assert_ended(&again, MR_NETWORK, MR_PHASE_SEND);
  assert_true(again.result.stale);
  assert_int_equal(again.sent, 1);
  assert_int_equal(fault_server_requests(scene.server), 3);
  assert_int_equal(fault_server_connections(scene.server), 2);
  call_free(&beside);
  call_free(&again);
  close_secret(&scene);
}

/* A connection that is known to be dead before anything is sent is simply replaced. */
static void test_closed_while_idle(void **state) {
  struct scene scene;
  struct call again;
  (void)state;
  open_secret(&scene, &(struct fault_script){{DO_REQUEST, DO_SEND(FAULT_OK)}});
  call_run(&scene.call);
  assert_true(fault_server_wait_open(scene.server, 0));
  call_init(&again, &scene.wire, fault_server_port(scene.server), "/again");
  call_body(&again, "POST", "a body");
  call_run(&again);
  assert_answer(&again, 200, "hello");
  assert_false(again.result.reused);
  assert_int_equal(fault_server_connections(scene.server), 2);
  call_free(&again);
  close_secret(&scene);
}

/* An answer that begins is no stale connection any more. */
static void test_kept_connection_cut(void **state) {
  struct scene scene;
  struct call again;
  (void)state;
  open_secret(&scene,
              &(struct fault_script){{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST,
                                      DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx")}});
  call_run(&scene.call);
  call_init(&again, &scene.wire, fault_server_port(scene.server), "/again");
  call_run(&again);
  assert_ended(&again, MR_TRUNCATED, MR_PHASE_RECEIVE);
  assert_true(again.result.reused);
  assert_false(again.result.stale);
  call_free(&again);
  close_secret(&scene);
}

/* ---- time ---- */

#define TIME_TO_SEND_US (300 * MR_MILLISECOND) /* also where the machine is busy */

static void expect_late(const struct fault_script *script, int64_t deadline_us, int64_t idle_us,
                        enum mr_exchange_phase phase, const char *message) {
  struct scene scene;
  open_secret(&scene, script);
  int64_t start_us = mr_clock_now(&mr_clock_system);
  if (deadline_us) scene.call.exchange.deadline_us = start_us + deadline_us;
  scene.call.exchange.idle_timeout_us = idle_us;
  call_run(&scene.call);
  int64_t took_us = mr_clock_now(&mr_clock_system) - start_us;
  assert_ended(&scene.call, MR_TIMEOUT, phase);
  assert_message(&scene.call, message);
  assert_true(took_us >= (deadline_us ? deadline_us : idle_us));
  assert_true(took_us < 3 * MR_SECOND);
  assert_false(scene.call.result.stale);
  close_secret(&scene);
}

static void test_deadline(void **state) {
  (void)state;
  expect_late(&(struct fault_script){{DO_REQUEST, DO_HANG}}, TIME_TO_SEND_US, 0, MR_PHASE_SEND,
              "did not answer after");
  expect_late(&(struct fault_script){{DO_REQUEST,
                                      DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
                                      DO_DRIP("drip drip drip drip drip drip drip drip drip", 40)}},
              TIME_TO_SEND_US, 0, MR_PHASE_RECEIVE, "was not complete after");
}

static void test_idle(void **state) {
  (void)state;
  expect_late(&(struct fault_script){{DO_REQUEST, DO_HANG}}, 0, TIME_TO_SEND_US, MR_PHASE_SEND,
              "no byte to or from");
  expect_late(
      &(struct fault_script){
          {DO_REQUEST, DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"), DO_HANG}},
      0, TIME_TO_SEND_US, MR_PHASE_RECEIVE, "no byte to or from");
}

/* Every byte starts the idle time anew: eleven of them outlast it, in the body or in one header. */
static void test_drip_is_not_idle(void **state) {
  struct scene scene;
  (void)state;
  open_secret(&scene, &(struct fault_script){{DO_REQUEST, DO_SEND("HTTP/1.1 204 No Content\r\nX: "),
                                              DO_DRIP("drip by dri", 60), DO_SEND("\r\n\r\n")}});
  scene.call.exchange.idle_timeout_us = 500 * MR_MILLISECOND;
  call_run(&scene.call);
  assert_answer(&scene.call, 204, "");
  close_secret(&scene);
  open_secret(&scene, &(struct fault_script){
                          {DO_REQUEST, DO_SEND("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"),
                           DO_DRIP("drip by dri", 60)}});
  scene.call.exchange.idle_timeout_us = 500 * MR_MILLISECOND;
  call_run(&scene.call);
  assert_answer(&scene.call, 200, "drip by dri");
  assert_true(scene.call.result.timings.done_us > 500 * MR_MILLISECOND);
  close_secret(&scene);
}

/* A listener whose queue is full: the next connection is neither taken nor refused. */
struct full_queue {
  int listener, clients[8], port;
};

static void fill_queue(struct full_queue *queue) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  queue->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(queue->listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(queue->listener, 0), 0);
  assert_int_equal(getsockname(queue->listener, (struct sockaddr *)&address, &size), 0);
  queue->port = ntohs(address.sin_port);
  for (int i = 0; i < 8; i++) {
    queue->clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(queue->clients[i], (struct sockaddr *)&address, size);
  }
}

static void empty_queue(struct full_queue *queue) {
  for (int i = 0; i < 8; i++)
    close(queue->clients[i]);
  close(queue->listener);
}

static void test_connect_timeout(void **state) {
  struct full_queue queue;
  struct wire wire;
  struct call call;
  (void)state;
  fill_queue(&queue);
  wire_open(&wire);
  call_init(&call, &wire, queue.port, "/");
  call.exchange.connect_timeout_us = 80 * MR_MILLISECOND;
  call.exchange.idle_timeout_us = 10 * MR_MILLISECOND; /* does not count while connecting */
  call_run(&call);
  assert_ended(&call, MR_TIMEOUT, MR_PHASE_CONNECT);
  assert_message(&call, "cannot connect to 127.0.0.1");
  assert_message(&call, "within 0.08 s");
  assert_true(call.result.timings.done_us >= 79 * MR_MILLISECOND);
  assert_int_equal(call.sent, 0);
  wire_close(&wire);
  empty_queue(&queue);
}

static void test_deadline_while_connecting(void **state) {
  struct full_queue queue;
  struct wire wire;
  struct call call;
  (void)state;
  fill_queue(&queue);
  wire_open(&wire);
  call_init(&call, &wire, queue.port, "/");
  call.exchange.deadline_us = mr_clock_now(&mr_clock_system) + 50 * MR_MILLISECOND;
  call_run(&call);
  assert_ended(&call, MR_TIMEOUT, MR_PHASE_CONNECT);
  assert_message(&call, "there was no connection to 127.0.0.1");
  wire_close(&wire);
  empty_queue(&queue);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_closed_at_once),
      cmocka_unit_test(test_reset),
      cmocka_unit_test(test_reset_in_the_body),
      cmocka_unit_test(test_unresolvable),
      cmocka_unit_test(test_cut_body),
      cmocka_unit_test(test_cut_headers),
      cmocka_unit_test(test_cut_status),
      cmocka_unit_test(test_cut_chunks),
      cmocka_unit_test(test_bad_chunks),
      cmocka_unit_test(test_not_http),
      cmocka_unit_test(test_bad_headers),
      cmocka_unit_test(test_endless_line),
      cmocka_unit_test(test_endless_lines),
      cmocka_unit_test(test_unknown_coding),
      cmocka_unit_test(test_unknown_coding_of_nothing),
      cmocka_unit_test(test_garbage_for_gzip),
      cmocka_unit_test(test_cut_gzip),
      cmocka_unit_test(test_stale),
      cmocka_unit_test(test_stale_beside_another),
      cmocka_unit_test(test_closed_while_idle),
      cmocka_unit_test(test_kept_connection_cut),
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_idle),
      cmocka_unit_test(test_drip_is_not_idle),
      cmocka_unit_test(test_connect_timeout),
      cmocka_unit_test(test_deadline_while_connecting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
