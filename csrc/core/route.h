/*
** How to reach servers; constant for a client. Connections are shared only between exchanges with the same route pointer,
** so credentials and TLS settings never mix.
*/
#ifndef MR_ROUTE_H
#define MR_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

struct mr_route {
  char *proxy; /* URL; NULL: from the environment; "": none. Loopback never uses one. */
  char *no_proxy;
  char *ca_file;     /* PEM; NULL: the system's bundle */
  char *client_cert; /* PEM */
  char *client_key;
  char *unix_socket;
  char *resolve_host;       /* test hook of the caller's: "host:port:address", NULL for none */
  bool verify;              /* true unless asked for by name */
  bool http2;               /* negotiated over TLS */
  uint32_t max_connections; /* per host; 0: 64 */
};

/* A copy with texts of its own. False: no memory, and the copy has nothing to free. */
bool mr_route_copy(struct mr_route *copy, const struct mr_route *original);
/* Its texts, which were allocated with mr_alloc; fine when it is done already. */
void mr_route_free(struct mr_route *route);

#endif
