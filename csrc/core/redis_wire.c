#include "redis_wire.h"
#include "descriptor.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The reason in errno, as text. */
static long lost(char why[MR_REDIS_WHY]) {
  snprintf(why, MR_REDIS_WHY, "%s", strerror(errno));
  return -1;
}

static bool fail(struct mr_redis_wire *wire, char why[MR_REDIS_WHY]) {
  lost(why);
  mr_redis_wire_close(wire);
  return false;
}

bool mr_redis_wire_open(struct mr_redis_wire *wire, const struct mr_redis_endpoint *endpoint,
                        struct mr_redis_tls *tls, char why[MR_REDIS_WHY]) {
  int on = 1;
  wire->session = NULL;
  wire->socket = mr_descriptor_keep(
      socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (wire->socket < 0) return fail(wire, why);
  setsockopt(wire->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(wire->socket, (const struct sockaddr *)&endpoint->address, endpoint->size) != 0 &&
      errno != EINPROGRESS)
    return fail(wire, why);
  if (tls && !(wire->session = mr_redis_tls_begin(tls, wire->socket))) {
    errno = ENOMEM;
    return fail(wire, why);
  }
  return true;
}

void mr_redis_wire_close(struct mr_redis_wire *wire) {
  mr_redis_tls_end(wire->session);
  if (wire->socket >= 0) close(wire->socket);
  *wire = (struct mr_redis_wire){.socket = -1};
}

long mr_redis_wire_send(struct mr_redis_wire *wire, const void *bytes, size_t size,
                        char why[MR_REDIS_WHY]) {
  if (wire->session) return mr_redis_tls_send(wire->session, bytes, size, why);
  ssize_t sent = send(wire->socket, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return (long)sent;
  bool later = errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS;
  return later ? 0 : lost(why);
}

long mr_redis_wire_receive(struct mr_redis_wire *wire, void *bytes, size_t size,
                           char why[MR_REDIS_WHY]) {
  if (wire->session) return mr_redis_tls_receive(wire->session, bytes, size, why);
  ssize_t got = recv(wire->socket, bytes, size, MSG_DONTWAIT);
  if (got > 0) return (long)got;
  why[0] = '\0';
  if (got == 0) return -1;
  return errno == EAGAIN || errno == EINTR ? 0 : lost(why);
}
