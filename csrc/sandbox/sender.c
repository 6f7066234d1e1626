#include "sandbox/sender.h"
#include "core/descriptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buffer.h"
#include "core/clock.h"
#include "core/memory.h"
#include "sandbox/script.h"

struct mr_delivery {
  struct mr_delivery *next;
  long long id;
  struct sockaddr_storage address;
  socklen_t address_size;
  size_t size;
  char bytes[];
};

/* One delivery under way. */
struct attempt {
  struct mr_sandbox *server;
  int socket;
  int64_t deadline_us;
};

/* {======================================================
** The queue
** ======================================================= */

static bool parse_loopback(const char *text, uint16_t port, struct mr_delivery *delivery) {
  struct sockaddr_in *four = (struct sockaddr_in *)&delivery->address;
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)&delivery->address;
  if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    delivery->address_size = sizeof *four;
    return ntohl(four->sin_addr.s_addr) >> 24 == 127;
  }
  if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1) return false;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(port);
  delivery->address_size = sizeof *six;
  return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

static void enqueue(struct mr_sandbox *server, struct mr_delivery *delivery) {
  struct mr_delivery **end = &server->deliveries;
  while (*end)
    end = &(*end)->next;
  *end = delivery;
  server->deliveries_queued++;
  pthread_cond_signal(&server->sender_wake);
}

const char *mr_sender_post(struct mr_sandbox *server, long long id, const char *address,
                           uint16_t port, const char *bytes, size_t size) {
  if (server->deliveries_queued >= MR_DELIVERIES_MAX) return "too many webhooks are waiting";
  struct mr_delivery *delivery = mr_alloc_zero(1, sizeof *delivery + size);
  if (!delivery) return "no memory for a webhook";
  if (!parse_loopback(address, port, delivery)) {
    mr_free(delivery);
    return "not a loopback address";
  }
  delivery->id = id;
  delivery->size = size;
  if (size > 0) memcpy(delivery->bytes, bytes, size);
  enqueue(server, delivery);
  return NULL;
}

void mr_sender_clear(struct mr_sandbox *server) {
  while (server->deliveries) {
    struct mr_delivery *delivery = server->deliveries;
    server->deliveries = delivery->next;
    mr_free(delivery);
  }
}

/* }====================================================== */

/* {======================================================
** One delivery
** ======================================================= */

static const char *await(struct attempt *attempt, short events) {
  struct pollfd files[2] = {{.fd = attempt->socket, .events = events},
                            {.fd = attempt->server->sender_stop, .events = POLLIN}};
  for (;;) {
    int64_t left_us = attempt->deadline_us - mr_clock_now(&mr_clock_system);
    if (left_us <= 0) return "the receiver took too long";
    int ready = poll(files, 2, (int)(left_us / MR_MILLISECOND) + 1);
    if (ready < 0 && errno != EINTR) return "poll failed";
    if (files[1].revents) return "the sandbox stops";
    if (ready > 0) return NULL;
  }
}

static const char *connect_to(struct attempt *attempt, const struct mr_delivery *delivery) {
  int failure = 0;
  socklen_t size = sizeof failure;
  const struct sockaddr *address = (const struct sockaddr *)&delivery->address;
  if (connect(attempt->socket, address, delivery->address_size) == 0) return NULL;
  if (errno != EINPROGRESS) return "nobody listens there";
  const char *problem = await(attempt, POLLOUT);
  if (problem) return problem;
  getsockopt(attempt->socket, SOL_SOCKET, SO_ERROR, &failure, &size);
  return failure ? "nobody listens there" : NULL;
}

static const char *send_all(struct attempt *attempt, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t sent = send(attempt->socket, bytes, size, MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes += sent;
      size -= (size_t)sent;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      const char *problem = await(attempt, POLLOUT);
      if (problem) return problem;
    } else if (errno != EINTR) {
      return "the receiver closed the connection";
    }
  }
  return NULL;
}

/* Are the bytes a whole HTTP/1 answer whose end its headers tell? */
static bool is_complete(const char *bytes, size_t size) {
  static const char name[] = "\r\ncontent-length:";
  const char *end = memmem(bytes, size, "\r\n\r\n", 4);
  if (!end) return false;
  size_t head = (size_t)(end - bytes), body = size - head - 4;
  for (size_t i = 0; i + sizeof name - 1 <= head; i++) {
    if (strncasecmp(bytes + i, name, sizeof name - 1) == 0)
      return body >= strtoull(bytes + i + sizeof name - 1, NULL, 10);
  }
  return false;
}

static const char *receive(struct attempt *attempt, struct mr_buffer *answer) {
  char part[4096];
  for (;;) {
    const char *problem = await(attempt, POLLIN);
    if (problem) return problem;
    ssize_t got = recv(attempt->socket, part, sizeof part, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return "the receiver closed the connection";
    if (got == 0) return answer->size > 0 ? NULL : "the receiver did not answer";
    if (mr_buffer_append(answer, part, (size_t)got) != MR_NONE) return NULL; /* enough */
    if (is_complete(mr_buffer_string(answer), answer->size)) return NULL;
  }
}

static const char *deliver(struct mr_sandbox *server, const struct mr_delivery *delivery,
                           struct mr_buffer *answer) {
  struct attempt attempt = {.server = server};
  attempt.deadline_us = mr_clock_now(&mr_clock_system) + MR_DELIVERY_TIMEOUT_MS * MR_MILLISECOND;
  attempt.socket = mr_descriptor_keep(
      socket(delivery->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (attempt.socket < 0) return "no socket";
  const char *problem = connect_to(&attempt, delivery);
  if (!problem) problem = send_all(&attempt, delivery->bytes, delivery->size);
  if (!problem) problem = receive(&attempt, answer);
  close(attempt.socket);
  return problem;
}

/* }====================================================== */

/* Locked, and comes back locked. */
static void send_first(struct mr_sandbox *server) {
  struct mr_delivery *delivery = server->deliveries;
  struct mr_buffer answer;
  server->deliveries = delivery->next;
  server->deliveries_queued--;
  mr_buffer_init(&answer, MR_DELIVERY_ANSWER_MAX);
  mr_sandbox_unlock(server);
  const char *problem = deliver(server, delivery, &answer);
  mr_sandbox_lock(server);
  if (!server->stopping)
    mr_script_delivered(server, delivery->id, problem ? NULL : &answer, problem);
  mr_buffer_free(&answer);
  mr_free(delivery);
}

void *mr_sender_run(void *context) {
  struct mr_sandbox *server = context;
  mr_sandbox_lock(server);
  while (!server->stopping) {
    if (server->deliveries)
      send_first(server);
    else
      pthread_cond_wait(&server->sender_wake, &server->lock);
  }
  mr_sandbox_unlock(server);
  return NULL;
}
