/*
** TLS on a socket that never blocks, by OpenSSL. The server's certificate is verified against the
** authorities of the address, else the system's (SSL_CERT_FILE and SSL_CERT_DIR say otherwise), and
** must be for the host of the address. At least TLS 1.2.
*/
#ifndef MR_REDIS_TLS_H
#define MR_REDIS_TLS_H

#include <stddef.h>

#include "redis_address.h"

struct mr_redis_tls;         /* what the sessions of one address share */
struct mr_redis_tls_session; /* on one socket, which stays the caller's */

/* Reads the files, which may take its time. NULL: *error (MR_IO or MR_LIMIT) says why. 'address' is borrowed. */
struct mr_redis_tls *mr_redis_tls_open(const struct mr_redis_address *address,
                                       struct mr_error *error);
void mr_redis_tls_close(struct mr_redis_tls *tls); /* NULL is fine */

/* NULL: no memory. Nothing is sent yet. */
struct mr_redis_tls_session *mr_redis_tls_begin(struct mr_redis_tls *tls, int socket);
void mr_redis_tls_end(struct mr_redis_tls_session *session); /* sends nothing; NULL is fine */

/* As mr_redis_wire_send and mr_redis_wire_receive; the first calls make the handshake. */
long mr_redis_tls_send(struct mr_redis_tls_session *session, const void *bytes, size_t size,
                       char why[MR_REDIS_WHY]);
long mr_redis_tls_receive(struct mr_redis_tls_session *session, void *bytes, size_t size,
                          char why[MR_REDIS_WHY]);

#endif
