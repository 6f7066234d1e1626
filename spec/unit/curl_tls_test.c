/* TLS: who is trusted, client certificates, and that connections with different ones never mix. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "route_scene.h"

/* A call of "https://HOST:PORT/" on the route, to its end. */
static void run_tls(struct scene *scene, const struct mr_route *route, const char *host) {
  struct call *call = &scene->call;
  char url[200];
  snprintf(url, sizeof url, "https://%s:%d/", host, fault_server_port(scene->server));
  call_init(call, &scene->wire, 0, "/");
  call_url(call, url);
  call->exchange.route = route;
  call_run(call);
  call_free(call);
}

static void assert_hello(const struct scene *scene) {
  assert_ended(&scene->call, MR_NONE, MR_PHASE_DONE);
  assert_int_equal(scene->call.body_size, 5);
}

static void test_good_certificate(void **state) {
  struct scene scene;
  (void)state;
  open_tls(&scene, certificates.good, &keeps, false);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_hello(&scene);
  assert_true(scene.call.result.timings.secured_us >= scene.call.result.timings.connected_us);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_hello(&scene);
  assert_true(scene.call.result.reused);
  close_scene(&scene);
}

static void refuse_certificate(const char *certificate, const char *ca_file, const char *words,
                               const char *advice) {
  struct scene scene;
  char port[80];
  open_tls(&scene, certificate, &keeps, false);
  scene.wire.route.ca_file = (char *)ca_file;
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_ended(&scene.call, MR_NETWORK, MR_PHASE_CONNECT);
  snprintf(port, sizeof port, "the certificate of 127.0.0.1:%d was refused",
           fault_server_port(scene.server));
  assert_message(&scene.call, port);
  assert_message(&scene.call, words);
  assert_message(&scene.call, advice);
  assert_int_equal(scene.call.sent, 0);
  assert_int_equal(fault_server_requests(scene.server), 0);
  close_scene(&scene);
}

static void test_bad_certificates(void **state) {
  (void)state;
  refuse_certificate(certificates.good, certificates.other_ca, "issuer", "with ca_file");
  refuse_certificate(certificates.good, NULL, "issuer", "with ca_file");
  refuse_certificate(certificates.expired, certificates.ca, "expired", "renew it");
  refuse_certificate(certificates.wrong, certificates.ca,
                     "no alternative certificate subject name matches",
                     "the URL must name the host");
  refuse_certificate(certificates.other_ca, certificates.ca, "self", "with ca_file");
}

/* What was let pass without a check must not carry what wants one, nor lend it its TLS session. */
static void test_unverified_is_not_shared(void **state) {
  struct scene scene;
  struct mr_route careless = {.verify = false};
  (void)state;
  open_tls(&scene, certificates.wrong, &keeps, false);
  run_tls(&scene, &careless, "127.0.0.1");
  assert_hello(&scene);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_ended(&scene.call, MR_NETWORK, MR_PHASE_CONNECT);
  assert_int_equal(fault_server_requests(scene.server), 1);
  mr_transport_curl.route_closed(scene.wire.transport, &careless);
  close_scene(&scene);
}

static struct mr_route route_of_client(void) {
  return (struct mr_route){.verify = true,
                           .ca_file = certificates.ca,
                           .client_cert = certificates.client,
                           .client_key = certificates.key};
}

static void test_client_certificate(void **state) {
  struct scene scene;
  (void)state;
  open_tls(&scene, certificates.good, &keeps, true);
  struct mr_route known = route_of_client();
  run_tls(&scene, &known, "127.0.0.1");
  assert_hello(&scene);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_true(scene.call.result.kind == MR_NETWORK || scene.call.result.kind == MR_AUTH);
  assert_int_equal(fault_server_requests(scene.server), 1);
  mr_transport_curl.route_closed(scene.wire.transport, &known);
  close_scene(&scene);
}

/* With the certificate and without: never on the same connection. */
static void test_client_certificate_is_not_shared(void **state) {
  struct scene scene;
  (void)state;
  open_tls(&scene, certificates.good, &keeps, false);
  struct mr_route known = route_of_client();
  run_tls(&scene, &known, "127.0.0.1");
  assert_hello(&scene);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_hello(&scene);
  assert_false(scene.call.result.reused);
  run_tls(&scene, &known, "127.0.0.1");
  assert_true(scene.call.result.reused);
  assert_int_equal(fault_server_connections(scene.server), 2);
  mr_transport_curl.route_closed(scene.wire.transport, &known);
  close_scene(&scene);
}

static void test_bad_files(void **state) {
  struct scene scene;
  (void)state;
  open_tls(&scene, certificates.good, &keeps, false);
  struct mr_route no_issuers = {.verify = true, .ca_file = "/nonexistent/ca.pem"};
  run_tls(&scene, &no_issuers, "127.0.0.1");
  assert_ended(&scene.call, MR_IO, MR_PHASE_CONNECT);
  assert_message(&scene.call, "/nonexistent/ca.pem");
  struct mr_route no_key = {.verify = true,
                            .ca_file = certificates.ca,
                            .client_cert = "/nonexistent/client.pem",
                            .client_key = certificates.key};
  run_tls(&scene, &no_key, "127.0.0.1");
  assert_ended(&scene.call, MR_IO, MR_PHASE_CONNECT);
  assert_message(&scene.call, "/nonexistent/client.pem");
  mr_transport_curl.route_closed(scene.wire.transport, &no_issuers);
  mr_transport_curl.route_closed(scene.wire.transport, &no_key);
  close_scene(&scene);
}

static void test_old_tls(void **state) {
  struct scene scene;
  (void)state;
  struct fault_server_options options = {.scripts = &keeps,
                                         .script_count = 1,
                                         .certificate = certificates.good,
                                         .key = certificates.key,
                                         .newest_tls = TLS1_1_VERSION};
  wire_open(&scene.wire);
  scene.wire.route.ca_file = certificates.ca;
  scene.server = fault_server_start(&options);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_ended(&scene.call, MR_NETWORK, MR_PHASE_CONNECT);
  assert_message(&scene.call, "no TLS connection");
  close_scene(&scene);
}

static void test_plain_server(void **state) {
  struct scene scene;
  (void)state;
  open_plain(&scene, &(struct fault_script){{DO_SEND("HTTP/1.1 400 Bad Request\r\n\r\n")}});
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_ended(&scene.call, MR_NETWORK, MR_PHASE_CONNECT);
  assert_message(&scene.call, "does it speak TLS on this port?");
  close_scene(&scene);
}

/* TLS that ends without its closing words: what was announced counts. */
static void test_cut_tls(void **state) {
  struct scene scene;
  (void)state;
  open_tls(&scene, certificates.good,
           &(struct fault_script){{DO_REQUEST, DO_SEND(FAULT_OK), DO_CUT}}, false);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_hello(&scene);
  close_scene(&scene);
  const char *half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello";
  open_tls(&scene, certificates.good, &(struct fault_script){{DO_REQUEST, DO_SEND(half), DO_CUT}},
           false);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_ended(&scene.call, MR_TRUNCATED, MR_PHASE_RECEIVE);
  close_scene(&scene);
}

static void test_stale_tls(void **state) {
  struct scene scene;
  (void)state;
  open_tls(&scene, certificates.good,
           &(struct fault_script){{DO_REQUEST, DO_SEND(FAULT_OK), DO_REQUEST, DO_RESET}}, false);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_hello(&scene);
  run_tls(&scene, &scene.wire.route, "127.0.0.1");
  assert_ended(&scene.call, MR_NETWORK, MR_PHASE_SEND);
  assert_true(scene.call.result.stale);
  assert_int_equal(fault_server_requests(scene.server), 2);
  close_scene(&scene);
}

/* The signal's default is to end the process: this test fails by dying. */
static void test_no_pipe_signal(void **state) {
  struct scene scene;
  struct call *call = &scene.call;
  char url[100];
  (void)state;
  signal(SIGPIPE, SIG_DFL);
  size_t size = 3 * 1024 * 1024;
  char *bytes = calloc(1, size);
  for (int tls = 0; tls < 2; tls++) {
    struct fault_script script = {{DO_RESET}};
    if (tls)
      open_tls(&scene, certificates.good, &script, false);
    else
      open_plain(&scene, &script);
    call_init(call, &scene.wire, 0, "/");
    snprintf(url, sizeof url, "http%s://127.0.0.1:%d/", tls ? "s" : "",
             fault_server_port(scene.server));
    call_url(call, url);
    call_upload(call, "PUT", bytes, size, 4096);
    call_run(call);
    assert_int_equal(call->result.kind, MR_NETWORK);
    close_scene(&scene);
  }
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_good_certificate),
      cmocka_unit_test(test_bad_certificates),
      cmocka_unit_test(test_unverified_is_not_shared),
      cmocka_unit_test(test_client_certificate),
      cmocka_unit_test(test_client_certificate_is_not_shared),
      cmocka_unit_test(test_bad_files),
      cmocka_unit_test(test_old_tls),
      cmocka_unit_test(test_plain_server),
      cmocka_unit_test(test_cut_tls),
      cmocka_unit_test(test_stale_tls),
      cmocka_unit_test(test_no_pipe_signal),
  };
  return cmocka_run_group_tests(tests, open_routes, remove_certificates);
}
