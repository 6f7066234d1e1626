/*
** The engine: the life of every request of one lua_State (or one C program).
**
**   new -> throttled -> sending -> receiving -> (asking) -> (waiting | renewing -> throttled) -> done | failed
**
** and cancelled from anywhere. One thread at a time. Nothing here blocks but mr_engine_step
** within its timeout.
*/
#ifndef MR_ENGINE_H
#define MR_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "limiter.h"
#include "random.h"
#include "request.h"
#include "retry.h"
#include "transport.h"

struct mr_engine_config {
  const struct mr_clock *clock;
  uint64_t seed;
  struct mr_limiter *limiter;                /* borrowed */
  struct mr_retry_budget *budget;            /* borrowed; NULL: none */
  const struct mr_transport_type *transport; /* NULL: mr_engine_transport brings it later */
};

enum mr_event_kind {
  MR_EVENT_QUEUE, /* a request waits for its slots */
  MR_EVENT_RETRY,
  MR_EVENT_REDIRECT,
  MR_EVENT_THROTTLE, /* the server refused a request because of a limit */
  MR_EVENT_PAUSE,    /* a bucket stands still */
  MR_EVENT_LIMIT,    /* what the server says of a limit: it is not ours, or makes no sense */
  MR_EVENT_LIMITER   /* how the limits are shared has changed */
};

#define MR_EVENT_BUCKET 128

struct mr_event {
  enum mr_event_kind kind;
  uint64_t tag;
  uint32_t attempt;
  int64_t wait_us; /* QUEUE: -1 when unknown */
  int status;
  const char *reason;           /* a constant; of LIMITER it lives until the next step */
  int64_t limit, server_limit;  /* LIMIT; 0: not about numbers */
  char bucket[MR_EVENT_BUCKET]; /* its key, cut; "" when it is about none */
  char field[MR_FIELD_NAME];    /* LIMIT: whose value was ignored; "" */
};

enum mr_io { MR_IO_INLINE, MR_IO_THREAD }; /* who drives the transport */

struct mr_engine *mr_engine_open(const struct mr_engine_config *config, struct mr_error *error);
/* Cancels what is in flight; requests stay their owners'. */
void mr_engine_close(struct mr_engine *engine);
/* An engine does not outlive a fork: in the child its requests are cancelled where they are, without a word to the
** parent's connections and slots, and it is of no use but to be closed. */
bool mr_engine_is_inherited(struct mr_engine *engine);
/* Closes the inherited one. What mr_engine_next_told has not given yet is given by 'engine'. */
void mr_engine_succeed(struct mr_engine *engine, struct mr_engine *inherited);

/* Inline unless this is called before there is a transport. MR_LIMIT: there is one that is driven otherwise. */
enum mr_kind mr_engine_io(struct mr_engine *engine, enum mr_io io, struct mr_error *error);
bool mr_engine_has_transport(const struct mr_engine *engine);
enum mr_kind mr_engine_transport(struct mr_engine *engine, const struct mr_transport_type *type,
                                 struct mr_error *error);

/* Starts it, or fails it: afterwards look at the state. The request may be finished when this returns. */
void mr_engine_start(struct mr_engine *engine, struct mr_request *request);
/* Fine when finished. */
void mr_engine_cancel(struct mr_engine *engine, struct mr_request *request);
/* Cancels all that go by that route. 'why' begins their message: "the client was closed" (while receiving). Looks at every
** request in flight. */
void mr_engine_cancel_route(struct mr_engine *engine, const struct mr_route *route,
                            const char *why);
void mr_engine_resume(struct mr_engine *engine, struct mr_request *request); /* a stream was read */
/* Bytes of the answer's body that have come. Where a thread drives the wire, the request may not have them yet. */
uint64_t mr_engine_received(const struct mr_request *request);

/* Has the thread that drives the wire free the buffer's block, which leaves the buffer empty. False: there is none, or no
** memory for that, and the buffer is as it was. NULL is fine, for an engine that is closed. */
bool mr_engine_discard(struct mr_engine *engine, struct mr_buffer *buffer);

/* Drives everything and waits at most timeout_us for something to happen. Returns how many requests finished,
** were asked about or have new bytes to read; -1 and 'error' when the transport failed as a whole. */
int mr_engine_step(struct mr_engine *engine, int64_t timeout_us, struct mr_error *error);

/* From now on a step that does not wait works about so long, and later ones go on where it stopped; what one
** descriptor brings at once, or one grant costs, is the grain. MR_NEVER: as at first, a step does all there is. */
void mr_engine_bound(struct mr_engine *engine, int64_t spend_us);

/* The next request that is MR_STATE_ASKING; resolve it at once. */
struct mr_request *mr_engine_next_question(struct mr_engine *engine);
void mr_engine_resolve(struct mr_engine *engine, struct mr_request *request,
                       const struct mr_meaning *meaning);

/* The tag of a request that is finished, or of a stream with something new to read: its status or bytes. 0: none. */
uint64_t mr_engine_next_told(struct mr_engine *engine);
uint32_t mr_engine_pending(const struct mr_engine *engine);
int64_t mr_engine_next_timer_us(struct mr_engine *engine); /* MR_NEVER */
int mr_engine_descriptor(struct mr_engine *engine);        /* -1 before the first request */
bool mr_engine_next_event(struct mr_engine *engine, struct mr_event *event);
/* Those that wait for a slot now, and since when the one that waits longest does: its bucket's key, or NULL. Looks at
** every request in flight. */
struct mr_engine_waits {
  uint32_t count;
  int64_t longest_us;
  const char *bucket; /* valid until the next call */
};
struct mr_engine_waits mr_engine_waits(const struct mr_engine *engine);
int64_t mr_engine_turn_us(const struct mr_engine *engine); /* when the last start or step was */
/* mr_bucket_pass, which those that wait here learn of at once. */
void mr_engine_pass(struct mr_engine *engine, struct mr_bucket *bucket, int64_t time_us);
const struct mr_clock *mr_engine_clock(const struct mr_engine *engine);
struct mr_random *mr_engine_random(struct mr_engine *engine);
void mr_engine_route_closed(struct mr_engine *engine, const struct mr_route *route);

#endif
