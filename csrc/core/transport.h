/*
** The wire, as a table of functions: libcurl's multi interface in the real one
** (transport_curl.c, in csrc/lua/curl_module.c a module of its own), virtual time in
** tests, and one that has another drive the wire in a thread (transport_thread.c). The
** engine owns every exchange; a transport borrows it between start and on_done or cancel.
**
** One exchange is one request on the wire: no redirect is followed, nothing is
** sent twice, no credential is known. A reused connection that proves dead
** before any byte of the answer ends with 'stale' set, and the engine decides.
** So does, with 'unread' as well, what an HTTP/2 server says it did not look at.
*/
#ifndef MR_TRANSPORT_H
#define MR_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"
#include "error.h"
#include "route.h"

struct mr_transport; /* an instance; one thread at a time */

enum mr_exchange_phase {                /* how far it came; decides what may be repeated */
                         MR_PHASE_NONE, /* nothing happened yet */
                         MR_PHASE_RESOLVE,
                         MR_PHASE_CONNECT, /* TCP, proxy and TLS */
                         MR_PHASE_SEND,    /* the first byte may have left */
                         MR_PHASE_RECEIVE, /* a byte of the answer came */
                         MR_PHASE_DONE
};

struct mr_timings { /* microseconds since the exchange was started; -1 unknown */
  int64_t resolved_us, connected_us, secured_us, sent_us, first_byte_us, done_us;
};

struct mr_exchange_result {
  enum mr_kind kind; /* MR_NONE: a whole response came */
  int status;        /* of the final response, 0 without one */
  enum mr_exchange_phase phase;
  bool stale;   /* a reused connection died before any byte of the answer */
  bool unread;  /* stale, and the server said so: it has not begun with the request */
  bool reused;  /* the connection was */
  bool lasting; /* it would end so again: a certificate that was refused */
  int http_major;
  uint64_t bytes_sent, bytes_received; /* bodies on the wire */
  struct mr_timings timings;
  struct mr_error error; /* names host and port, no query, no secret */
};

enum mr_flow { MR_FLOW_ON, MR_FLOW_PAUSE, MR_FLOW_STOP };

#define MR_READ_LATER INT64_C(-2) /* of on_read: nothing yet; asked again after resume */

struct mr_exchange;

/* Called inside mr_transport step only. They must not call the transport. STOP ends the exchange: on_done
** follows with the kind that the engine left in x->stop_kind. 'at_us' is when it happened, on the clock of the
** transport: now, or earlier where a thread has seen it. */
struct mr_exchange_events {
  /* It leaves on a connection; after STOP nothing does. */
  enum mr_flow (*on_sent)(struct mr_exchange *x, int64_t at_us);
  enum mr_flow (*on_status)(struct mr_exchange *x, int status); /* status line; 1xx are not shown */
  /* Without CR LF, no trailers. */
  enum mr_flow (*on_header)(struct mr_exchange *x, const char *line, size_t size);
  enum mr_flow (*on_headers_end)(struct mr_exchange *x, int64_t at_us);
  /* Decoded; PAUSE: given again. */
  enum mr_flow (*on_body)(struct mr_exchange *x, const char *bytes, size_t size);
  /* Of an exchange with 'gathers': the first bytes of the body, most often all of them. True: they were taken out of the
  ** block, by mr_buffer_swap. False: on_body gives them. */
  bool (*on_block)(struct mr_exchange *x, struct mr_buffer *block);
  /* Fills at most 'size' bytes of the request body, returns the count, 0 at the end, -1 on failure, MR_READ_LATER. */
  int64_t (*on_read)(struct mr_exchange *x, char *bytes, size_t size);
  void (*on_done)(struct mr_exchange *x, const struct mr_exchange_result *result);
};

struct mr_exchange {
  const struct mr_exchange_events *events;
  void *owner; /* the engine's */
  const struct mr_route *route;

  const char *method;
  const char *url; /* absolute, no credentials, no fragment */
  size_t url_size;
  /* Lines "Name: value" each ended by one zero byte, then one more zero byte. */
  const char *headers;
  size_t headers_size; /* for a cheap comparison with those of the last exchange */
  const char *body;    /* NULL when on_read brings it or there is none */
  int64_t body_size; /* -1: none. With body NULL and size >= 0: on_read, exactly that many bytes */
  int64_t connect_timeout_us;
  int64_t idle_timeout_us; /* no byte in either direction for so long; 0: none */
  int64_t deadline_us;     /* monotonic, of this engine's clock; MR_NEVER: none */
  bool sends_quietly;      /* nobody waits for on_sent: step need not return after it */
  enum mr_kind stop_kind;  /* set by an event that returns STOP */
  bool has_credential;     /* plain http must not take it through a proxy: refused with MR_AUTH */
  bool bulk;               /* a big body is expected: larger buffers pay */
  bool once;  /* must not reach the server twice: evidence that it did not is worth something */
  bool alone; /* on a connection that no other shares, since its reader may be slow */
  bool fresh; /* the first one of a new connection, since those there are refuse it */
  bool connects_only; /* sends nothing: done, with status 0, when a connection was there */
  /* The body is kept in memory: a transport with a thread may gather it there, so that on_body has nothing to copy. */
  bool gathers;
  uint64_t max_body; /* bytes, of one that is gathered: more is refused */
  uint64_t awaited;  /* bytes that there is room for, when on_headers_end knows; 0 */

  void *transport_data; /* the transport's own */
};

struct mr_transport_config {
  const struct mr_clock *clock;
  uint32_t max_idle_connections;         /* 0: 64 */
  const struct mr_transport_type *inner; /* of mr_transport_thread: what its thread drives */
};

struct mr_transport_type {
  uint32_t version; /* MR_TRANSPORT_VERSION: a module of another build is refused */
  const char *name;
  struct mr_transport *(*open)(const struct mr_transport_config *config, struct mr_error *error);
  void (*close)(struct mr_transport *transport); /* nothing may be in flight */

  /* MR_NONE: on_done comes later, never from inside start. Else nothing was started. */
  enum mr_kind (*start)(struct mr_transport *transport, struct mr_exchange *x,
                        struct mr_error *error);
  /* No event follows. A transport with a thread may call on_sent before it returns: what has left has left. */
  void (*cancel)(struct mr_transport *transport, struct mr_exchange *x);
  void (*resume)(struct mr_transport *transport, struct mr_exchange *x); /* after PAUSE */

  /* Drives what is in flight and waits at most timeout_us (0: never) for something to happen. Returns the
  ** number of exchanges that ended in this call, -1 if it failed as a whole (then nothing ended). */
  int (*step)(struct mr_transport *transport, int64_t timeout_us, struct mr_error *error);
  void (*wake)(struct mr_transport *transport); /* from any thread: step returns soon */

  /* Readable when step has work; -1 if there is none. */
  int (*descriptor)(struct mr_transport *transport);
  int64_t (*next_timer_us)(struct mr_transport *transport); /* absolute, of the clock; MR_NEVER */

  /* Close its connections. */
  void (*route_closed)(struct mr_transport *transport, const struct mr_route *route);
  /* In a child after fork: free nothing that libcurl shares. */
  void (*abandon)(struct mr_transport *transport);

  /* From now on a step that does not wait begins nothing more once it has worked so long, and a later one goes on where
  ** it stopped. MR_NEVER: as at first, a step does all there is. NULL: steps cannot be bounded. */
  void (*bound)(struct mr_transport *transport, int64_t spend_us);

  /* Bytes of the body that have come, given or not. NULL: no more than were given. */
  uint64_t (*arrived)(struct mr_transport *transport, const struct mr_exchange *x);

  /* Takes the buffer's block over, to free it in a thread of its own. False: there is no memory for that, and the buffer is
  ** as it was. NULL: it has no thread. */
  bool (*discard)(struct mr_transport *transport, struct mr_buffer *buffer);
};

#define MR_TRANSPORT_VERSION 7

#endif
