/* Routes: proxies, named addresses, unix sockets and many origins, and that none of it mixes. TLS is in curl_tls_test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route_scene.h"

/* ---- proxies ---- */

/* A proxy for everything in the environment, and a loopback server: it is never asked. */
static void test_loopback_is_direct(void **state) {
  struct scene scene;
  char url[100];
  (void)state;
  static const char *const hosts[] = {"127.0.0.1", "localhost", "127.1.2.3"};
  open_plain(&scene, &keeps);
  struct fault_server *proxy = fault_server_run(&keeps);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", fault_server_port(proxy));
  setenv("http_proxy", url, 1);
  setenv("all_proxy", url, 1);
  struct mr_route named = {.verify = true, .proxy = url};
  for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
    char target[100];
    snprintf(target, sizeof target, "http://%s:%d/", hosts[i], fault_server_port(scene.server));
    for (int with_route = 0; with_route < 2; with_route++) {
      call_init(&scene.call, &scene.wire, 0, "/");
      call_url(&scene.call, target);
      scene.call.exchange.has_credential = true;
      if (with_route) scene.call.exchange.route = &named;
      call_run(&scene.call);
      if (strcmp(hosts[i], "127.1.2.3")) assert_answer(&scene.call, 200, "hello");
      call_free(&scene.call);
    }
  }
  assert_int_equal(fault_server_connections(proxy), 0);
  unsetenv("http_proxy");
  unsetenv("all_proxy");
  mr_transport_curl.route_closed(scene.wire.transport, &named);
  fault_server_stop(proxy);
  close_scene(&scene);
}

/* example.test is no name that resolves; only the proxy, which is 'server', is connected to. */
static void run_proxied(struct scene *scene, const struct mr_route *route, const char *url) {
  call_init(&scene->call, &scene->wire, 0, "/");
  call_url(&scene->call, url);
  scene->call.exchange.route = route;
  call_run(&scene->call);
}

static void test_plain_proxy(void **state) {
  struct scene scene;
  char url[100], seen[500];
  (void)state;
  open_plain(&scene, &keeps);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", fault_server_port(scene.server));
  struct mr_route route = {.verify = true, .proxy = url};
  run_proxied(&scene, &route, "http://example.test/a%2Fb?c=d");
  assert_answer(&scene.call, 200, "hello");
  call_free(&scene.call);
  fault_server_request(scene.server, 0, seen, sizeof seen);
  assert_non_null(
      strstr(seen, "GET http://example.test/a%2Fb?c=d HTTP/1.1\r\nHost: example.test\r\n"));
  setenv("http_proxy", url, 1);
  run_proxied(&scene, &scene.wire.route, "http://example.test/env");
  assert_answer(&scene.call, 200, "hello");
  call_free(&scene.call);
  fault_server_request(scene.server, 1, seen, sizeof seen);
  assert_non_null(strstr(seen, "GET http://example.test/env HTTP/1.1\r\n"));
  unsetenv("http_proxy");
  mr_transport_curl.route_closed(scene.wire.transport, &route);
  close_scene(&scene);
}

/* The proxy's certificate is judged as the server's is. */
static void test_tls_proxy(void **state) {
  struct scene scene;
  char url[100];
  (void)state;
  open_tls(&scene, certificates.good, &keeps, false);
  snprintf(url, sizeof url, "https://127.0.0.1:%d", fault_server_port(scene.server));
  struct mr_route trusting = {.verify = true, .proxy = url, .ca_file = certificates.ca};
  run_proxied(&scene, &trusting, "http://example.test/a");
  assert_answer(&scene.call, 200, "hello");
  call_free(&scene.call);
  mr_transport_curl.route_closed(scene.wire.transport, &trusting);
  struct mr_route other = {.verify = true, .proxy = url, .ca_file = certificates.other_ca};
  run_proxied(&scene, &other, "https://example.test/a");
  assert_message(&scene.call,
                 "the certificate of the proxy on the way to example.test:443 was refused");
  assert_message(&scene.call, "with ca_file");
  call_free(&scene.call);
  mr_transport_curl.route_closed(scene.wire.transport, &other);
  close_scene(&scene);
}

/* https goes through as a tunnel, which shows the proxy the host and nothing else. */
static void test_tunnel(void **state) {
  struct scene scene;
  char url[100], seen[500];
  (void)state;
  open_plain(&scene, &(struct fault_script){
                         {DO_REQUEST,
                          DO_SEND("HTTP/1.1 403 No\r\nContent-Length: 0\r\nX-Proxy: 1\r\n\r\n")}});
  snprintf(url, sizeof url, "http://127.0.0.1:%d", fault_server_port(scene.server));
  struct mr_route route = {.verify = true, .proxy = url};
  call_init(&scene.call, &scene.wire, 0, "/");
  call_url(&scene.call, "https://example.test/secret");
  call_headers(&scene.call, "Authorization: Bearer secret");
  scene.call.exchange.route = &route;
  scene.call.exchange.has_credential = true;
  call_run(&scene.call);
  assert_int_equal(scene.call.result.kind, MR_NETWORK);
  assert_int_equal(scene.call.sent, 0);
  assert_int_equal(scene.call.statuses, 0);
  fault_server_request(scene.server, 0, seen, sizeof seen);
  assert_non_null(strstr(seen, "CONNECT example.test:443 HTTP/1.1\r\n"));
  assert_null(strstr(seen, "secret"));
  mr_transport_curl.route_closed(scene.wire.transport, &route);
  close_scene(&scene);
}

static void expect_exposed(struct scene *scene, const struct mr_route *route, const char *url,
                           bool refused) {
  struct mr_error error = {0};
  call_init(&scene->call, &scene->wire, 0, "/");
  call_url(&scene->call, url);
  scene->call.exchange.route = route;
  scene->call.exchange.has_credential = true;
  enum mr_kind kind = mr_transport_curl.start(scene->wire.transport, &scene->call.exchange, &error);
  assert_int_equal(kind, refused ? MR_AUTH : MR_NONE);
  if (refused) assert_non_null(strstr(error.message, "would pass a proxy in clear"));
  if (!refused) mr_transport_curl.cancel(scene->wire.transport, &scene->call.exchange);
}

/* Networks of no_proxy, as libcurl understands them. */
static void test_exempt_networks(void **state) {
  static const struct {
    const char *list, *url;
    bool exempt;
  } cases[] = {
      {"10.0.0.0/8,192.0.2.0/24", "http://192.0.2.7/", true},
      {"192.0.2.0/24", "http://192.0.3.7/", false},
      {"192.0.2.8/29", "http://192.0.2.15/", true},
      {"192.0.2.8/29", "http://192.0.2.16/", false},
      {"192.0.2.7/32", "http://192.0.2.7/", true},
      {"192.0.2.0/33", "http://192.0.2.7/", false},
      {"192.0.2.0/0", "http://192.0.2.7/", false},
      {"192.0.2.0/", "http://192.0.2.7/", false},
      {"192.0.2.0/2x", "http://192.0.2.7/", false},
      {"192.0.2/24", "http://192.0.2.7/", false},
      {"0.0.0.0/99999999999999999999", "http://192.0.2.7/", false},
      {"192.0.2.0/24", "http://example.test/", false},
      {"2001:db8::/33", "http://[2001:db8::7]/", true},
      {"2001:db8::/33", "http://[2001:db8:8000::7]/", false},
      {"::/1", "http://192.0.2.7/", false},
      {"2001:db8::0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0/32", "http://[2001:db8::7]/", false},
  };
  if (wire_inner) skip(); /* there the end of the exchange tells it */
  struct scene scene;
  (void)state;
  open_plain(&scene, &keeps);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char list[100];
    snprintf(list, sizeof list, "%s", cases[i].list);
    struct mr_route route = {.verify = true, .proxy = "http://127.0.0.1:9", .no_proxy = list};
    expect_exposed(&scene, &route, cases[i].url, !cases[i].exempt);
    mr_transport_curl.route_closed(scene.wire.transport, &route);
  }
  close_scene(&scene);
}

static void test_exposed_credential(void **state) {
  if (wire_inner) skip(); /* there the end of the exchange tells it */
  struct scene scene;
  char url[100];
  (void)state;
  open_plain(&scene, &keeps);
  snprintf(url, sizeof url, "http://127.0.0.1:%d", fault_server_port(scene.server));
  struct mr_route named = {.verify = true, .proxy = url};
  expect_exposed(&scene, &named, "http://example.test/", true);
  struct mr_route socks = {.verify = true, .proxy = "socks5h://127.0.0.1:9"};
  expect_exposed(&scene, &socks, "http://example.test/", true);
  struct mr_route none = {.verify = true, .proxy = ""};
  struct mr_route exempt = {.verify = true, .proxy = url, .no_proxy = "other.test, .example.test"};
  struct mr_route nearly = {.verify = true, .proxy = url, .no_proxy = "ample.test,x.example.test"};
  setenv("http_proxy", url, 1);
  expect_exposed(&scene, &scene.wire.route, "http://example.test/", true);
  expect_exposed(&scene, &none, "http://example.test/", false);
  expect_exposed(&scene, &exempt, "http://example.test/", false);
  expect_exposed(&scene, &exempt, "http://a.EXAMPLE.test/", false);
  expect_exposed(&scene, &nearly, "http://example.test/", true);
  setenv("no_proxy", "*", 1);
  struct mr_route all = {.verify = true};
  expect_exposed(&scene, &all, "http://example.test/", false);
  unsetenv("no_proxy");
  unsetenv("http_proxy");
  assert_int_equal(fault_server_connections(scene.server), 0);
  const struct mr_route *const routes[] = {&named, &socks, &none, &exempt, &nearly, &all};
  for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
    mr_transport_curl.route_closed(scene.wire.transport, routes[i]);
  close_scene(&scene);
}

/* ---- other ways ---- */

static void test_resolve_host(void **state) {
  if (wire_inner) skip(); /* there the end of the exchange tells it */
  struct scene scene;
  char rule[100], url[100], seen[200];
  (void)state;
  open_plain(&scene, &keeps);
  int port = fault_server_port(scene.server);
  snprintf(rule, sizeof rule, "api.example.test:%d:127.0.0.1", port);
  snprintf(url, sizeof url, "http://api.example.test:%d/", port);
  struct mr_route route = {.verify = true, .resolve_host = rule};
  run_proxied(&scene, &route, url);
  assert_answer(&scene.call, 200, "hello");
  call_free(&scene.call);
  fault_server_request(scene.server, 0, seen, sizeof seen);
  assert_non_null(strstr(seen, "Host: api.example.test:"));
  mr_transport_curl.route_closed(scene.wire.transport, &route);
  struct mr_error error = {0};
  static char *const bad[] = {"", "api.example.test", "api.example.test:80",
                              "api.example.test:80:"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct mr_route wrong = {.verify = true, .resolve_host = bad[i]};
    call_init(&scene.call, &scene.wire, port, "/");
    scene.call.exchange.route = &wrong;
    assert_int_equal(mr_transport_curl.start(scene.wire.transport, &scene.call.exchange, &error),
                     MR_DECODE);
    assert_non_null(strstr(error.message, "host:port:address"));
    mr_transport_curl.route_closed(scene.wire.transport, &wrong);
  }
  snprintf(rule, sizeof rule, "api.example.test:%d:::1", port); /* where nobody listens */
  struct mr_route six = {.verify = true, .resolve_host = rule};
  run_proxied(&scene, &six, url);
  assert_int_equal(scene.call.result.kind, MR_NETWORK);
  assert_message(&scene.call, "cannot connect to api.example.test");
  mr_transport_curl.route_closed(scene.wire.transport, &six);
  close_scene(&scene);
}

static void test_unix_socket(void **state) {
  struct scene scene;
  char path[100], seen[200];
  (void)state;
  snprintf(path, sizeof path, "%s/socket", certificates.folder);
  struct fault_server_options options = {.scripts = &keeps, .script_count = 1, .unix_path = path};
  wire_open(&scene.wire);
  scene.server = fault_server_start(&options);
  struct mr_route route = {.verify = true, .unix_socket = path};
  setenv("http_proxy", "http://127.0.0.1:9", 1);
  run_proxied(&scene, &route, "http://daemon/v1");
  unsetenv("http_proxy");
  assert_answer(&scene.call, 200, "hello");
  call_free(&scene.call);
  fault_server_request(scene.server, 0, seen, sizeof seen);
  assert_non_null(strstr(seen, "GET /v1 HTTP/1.1\r\nHost: daemon\r\n"));
  mr_transport_curl.route_closed(scene.wire.transport, &route);
  struct mr_route nowhere = {.verify = true, .unix_socket = "/nonexistent/socket"};
  run_proxied(&scene, &nowhere, "http://daemon/v1");
  assert_ended(&scene.call, MR_NETWORK, MR_PHASE_CONNECT);
  assert_message(&scene.call, "/nonexistent/socket");
  mr_transport_curl.route_closed(scene.wire.transport, &nowhere);
  close_scene(&scene);
}

/* More origins than are kept, each used and all in flight at once. */
static void test_many_origins(void **state) {
  struct scene scene;
  struct call calls[40];
  (void)state;
  open_plain(&scene, &keeps);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < 40; i++) {
      char url[100];
      snprintf(url, sizeof url, "http://127.0.0.%d:%d/", i + 1, fault_server_port(scene.server));
      call_init(&calls[i], &scene.wire, 0, "/");
      call_url(&calls[i], url);
      call_start(&calls[i]);
    }
    for (int i = 0; i < 40; i++) {
      call_wait(&calls[i]);
      call_free(&calls[i]);
    }
    assert_ended(&calls[0], MR_NONE, MR_PHASE_DONE);
  }
  close_scene(&scene);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_loopback_is_direct), cmocka_unit_test(test_plain_proxy),
      cmocka_unit_test(test_tls_proxy),          cmocka_unit_test(test_tunnel),
      cmocka_unit_test(test_exempt_networks),    cmocka_unit_test(test_exposed_credential),
      cmocka_unit_test(test_resolve_host),       cmocka_unit_test(test_unix_socket),
      cmocka_unit_test(test_many_origins),
  };
  return cmocka_run_group_tests(tests, open_routes, remove_certificates);
}
