/*
** A transport on virtual time, with a scripted server at its other end. Nothing sleeps: a step that has nothing to do
** moves the clock to the next event, or to the end of its timeout.
**
**   struct mr_virtual_network network;
**   mr_virtual_network_init(&network, &clock, serve, context);
**   mr_virtual_network_use(&network);      -- the next open of mr_transport_virtual belongs to it
**   ... mr_engine_open with .transport = &mr_transport_virtual and .clock = &clock.clock ...
**   mr_virtual_network_free(&network);     -- after the transport is closed; nothing may be in flight
**
** Events come in the order of their times, at equal times in the order of the starts.
*/
#ifndef VIRTUAL_TRANSPORT_H
#define VIRTUAL_TRANSPORT_H

#include "clock.h"
#include "transport.h"

/* What an exchange looked like when it was started; a streamed body is complete from MR_PHASE_SEND on. */
struct mr_virtual_sent {
  char *method;
  char *url;
  char *headers; /* as in mr_exchange */
  size_t headers_size;
  char *body; /* NULL: none */
  size_t body_size;
  const struct mr_route *route;
  bool has_credential;
  int64_t started_us;
  int64_t sent_us; /* -1: never left */
};

/* What the server does. All zero: an empty 200, at once. Bytes are copied when the callback returns. */
struct mr_virtual_answer {
  int status;          /* 0: 200 */
  const char *headers; /* "Name: value\nName: value", NULL for none */
  const char *body;
  size_t body_size; /* 0: the length of 'body' */

  int64_t connect_us; /* from the start until it leaves */
  int64_t wait_us;    /* from there to the status and the headers */
  int64_t body_us;    /* from there to the end, evenly over the pieces */
  size_t pieces;      /* that the body comes in; 0: one */

  bool silent;       /* accepts and never answers: only a timeout or a cancel ends it */
  enum mr_kind kind; /* fails so; MR_NONE: answers */
  /* Of the failure: up to SEND nothing came back; RECEIVE: all of the above did. */
  enum mr_exchange_phase phase;
  bool stale, unread;
  bool reused;
  const char *message; /* of the failure; NULL: one that names the kind */
};

typedef void (*mr_virtual_server)(void *context, const struct mr_virtual_sent *sent,
                                  struct mr_virtual_answer *answer);

struct mr_virtual_network {
  struct mr_virtual_clock *clock;
  mr_virtual_server serve;
  void *context;
  struct mr_virtual_sent **sent; /* every exchange, in the order of their starts */
  size_t sent_count;
  size_t in_flight, most_in_flight;
  size_t cancelled;
  bool refuse_start; /* the next start fails with MR_LIMIT */
};

extern const struct mr_transport_type mr_transport_virtual;

void mr_virtual_network_init(struct mr_virtual_network *network, struct mr_virtual_clock *clock,
                             mr_virtual_server serve, void *context);
void mr_virtual_network_use(struct mr_virtual_network *network);
void mr_virtual_network_free(struct mr_virtual_network *network);

/* Asserts that there is one. */
const struct mr_virtual_sent *mr_virtual_sent_at(const struct mr_virtual_network *network,
                                                 size_t index);
/* The value of the first header of that name, case ignored; NULL without. */
const char *mr_virtual_header(const struct mr_virtual_sent *sent, const char *name);

#endif
