/*
** A connection to Redis, plain or TLS. No call ever blocks.
*/
#ifndef MR_REDIS_WIRE_H
#define MR_REDIS_WIRE_H

#include <stddef.h>

#include "redis_address.h"
#include "redis_tls.h"

struct mr_redis_wire {
  int socket;                           /* -1: closed */
  struct mr_redis_tls_session *session; /* NULL: plain */
};

/* Begins to connect. 'tls' NULL: plain. false: 'why' says so, and the wire is closed. */
bool mr_redis_wire_open(struct mr_redis_wire *wire, const struct mr_redis_endpoint *endpoint,
                        struct mr_redis_tls *tls, char why[MR_REDIS_WHY]);
/* Says no farewell: after fork the connection is the parent's. */
void mr_redis_wire_close(struct mr_redis_wire *wire);

/* Bytes that went or came; 0: none now; -1: the connection is lost, and 'why' says why ("": the other end closed it).
** Nothing is sent before a connection is there and, with TLS, the server is verified. What could not be sent
** must be the beginning of what is sent next. */
long mr_redis_wire_send(struct mr_redis_wire *wire, const void *bytes, size_t size,
                        char why[MR_REDIS_WHY]);
long mr_redis_wire_receive(struct mr_redis_wire *wire, void *bytes, size_t size,
                           char why[MR_REDIS_WHY]);

#endif
