/*
** An exchange: one request to the sandbox server and the answer to it.
*/
#ifndef MR_SANDBOX_EXCHANGE_H
#define MR_SANDBOX_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buffer.h"
#include "sandbox/server.h"

struct MHD_Connection;
struct MHD_Response;

#define MR_NO_CUT UINT64_MAX

enum mr_exchange_state {
  MR_EXCHANGE_NEW,       /* only the request line is known */
  MR_EXCHANGE_RECEIVING, /* the body is coming in */
  MR_EXCHANGE_ANSWERED   /* 'response' is made, perhaps not yet sent */
};

struct mr_exchange {
  struct mr_sandbox *server;
  struct MHD_Connection *connection;
  uint64_t id;
  enum mr_exchange_state state;
  char *uri;             /* as it stood in the request line */
  struct mr_buffer body; /* of the request */
  bool body_too_large;
  struct MHD_Response *response; /* owned until queued */
  unsigned status;
  uint64_t cut;           /* the connection breaks after so many bytes of the answer's body */
  bool drop;              /* the connection breaks before any answer */
  bool streaming;         /* locked; the application has a generator for it */
  bool suspended;         /* locked */
  bool sleep;             /* the application wants the answer to wait until resumed */
  struct mr_buffer chunk; /* bytes of the answer that were made and not yet taken */
  size_t chunk_taken;
  struct mr_exchange *next; /* in the server's list of suspended ones */
};

/* Locked. Lets the suspended exchange with this number go on; an unknown number is ignored. */
void mr_exchange_resume(struct mr_sandbox *server, uint64_t id);
/* Locked. All of them: the server stops. */
void mr_exchange_resume_all(struct mr_sandbox *server);

/* An answer whose bytes mr_script_pull brings; 'size' MHD_SIZE_UNKNOWN: sent in chunks. */
struct MHD_Response *mr_exchange_stream(struct mr_exchange *exchange, uint64_t size);

/* Starts to serve on server->listener, which it then owns; NULL if it cannot. */
struct MHD_Daemon *mr_exchange_daemon(struct mr_sandbox *server);

#endif
