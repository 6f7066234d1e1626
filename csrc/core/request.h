/*
** A request: one call of an endpoint with all its attempts, hops and waits.
** Its owner makes it, fills in what is particular to the call, starts it on
** an engine and reads it when it is finished; the engine moves it through its states.
*/
#ifndef MR_REQUEST_H
#define MR_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "endpoint.h"
#include "header.h"
#include "limiter.h"
#include "sink.h"
#include "timers.h"
#include "transport.h"

enum mr_state {
  MR_STATE_NEW,
  MR_STATE_THROTTLED, /* in the limiter's queue */
  MR_STATE_SENDING,
  MR_STATE_RECEIVING,
  MR_STATE_ASKING,   /* the answer is there; its owner is asked what it means: mr_engine_resolve */
  MR_STATE_WAITING,  /* to retry */
  MR_STATE_RENEWING, /* for the command that its credential comes from */
  MR_STATE_DONE,     /* a whole response came, whatever its status */
  MR_STATE_FAILED,
  MR_STATE_CANCELLED
};

const char *mr_state_name(enum mr_state state);

/* What became of one attempt or hop. */
struct mr_attempt_note {
  int status;
  enum mr_kind kind;
  int64_t at_us; /* when it was started; on the engine's clock */
  int64_t took_us;
  int64_t wait_us;    /* before the next one; 0 for the last */
  const char *reason; /* why there was a next one; NULL for the last */
};

#define MR_NOTES_MAX 32 /* attempts and hops kept; the policy's own bounds are far below */
/* Bytes that a stream holds for its reader before the connection pauses. */
#define MR_STREAM_WINDOW (256u * 1024)
/* Bytes: servers stop at 8 to 64 KiB. */
#define MR_REQUEST_HEADERS_MAX 65536

/* What the bodies of several answers may take together. */
struct mr_allowance {
  uint64_t limit; /* bytes; 0: no bound */
  uint64_t used;
};

/* What the body of a refusal says; the engine itself reads no JSON. */
struct mr_meaning {
  int64_t retry_after_us; /* -1: nothing */
  bool final;             /* trying again is no use */
  bool credential_good;   /* a 401 that is about rights, not about who asks */
};

struct mr_engine;
struct mr_renewal;
struct mr_request;

struct mr_request_list {
  struct mr_request *first, *last;
};

struct mr_request {
  struct mr_exchange exchange; /* first: the transport's view */
  struct mr_engine *engine;    /* NULL before start and after the end */
  struct mr_endpoint *endpoint;
  enum mr_state state;
  void *owner;
  uint64_t tag; /* the owner's name for it; mr_engine_next_told gives it back; 0: not wanted */

  /* The call. */
  bool has_body, has_upload;
  struct mr_source upload;
  enum mr_repeat repeat;
  bool has_key;
  uint32_t attempts_max;
  int64_t timeout_us; /* covers everything; MR_NEVER: not given */
  int64_t max_wait_us;
  uint64_t max_body;
  bool stream;
  bool connects_only; /* ends when a connection was there: nothing is sent, no slot is used */
  bool to_file;
  struct mr_sink sink;

  /* The hop. */
  const char *method;
  uint32_t redirects;
  size_t bare_size;            /* bytes of the URL in front of the credentials in its query */
  bool foreign;                /* has left the credential's origin, once and for all */
  bool reread;                 /* the credentials are or were read again after a 401, */
  uint32_t reread_count;       /* so many of them by now, */
  struct mr_meaning meaning;   /* which this was about */
  struct mr_renewal *renewal;  /* what it waits for */
  uint32_t credential_version; /* of those that were sent */
  bool stale_retried;
  uint64_t upload_at; /* where the upload began: retries go back to it */

  /* The answer. */
  int status;
  uint64_t received; /* bytes of the body: see mr_engine_received too */
  int64_t expected;  /* Content-Length of an unencoded body; -1 */
  bool paused, stream_ended, to_sink;
  struct mr_allowance *allowance; /* the owner's, for 'answer'; NULL: none. Outlives the request. */
  uint64_t allowed;               /* bytes that this request has taken of it */
  struct mr_exchange_result result;
  struct mr_error error;     /* kind MR_NONE when a whole response came */
  int64_t retry_after_us;    /* -1 */
  struct mr_timings timings; /* of the last exchange */

  /* The engine's. */
  struct mr_ticket ticket;
  struct mr_timer timer;
  int64_t started_us, first_sent_us, finished_us, deadline_us, attempt_us;
  uint32_t attempt; /* number of the current one, hops not counted */
  uint32_t note_count;
  uint32_t own_bucket_count;
  struct mr_bucket *own_buckets[MR_TICKET_BUCKETS]; /* held: of this call, beside the endpoint's */
  struct mr_request_list *list;                     /* of the engine's; NULL: in none */
  struct mr_request *previous, *next;
  struct mr_request *next_news; /* in the engine's queue of streams with news */
  bool has_news;

  /* From here on the memory is used again by the endpoint's next request. */
  struct mr_buffer url;      /* of the current hop */
  struct mr_buffer extra;    /* "Name: value\0" lines of this call */
  struct mr_buffer body;     /* to send */
  struct mr_buffer head;     /* the header block as sent: holds the secrets */
  struct mr_headers headers; /* of the answer */
  struct mr_buffer answer;   /* the body, or what of a stream has not been read */
  struct mr_attempt_note notes[MR_NOTES_MAX];
};

struct mr_request *mr_request_new(struct mr_endpoint *endpoint); /* holds it; NULL without memory */
void mr_request_free(struct mr_request *request);                /* cancels what is in flight */
void mr_request_discard(struct mr_request *request); /* the memory of one that its endpoint kept */

/* Takes so many more bytes of the allowance; false: it has not that many. A stream's window needs none. */
bool mr_request_allow(struct mr_request *request, size_t size);
/* Before the next attempt. Gives back all that was taken of the allowance, and what is large. */
void mr_request_forget_answer(struct mr_request *request);

/* Filling in, before the start. 'target' is appended to the endpoint's base as it is; 'absolute' replaces it. A
** foreign origin of an absolute URL gets no credential. */
enum mr_kind mr_request_target(struct mr_request *request, bool absolute, struct mr_error *error);
/* Say what 'kind', of a buffer that did not take the URL or the headers, means. */
enum mr_kind mr_request_no_url(enum mr_kind kind, struct mr_error *error);
enum mr_kind mr_request_no_headers(enum mr_kind kind, struct mr_error *error);

/* Adds the credentials of the query that the URL does not have. Like those of headers they go to the endpoint's own
** origin, to URLs that a server gave too, and no more once the request has left that origin. */
enum mr_kind mr_request_query_credentials(struct mr_request *request);
enum mr_kind mr_request_renew_query(struct mr_request *request); /* puts the changed ones in */
enum mr_kind mr_request_bucket(struct mr_request *request, struct mr_bucket *bucket,
                               struct mr_error *error);

/* The header block of the next hop: base lines, call lines, credentials that belong to it. */
enum mr_kind mr_request_compose(struct mr_request *request, struct mr_error *error);

/* Another one when a credential of the endpoint has changed. */
uint32_t mr_request_credential_version(const struct mr_request *request);

/* Leaves the one it was in. */
void mr_list_add(struct mr_request_list *list, struct mr_request *request);
void mr_list_remove(struct mr_request *request); /* fine when in none */

bool mr_request_is_finished(const struct mr_request *request);
void mr_request_note(struct mr_request *request, int64_t now_us, const char *reason,
                     int64_t wait_us);

#endif
