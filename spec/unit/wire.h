/*
** The client side of transport tests: a transport over libcurl with one route, and calls that collect what their
** events bring. Everything asserts, nothing waits longer than ten seconds.
*/
#ifndef WIRE_H
#define WIRE_H

#include "transport_curl.h"
#include "transport_thread.h"

/* With WIRE_IN_THREAD the same tests have libcurl in a thread. */
#ifdef WIRE_IN_THREAD
static const struct mr_transport_type *const wire_inner = &mr_transport_curl;
#define mr_transport_curl mr_transport_thread
#else
static const struct mr_transport_type *const wire_inner = NULL;
#endif

struct wire {
  struct mr_transport *transport;
  struct mr_route route;
};

void wire_open(struct wire *wire); /* verifies, no HTTP/2, no proxy settings */
void wire_close(struct wire *wire);

enum wire_event { WIRE_NONE, WIRE_STATUS, WIRE_HEADER, WIRE_HEADERS_END, WIRE_BODY };

#define WIRE_BODY_MAX 4000000

struct call {
  struct mr_exchange exchange;
  struct wire *wire;
  char url[1200];
  char block[4096]; /* of the headers */

  enum wire_event pause_at; /* pauses there, 'pauses' times */
  int pauses;
  enum wire_event stop_at; /* stops there with MR_TOO_LARGE */
  const char *upload;      /* what on_read brings, at most 'chunk' bytes at a time */
  size_t upload_size, upload_at, chunk;
  bool upload_fails;

  int sent, statuses, ends, dones; /* how often each event came */
  int paused;
  bool waiting; /* paused and not resumed */
  int status;
  size_t header_count;
  char headers[8192]; /* lines, each with "\n" */
  char *body;
  size_t body_size;
  struct mr_exchange_result result;
};

/* A GET of "http://127.0.0.1:PORT" and the path. */
void call_init(struct call *call, struct wire *wire, int port, const char *path);
void call_url(struct call *call, const char *url);
/* "Name: value\nName: value" */
void call_headers(struct call *call, const char *lines);
void call_body(struct call *call, const char *method, const char *body); /* from memory */
void call_upload(struct call *call, const char *method, const char *bytes, size_t size,
                 size_t chunk);

void call_start(struct call *call);
void call_wait(struct call *call); /* until it is done; resumes when paused */
void call_run(struct call *call);  /* both */
void call_free(struct call *call);

/* One step that must not fail. */
int wire_step(struct wire *wire, int64_t timeout_us);

/* How it ended; the message is printed when it is otherwise. */
void assert_ended(const struct call *call, enum mr_kind kind, enum mr_exchange_phase phase);
void assert_answer(const struct call *call, int status, const char *body);
void assert_message(const struct call *call, const char *part);

#endif
