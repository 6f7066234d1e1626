/*
** redis://[[user]:password@]host[:port][/database], percent-encoded, as the redis tools write it. With rediss:// the
** connection is TLS, and behind a question mark may follow PEM files: ca_file (whom to trust; else the system's
** authorities) and, for a server that asks who we are, client_cert and client_key.
*/
#ifndef MR_REDIS_ADDRESS_H
#define MR_REDIS_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include "error.h"

#define MR_REDIS_WORD      256
#define MR_REDIS_PATH      1024
#define MR_REDIS_ENDPOINTS 4   /* of one name, in the resolver's order */
#define MR_REDIS_WHY       160 /* bytes of a reason why a connection is lost */

struct mr_redis_endpoint {
  struct sockaddr_storage address;
  socklen_t size;
};

struct mr_redis_address {
  char user[MR_REDIS_WORD], password[MR_REDIS_WORD]; /* "": none */
  char host[MR_REDIS_WORD];
  char database[16];
  char name[300]; /* "host:port", for messages */
  bool tls;
  char ca_file[MR_REDIS_PATH], client_cert[MR_REDIS_PATH], client_key[MR_REDIS_PATH]; /* "": none */
  struct mr_redis_endpoint endpoints[MR_REDIS_ENDPOINTS];
  unsigned endpoint_count;
};

/* Looks the host up, which may take its time. MR_IO says what is wrong, never with the password. */
enum mr_kind mr_redis_address_read(struct mr_redis_address *address, const char *url,
                                   struct mr_error *error);

#endif
