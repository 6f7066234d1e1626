/* redis://[[user]:password@]host[:port][/database], percent-encoded, as the redis tools write it. */
#ifndef MR_REDIS_ADDRESS_H
#define MR_REDIS_ADDRESS_H

#include <sys/socket.h>

#include "error.h"

#define MR_REDIS_WORD 256

struct mr_redis_address {
  char user[MR_REDIS_WORD], password[MR_REDIS_WORD]; /* "": none */
  char database[16];
  char name[300]; /* "host:port", for messages */
  struct sockaddr_storage socket_address;
  socklen_t socket_address_size;
};

/* Looks the host up, which may take its time. MR_IO says what is wrong, never with the password. */
enum mr_kind mr_redis_address_read(struct mr_redis_address *address, const char *url,
                                   struct mr_error *error);

#endif
