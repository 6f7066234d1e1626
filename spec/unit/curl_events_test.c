/* What of an answer becomes which event; pausing and stopping in each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "wire_scene.h"

static void expect(const char *bytes, int status, const char *headers, const char *body) {
  struct scene scene;
  struct fault_script script = {{DO_REQUEST, DO_SEND(bytes)}};
  open_scene(&scene, &script);
  call_run(&scene.call);
  assert_answer(&scene.call, status, body);
  assert_string_equal(scene.call.headers, headers);
  close_scene(&scene);
}

/* ---- answers ---- */

static void test_plain(void **state) {
  struct scene scene;
  (void)state;
  struct fault_script script = {{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST, DO_SEND(FAULT_OK)}};
  open_scene(&scene, &script);
  call_run(&scene.call);
  assert_answer(&scene.call, 200, "hello");
  const struct mr_exchange_result *result = &scene.call.result;
  assert_int_equal(result->http_major, 1);
  assert_int_equal(result->bytes_received, 5);
  assert_int_equal(result->bytes_sent, 0);
  assert_false(result->reused);
  assert_int_equal(result->error.kind, MR_NONE);
  const struct mr_timings *timings = &result->timings;
  assert_in_range(timings->connected_us, 1, MR_SECOND);
  assert_int_equal(timings->secured_us, -1);
  assert_in_range(timings->sent_us, 1, timings->first_byte_us);
  assert_in_range(timings->first_byte_us, 1, timings->done_us);
  struct call again;
  call_init(&again, &scene.wire, fault_server_port(scene.server), "/");
  call_run(&again);
  assert_answer(&again, 200, "hello");
  assert_true(again.result.reused);
  assert_int_equal(again.result.timings.connected_us, -1);
  assert_true(again.result.timings.sent_us >= 0);
  call_free(&again);
  close_scene(&scene);
}

static void test_framing(void **state) {
  (void)state;
  expect(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
      200, "Transfer-Encoding: chunked\n", "hello");
  expect("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", 200, "Connection: close\n", "hello");
  expect("HTTP/1.0 200 OK\r\nX: y\r\n\r\nhello", 200, "X: y\n", "hello");
  expect("HTTP/1.1 204 No Content\r\n\r\n", 204, "", "");
  expect("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "Content-Length: 5\n", "");
  expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "Content-Length: 0\n", "");
  expect("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", 200, "Content-Length: 1\n", "x");
  expect("HTTP/1.1 500 Internal Server Error\nX-Bare: lf\nContent-Length: 2\n\nno", 500,
         "X-Bare: lf\nContent-Length: 2\n", "no");
}

static void test_interim(void **state) {
  (void)state;
  expect("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
         "HTTP/1.1 201 Created\r\nLocation: /1\r\nContent-Length: 2\r\n\r\nok",
         201, "Location: /1\nContent-Length: 2\n", "ok");
}

static void test_trailers(void **state) {
  (void)state;
  expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n",
         200, "Transfer-Encoding: chunked\n", "ok");
}

/* Redirects are shown and not followed; nor is a challenge answered or a cookie sent back. */
static void test_nothing_is_followed(void **state) {
  struct scene scene;
  char seen[500];
  (void)state;
  struct fault_script script = {
      {DO_REQUEST,
       DO_SEND("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\n"
               "Content-Length: 0\r\n\r\n"),
       DO_REQUEST,
       DO_SEND("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n"
               "Content-Length: 0\r\n\r\n")}};
  open_scene(&scene, &script);
  call_run(&scene.call);
  assert_answer(&scene.call, 302, "");
  struct call again;
  call_init(&again, &scene.wire, fault_server_port(scene.server), "/");
  call_run(&again);
  assert_answer(&again, 401, "");
  assert_int_equal(fault_server_requests(scene.server), 2);
  fault_server_request(scene.server, 1, seen, sizeof seen);
  assert_null(strstr(seen, "Cookie"));
  close_scene(&scene);
}

static void test_head(void **state) {
  struct scene scene;
  (void)state;
  struct fault_script script = {
      {DO_REQUEST,
       DO_SEND("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 500\r\n\r\n"),
       DO_HANG}};
  open_scene(&scene, &script);
  scene.call.exchange.method = "HEAD";
  call_run(&scene.call);
  assert_answer(&scene.call, 200, "");
  close_scene(&scene);
}

/* ---- flow ---- */

/* A body in two chunks, compressed or not. */
struct answer {
  char bytes[2000];
  size_t size;
};

static void make_answer(struct answer *answer, bool packed) {
  char body[400];
  z_stream stream = {.next_in = (Bytef *)"hello", .avail_in = 5, .next_out = (Bytef *)body};
  stream.avail_out = sizeof body;
  size_t size = 5;
  memcpy(body, "hello", 5);
  if (packed) {
    deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    size = sizeof body - stream.avail_out;
  }
  answer->size = (size_t)snprintf(answer->bytes, sizeof answer->bytes,
                                  "HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n",
                                  packed ? "Content-Encoding: GZIP\r\n" : "X-Plain: 1\r\n");
  for (size_t at = 0; at < size; at += size / 2 + 1) {
    size_t count = size - at < size / 2 + 1 ? size - at : size / 2 + 1;
    answer->size += (size_t)sprintf(answer->bytes + answer->size, "%zx\r\n", count);
    memcpy(answer->bytes + answer->size, body + at, count);
    answer->size += count;
    answer->size += (size_t)sprintf(answer->bytes + answer->size, "\r\n");
  }
  answer->size += (size_t)sprintf(answer->bytes + answer->size, "0\r\n\r\n");
}

static void try_flow(enum wire_event pause_at, int pauses, enum wire_event stop_at, bool packed) {
  struct scene scene;
  struct answer answer;
  make_answer(&answer, packed);
  struct fault_script script = {{DO_REQUEST, DO_SEND_BYTES(answer.bytes, answer.size)}};
  open_scene(&scene, &script);
  scene.call.pause_at = pause_at;
  scene.call.pauses = pauses;
  scene.call.stop_at = stop_at;
  call_run(&scene.call);
  assert_int_equal(scene.call.paused, pauses);
  if (stop_at) {
    assert_ended(&scene.call, MR_TOO_LARGE, MR_PHASE_RECEIVE);
  } else {
    assert_answer(&scene.call, 200, "hello");
    assert_int_equal(scene.call.header_count, 2);
  }
  close_scene(&scene);
}

static void test_pause(void **state) {
  (void)state;
  for (int packed = 0; packed < 2; packed++) {
    try_flow(WIRE_STATUS, 1, WIRE_NONE, packed);
    try_flow(WIRE_HEADER, 2, WIRE_NONE, packed);
    try_flow(WIRE_HEADERS_END, 1, WIRE_NONE, packed);
    try_flow(WIRE_BODY, 1, WIRE_NONE, packed);
    try_flow(WIRE_BODY, 5, WIRE_NONE, packed);
  }
}

static void test_stop(void **state) {
  (void)state;
  for (int packed = 0; packed < 2; packed++)
    for (int event = WIRE_STATUS; event <= WIRE_BODY; event++)
      try_flow(WIRE_NONE, 0, (enum wire_event)event, packed);
}

static void test_stop_after_pause(void **state) {
  (void)state;
  try_flow(WIRE_HEADERS_END, 1, WIRE_BODY, false);
  try_flow(WIRE_HEADERS_END, 1, WIRE_BODY, true);
  try_flow(WIRE_STATUS, 1, WIRE_HEADER, false);
}

/* A paused exchange is not idle, but its deadline goes on. */
static void test_paused_time(void **state) {
  struct scene scene;
  (void)state;
  struct fault_script script = {{DO_REQUEST, DO_SEND(FAULT_OK), DO_HANG}};
  open_scene(&scene, &script);
  int64_t start_us = mr_clock_now(&mr_clock_system);
  scene.call.pause_at = WIRE_BODY;
  scene.call.pauses = 1;
  scene.call.exchange.idle_timeout_us = 20 * MR_MILLISECOND;
  scene.call.exchange.deadline_us = start_us + 300 * MR_MILLISECOND;
  call_start(&scene.call);
  while (!scene.call.dones)
    wire_step(&scene.wire, MR_SECOND);
  assert_ended(&scene.call, MR_TIMEOUT, MR_PHASE_RECEIVE);
  assert_message(&scene.call, "time was up");
  assert_true(mr_clock_now(&mr_clock_system) - start_us >= 300 * MR_MILLISECOND);
  close_scene(&scene);
}

/* A large body through small windows: every byte once, in order. */
static void test_large_paused(void **state) {
  struct scene scene;
  (void)state;
  size_t size = 600000;
  char *bytes = malloc(size + 100);
  size_t head = (size_t)sprintf(bytes, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
  for (size_t i = 0; i < size; i++)
    bytes[head + i] = (char)('a' + i % 23);
  struct fault_script script = {{DO_REQUEST, DO_SEND_BYTES(bytes, head + size)}};
  for (int bulk = 0; bulk < 2; bulk++) {
    open_scene(&scene, &script);
    scene.call.pause_at = WIRE_BODY;
    scene.call.pauses = 20;
    scene.call.exchange.bulk = bulk;
    call_run(&scene.call);
    assert_ended(&scene.call, MR_NONE, MR_PHASE_DONE);
    assert_int_equal(scene.call.paused, 20);
    assert_int_equal(scene.call.body_size, size);
    assert_memory_equal(scene.call.body, bytes + head, size);
    close_scene(&scene);
  }
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_framing),
      cmocka_unit_test(test_interim),
      cmocka_unit_test(test_trailers),
      cmocka_unit_test(test_nothing_is_followed),
      cmocka_unit_test(test_head),
      cmocka_unit_test(test_pause),
      cmocka_unit_test(test_stop),
      cmocka_unit_test(test_stop_after_pause),
      cmocka_unit_test(test_paused_time),
      cmocka_unit_test(test_large_paused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
