/* What goes out for an exchange, byte for byte, and that nothing of the one before sticks to the handle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "curl_decoder.h"
#include "fault_server.h"
#include "wire.h"

#define NO_BODY "HTTP/1.1 204 No Content\r\n\r\n"

struct scene {
  struct wire wire;
  struct fault_server *server;
  int port;
  size_t seen;
};

static const struct fault_script answers = {{DO_REQUEST, DO_SEND(NO_BODY), DO_AGAIN}};

static int open_scene(void **state) {
  struct scene *scene = calloc(1, sizeof *scene);
  wire_open(&scene->wire);
  scene->server = fault_server_run(&answers);
  scene->port = fault_server_port(scene->server);
  *state = scene;
  return 0;
}

static int close_scene(void **state) {
  struct scene *scene = *state;
  wire_close(&scene->wire);
  fault_server_stop(scene->server);
  free(scene);
  return 0;
}

#define OFFER "Accept-Encoding: " MR_DECODER_OFFER "\r\n"

/* 'expected' is what follows the request line and "Host: ..." up to the empty line, and the body. */
static void send_and_compare(struct scene *scene, struct call *call, const char *line,
                             const char *expected) {
  char whole[8192], seen[8192];
  call_run(call);
  assert_answer(call, 204, "");
  snprintf(whole, sizeof whole, "%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", line, scene->port,
           expected);
  assert_true(fault_server_request(scene->server, scene->seen++, seen, sizeof seen));
  assert_string_equal(seen, whole);
  call_free(call);
}

static void test_bare(void **state) {
  struct scene *scene = *state;
  struct call call;
  call_init(&call, &scene->wire, scene->port, "/");
  send_and_compare(scene, &call, "GET /", OFFER "\r\n");
}

/* Escapes keep their case, dots stay, an empty path becomes "/". */
static void test_targets(void **state) {
  struct scene *scene = *state;
  static const char *const paths[][2] = {
      {"/a%2Fb%2fc?x=%C3%9F&y=[1]", "GET /a%2Fb%2fc?x=%C3%9F&y=[1]"},
      {"/a/../b/./c", "GET /a/../b/./c"},
      {"", "GET /"},
      {"?page=2", "GET /?page=2"},
      {"//double", "GET //double"},
      {"/a%2Fb%2fc?x=%C3%9F&y=[1]", "GET /a%2Fb%2fc?x=%C3%9F&y=[1]"},
  };
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    struct call call;
    call_init(&call, &scene->wire, scene->port, paths[i][0]);
    send_and_compare(scene, &call, paths[i][1], OFFER "\r\n");
  }
}

static void test_headers(void **state) {
  struct scene *scene = *state;
  struct call call;
  call_init(&call, &scene->wire, scene->port, "/");
  call_headers(&call, "Accept: a/b\nX-Empty:\nX-Blank:  \nUser-Agent: t/1\nX-Two: 1\nX-Two: 2");
  send_and_compare(scene, &call, "GET /",
                   OFFER "Accept: a/b\r\nX-Empty:\r\nX-Blank:\r\nUser-Agent: t/1\r\n"
                         "X-Two: 1\r\nX-Two: 2\r\n\r\n");
}

/* The same handle: other headers, the same again, none. */
static void test_headers_change(void **state) {
  struct scene *scene = *state;
  static const char *const lines[][2] = {
      {"A: 1\nB: 2", OFFER "A: 1\r\nB: 2\r\n\r\n"},
      {"A: 1\nB: 2", OFFER "A: 1\r\nB: 2\r\n\r\n"},
      {"A: 1\nB: 3", OFFER "A: 1\r\nB: 3\r\n\r\n"},
      {"A: 1", OFFER "A: 1\r\n\r\n"},
      {"Accept-Encoding: identity", "Accept-Encoding: identity\r\n\r\n"},
  };
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    struct call call;
    call_init(&call, &scene->wire, scene->port, "/");
    call_headers(&call, lines[i][0]);
    send_and_compare(scene, &call, "GET /", lines[i][1]);
  }
  struct call call;
  call_init(&call, &scene->wire, scene->port, "/");
  send_and_compare(scene, &call, "GET /", OFFER "\r\n");
}

static void test_methods_without_a_body(void **state) {
  struct scene *scene = *state;
  static const char *const methods[][3] = {
      {"DELETE", "DELETE /", OFFER "\r\n"},
      {"POST", "POST /", OFFER "Content-Length: 0\r\n\r\n"},
      {"PATCH", "PATCH /", OFFER "Content-Length: 0\r\n\r\n"},
      {"HEAD", "HEAD /", OFFER "\r\n"},
      {"OPTIONS", "OPTIONS /", OFFER "\r\n"},
      {"GET", "GET /", OFFER "\r\n"},
  };
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    struct call call;
    call_init(&call, &scene->wire, scene->port, "/");
    call_body(&call, methods[i][0], NULL);
    send_and_compare(scene, &call, methods[i][1], methods[i][2]);
  }
}

static void test_bodies(void **state) {
  struct scene *scene = *state;
  static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "GET"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    struct call call;
    char line[40];
    snprintf(line, sizeof line, "%s /", methods[i]);
    call_init(&call, &scene->wire, scene->port, "/");
    call_headers(&call, "Content-Type: application/json");
    call_body(&call, methods[i], "{\"a\":1}");
    send_and_compare(scene, &call, line,
                     OFFER "Content-Type: application/json\r\nContent-Length: "
                           "7\r\n\r\n{\"a\":1}");
    assert_int_equal(call.result.bytes_sent, 7);
  }
  struct call call;
  call_init(&call, &scene->wire, scene->port, "/");
  send_and_compare(scene, &call, "GET /", OFFER "\r\n");
}

static void test_empty_body(void **state) {
  struct scene *scene = *state;
  struct call call;
  call_init(&call, &scene->wire, scene->port, "/");
  call_body(&call, "DELETE", "");
  send_and_compare(scene, &call, "DELETE /", OFFER "Content-Length: 0\r\n\r\n");
}

static void test_streamed_bodies(void **state) {
  struct scene *scene = *state;
  static const char *const methods[] = {"PUT", "POST", "PUT"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    struct call call;
    char line[40];
    snprintf(line, sizeof line, "%s /up", methods[i]);
    call_init(&call, &scene->wire, scene->port, "/up");
    call_upload(&call, methods[i], "streamed", 8, 3);
    send_and_compare(scene, &call, line, OFFER "Content-Length: 8\r\n\r\nstreamed");
  }
}

/* Two megabytes, from memory and streamed: no "Expect" goes out and not a byte is lost. */
static void test_large_bodies(void **state) {
  struct scene *scene = *state;
  size_t size = 2 * 1024 * 1024;
  char *bytes = malloc(size + 1);
  memset(bytes, 'x', size);
  bytes[size] = '\0';
  for (int streamed = 0; streamed < 2; streamed++) {
    struct call call;
    char seen[400];
    call_init(&call, &scene->wire, scene->port, "/large");
    call.exchange.bulk = streamed;
    if (streamed)
      call_upload(&call, "POST", bytes, size, 50000);
    else
      call_body(&call, "POST", bytes);
    call_run(&call);
    assert_answer(&call, 204, "");
    assert_int_equal(call.result.bytes_sent, size);
    fault_server_request(scene->server, scene->seen, seen, sizeof seen);
    assert_null(strstr(seen, "Expect"));
    size_t head = (size_t)(strstr(seen, "\r\n\r\n") + 4 - seen);
    assert_int_equal(fault_server_request_size(scene->server, scene->seen++), head + size);
    call_free(&call);
  }
  free(bytes);
}

/* ---- refusals ---- */

static void refuse(struct scene *scene, struct call *call, enum mr_kind kind, const char *words) {
  struct mr_error error = {0};
  assert_int_equal(mr_transport_curl.start(scene->wire.transport, &call->exchange, &error), kind);
  assert_non_null(strstr(error.message, words));
  assert_int_equal(call->dones, 0);
}

static void test_refusals(void **state) {
  if (wire_inner) skip(); /* there the end of the exchange tells it */
  struct scene *scene = *state;
  struct call call;
  call_init(&call, &scene->wire, scene->port, "/");
  call_body(&call, "HEAD", "body");
  refuse(scene, &call, MR_DECODE, "HEAD request cannot carry a body");
  call_init(&call, &scene->wire, scene->port, "/");
  call.exchange.method = "AVERYLONGMETHODNAMEINDEEDTHATNOBODYUSES";
  refuse(scene, &call, MR_DECODE, "longer than 31 characters");
  call_init(&call, &scene->wire, scene->port, "/");
  call_url(&call, "ftp://127.0.0.1/");
  refuse(scene, &call, MR_DECODE, "ftp");
  call_url(&call, "http://user:password@127.0.0.1/");
  refuse(scene, &call, MR_DECODE, "");
  assert_int_equal(fault_server_requests(scene->server), 0);
}

/* A body that is not as long as it was said to be. */
static void test_short_upload(void **state) {
  struct scene *scene = *state;
  struct call call;
  call_init(&call, &scene->wire, scene->port, "/");
  call_upload(&call, "PUT", "short", 5, 5);
  call.exchange.body_size = 9;
  call_run(&call);
  assert_ended(&call, MR_IO, MR_PHASE_SEND);
  assert_message(&call, "ended after 5 of 9 bytes");
  call_init(&call, &scene->wire, scene->port, "/");
  call_upload(&call, "PUT", "short", 5, 5);
  call.upload_fails = true;
  call_run(&call);
  assert_ended(&call, MR_IO, MR_PHASE_SEND);
  assert_message(&call, "could not be read");
  assert_false(call.result.stale);
  assert_int_equal(fault_server_requests(scene->server), 0);
}

int main(void) {
#define SCENE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)
  const struct CMUnitTest tests[] = {
      SCENE(test_bare),
      SCENE(test_targets),
      SCENE(test_headers),
      SCENE(test_headers_change),
      SCENE(test_methods_without_a_body),
      SCENE(test_bodies),
      SCENE(test_empty_body),
      SCENE(test_streamed_bodies),
      SCENE(test_large_bodies),
      SCENE(test_refusals),
      SCENE(test_short_upload),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
