/* The instance: many at once, cancelling, connections, fork, memory. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "failing_allocator.h"
#include "wire_scene.h"

static const struct fault_script keeps = {{DO_REQUEST, DO_SEND(FAULT_OK), DO_AGAIN}};
static const struct fault_script hangs = {{DO_REQUEST, DO_HANG}};

/* ---- many ---- */

#define MANY 150

static void test_many(void **state) {
  struct scene scene;
  struct call *calls = calloc(MANY, sizeof *calls);
  (void)state;
  open_scene(&scene, &keeps);
  for (int i = 0; i < MANY; i++) {
    call_init(&calls[i], &scene.wire, scene.port, "/");
    call_start(&calls[i]);
  }
  for (int i = 0; i < MANY; i++) {
    call_wait(&calls[i]);
    assert_answer(&calls[i], 200, "hello");
    call_free(&calls[i]);
  }
  assert_int_equal(fault_server_requests(scene.server), MANY);
  assert_true(fault_server_connections(scene.server) <= 64);
  free(calls);
  close_scene(&scene);
}

/* ---- a bound on connections ---- */

static void test_connection_limit(void **state) {
  struct scene scene;
  struct call calls[10];
  (void)state;
  open_scene(&scene, &keeps);
  scene.wire.route.max_connections = 2;
  for (int i = 0; i < 10; i++) {
    call_init(&calls[i], &scene.wire, scene.port, "/");
    calls[i].exchange.connect_timeout_us = MR_SECOND;
    call_start(&calls[i]);
  }
  for (int i = 0; i < 10; i++) {
    call_wait(&calls[i]);
    assert_answer(&calls[i], 200, "hello");
    call_free(&calls[i]);
  }
  assert_int_equal(fault_server_most_open(scene.server), 2);
  close_scene(&scene);
}

/* Waiting for a free connection is no connecting: only the deadline ends it. */
static void test_no_free_connection(void **state) {
  struct scene scene;
  struct call first, second;
  (void)state;
  open_scene(&scene, &hangs);
  scene.wire.route.max_connections = 1;
  call_init(&first, &scene.wire, scene.port, "/");
  call_start(&first);
  while (!first.sent)
    wire_step(&scene.wire, MR_SECOND);
  call_init(&second, &scene.wire, scene.port, "/");
  second.exchange.connect_timeout_us = 20 * MR_MILLISECOND;
  second.exchange.idle_timeout_us = 20 * MR_MILLISECOND;
  second.exchange.deadline_us = mr_clock_now(&mr_clock_system) + 120 * MR_MILLISECOND;
  call_run(&second);
  assert_ended(&second, MR_TIMEOUT, MR_PHASE_NONE);
  assert_message(&second, "no connection to 127.0.0.1");
  assert_true(second.result.timings.done_us >= 119 * MR_MILLISECOND);
  assert_int_equal(fault_server_connections(scene.server), 1);
  cancel(&first);
  close_scene(&scene);
}

/* ---- cancelling ---- */

static void test_cancel(void **state) {
  struct scene scene;
  struct call call;
  (void)state;
  open_scene(&scene, &hangs);
  for (int steps = 0; steps < 4; steps++) {
    call_init(&call, &scene.wire, scene.port, "/");
    call_start(&call);
    for (int i = 0; i < steps; i++)
      wire_step(&scene.wire, i < 2 ? MR_MILLISECOND : 20 * MR_MILLISECOND);
    cancel(&call);
    assert_int_equal(wire_step(&scene.wire, 0), 0);
    assert_int_equal(call.dones, 0);
    assert_true(fault_server_wait_open(scene.server, 0));
  }
  close_scene(&scene);
}

static void test_cancel_paused(void **state) {
  struct scene scene;
  struct call call, other;
  (void)state;
  open_scene(&scene, &keeps);
  for (int resumed = 0; resumed < 2; resumed++) {
    call_init(&call, &scene.wire, scene.port, "/");
    call_init(&other, &scene.wire, scene.port, "/");
    call.pause_at = other.pause_at = WIRE_BODY;
    call.pauses = other.pauses = 1;
    call_start(&call);
    call_start(&other);
    while (!call.waiting || !other.waiting)
      wire_step(&scene.wire, MR_SECOND);
    if (resumed) mr_transport_curl.resume(scene.wire.transport, &call.exchange);
    if (resumed) mr_transport_curl.resume(scene.wire.transport, &other.exchange);
    cancel(&call);
    call_wait(&other);
    assert_answer(&other, 200, "hello");
    assert_int_equal(call.body_size, 0);
    call_free(&other);
  }
  close_scene(&scene);
}

/* ---- connections ---- */

static void test_route_closed(void **state) {
  struct scene scene;
  struct call call;
  (void)state;
  open_scene(&scene, &keeps);
  call_init(&call, &scene.wire, scene.port, "/");
  call_run(&call);
  call_free(&call);
  assert_true(fault_server_wait_open(scene.server, 1));
  mr_transport_curl.route_closed(scene.wire.transport, &scene.wire.route);
  assert_true(fault_server_wait_open(scene.server, 0));
  call_init(&call, &scene.wire, scene.port, "/"); /* and it can be used again */
  call_run(&call);
  assert_answer(&call, 200, "hello");
  assert_false(call.result.reused);
  call_free(&call);
  close_scene(&scene);
}

/* A route may be closed while an exchange of another is on the same kind of connection. */
static void test_route_closed_beside(void **state) {
  struct scene scene;
  struct call call;
  struct mr_route other = {.verify = true};
  (void)state;
  open_scene(&scene, &keeps);
  call_init(&call, &scene.wire, scene.port, "/");
  call.exchange.route = &other;
  call_run(&call);
  call_free(&call);
  call_init(&call, &scene.wire, scene.port, "/");
  call_start(&call);
  wire_step(&scene.wire, 0);
  mr_transport_curl.route_closed(scene.wire.transport, &other);
  call_wait(&call);
  assert_answer(&call, 200, "hello");
  call_free(&call);
  close_scene(&scene);
}

/* How many descriptors an epoll set watches. */
static int watched(int epoll) {
  char path[60], line[200];
  int count = 0;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", epoll);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  while (fgets(line, sizeof line, file))
    count += strncmp(line, "tfd:", 4) == 0;
  fclose(file);
  return count;
}

/* The child leaves everything alone, and the parent goes on with the connection that it had. The epoll
** set is one that both share: what the child took out of it would be missing here. */
static void test_fork(void **state) {
  struct scene scene;
  struct call call;
  int status = -1;
  (void)state;
  open_scene(&scene, &keeps);
  call_init(&call, &scene.wire, scene.port, "/");
  call_run(&call);
  call_free(&call);
  int descriptor = mr_transport_curl.descriptor(scene.wire.transport);
  int before = watched(descriptor);
  pid_t child = fork();
  if (child == 0) {
    mr_transport_curl.abandon(scene.wire.transport);
    _exit(0);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(watched(descriptor), before);
  call_init(&call, &scene.wire, scene.port, "/");
  call_run(&call);
  assert_answer(&call, 200, "hello");
  assert_true(call.result.reused);
  call_free(&call);
  close_scene(&scene);
}

#define STRANGERS 8

static bool strangers_live(int strangers[STRANGERS][2]) {
  bool live = true;
  for (int i = 0; i < STRANGERS; i++) {
    char byte = 0;
    live = live && send(strangers[i][0], "x", 1, MSG_NOSIGNAL) == 1;
    live = live && recv(strangers[i][1], &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x';
  }
  return live;
}

#define CROWD 4

/* A listener that takes no more connections: who asks waits for an answer. */
struct full {
  int listener, port;
  int crowd[CROWD];
};

static void open_full(struct full *full) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  full->listener = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(bind(full->listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(full->listener, 0), 0);
  assert_int_equal(getsockname(full->listener, (struct sockaddr *)&address, &size), 0);
  full->port = ntohs(address.sin_port);
  for (int i = 0; i < CROWD; i++) {
    full->crowd[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)connect(full->crowd[i], (struct sockaddr *)&address, size);
  }
}

static void close_full(const struct full *full) {
  close(full->listener);
  for (int i = 0; i < CROWD; i++)
    close(full->crowd[i]);
}

/* Given up while it connects, which libcurl says when it has waited so long; others open what is free then. */
static void give_up(struct wire *wire, int port, int strangers[STRANGERS][2]) {
  struct call call;
  call_init(&call, wire, port, "/");
  call.exchange.connect_timeout_us = 50 * MR_MILLISECOND;
  call_run(&call);
  assert_ended(&call, MR_TIMEOUT, MR_PHASE_CONNECT);
  call_free(&call);
  for (int i = 0; i < STRANGERS; i++)
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, strangers[i]), 0);
}

/* The descriptor of a connection that never came about goes to whoever opens one next, and is not touched again:
** neither when the route is closed, nor in a child, nor at the end. */
static void test_descriptors_of_others(void **state) {
  struct wire wire;
  struct full full;
  int strangers[STRANGERS][2], status = -1;
  (void)state;
  open_full(&full);
  wire_open(&wire);
  give_up(&wire, full.port, strangers);
  mr_transport_curl.route_closed(wire.transport, &wire.route);
  assert_true(strangers_live(strangers));
  pid_t child = fork();
  if (child == 0) {
    mr_transport_curl.abandon(wire.transport);
    _exit(strangers_live(strangers) ? 0 : 1);
  }
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  wire_close(&wire);
  assert_true(strangers_live(strangers));
  for (int i = 0; i < STRANGERS; i++) {
    close(strangers[i][0]);
    close(strangers[i][1]);
  }
  close_full(&full);
}

/* ---- memory ---- */

static void exchange_once(int port) {
  struct mr_transport_config config = {.clock = &mr_clock_system, .inner = wire_inner};
  struct mr_error error = {0};
  struct wire wire = {.route = {.verify = true}};
  struct call call;
  wire.transport = mr_transport_curl.open(&config, &error);
  if (!wire.transport) {
    assert_int_equal(error.kind, MR_LIMIT);
    return;
  }
  call_init(&call, &wire, port, "/");
  call_headers(&call, "Authorization: Bearer hush-hush-hush");
  enum mr_kind kind = mr_transport_curl.start(wire.transport, &call.exchange, &error);
  if (kind) assert_int_equal(kind, MR_LIMIT);
  if (!kind) call_wait(&call);
  call_free(&call);
  wire_close(&wire);
}

/* Fails every allocation in turn; and what held a credential is wiped before it goes back. */
static void test_memory(void **state) {
  struct failing_allocator memory;
  (void)state;
  struct fault_script script = {{DO_REQUEST, DO_SEND(FAULT_OK)}};
  struct fault_server *server = fault_server_run(&script);
  failing_allocator_install(&memory);
  memory.needle = "hush-hush-hush";
  for (size_t n = 1; failing_allocator_next(&memory, n); n++)
    exchange_once(fault_server_port(server));
  failing_allocator_remove(&memory);
  assert_true(fault_server_requests(server) > 0);
  fault_server_stop(server);
}

static void test_type(void **state) {
  if (wire_inner) skip(); /* it is another */
  (void)state;
  assert_int_equal(mr_transport_curl.version, MR_TRANSPORT_VERSION);
  assert_string_equal(mr_transport_curl.name, "curl");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_type),
      cmocka_unit_test(test_many),
      cmocka_unit_test(test_connection_limit),
      cmocka_unit_test(test_no_free_connection),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_cancel_paused),
      cmocka_unit_test(test_route_closed),
      cmocka_unit_test(test_route_closed_beside),
      cmocka_unit_test(test_fork),
      cmocka_unit_test(test_descriptors_of_others),
      cmocka_unit_test(test_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
