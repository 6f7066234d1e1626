/*
** libmicrohttpd decodes %2F and cuts at %00 before a handler sees the path, so
** the request line's own text is taken from its log callback. An exchange is
** freed in the completion callback, which comes for every exchange that the
** log callback has made.
*/
#include "sandbox/exchange.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "sandbox/script.h"

#define CONNECTION_MEMORY ((size_t)256 * 1024) /* header block of one request, and of one answer */
#define IDLE_TIMEOUT_S    120
#define CONNECTIONS_MAX   4096
#define CHUNK_SIZE        ((size_t)64 * 1024)

/* {======================================================
** Sleeping answers
** ======================================================= */

/* Locked: so the thread that resumes cannot come before the suspension. */
static void suspend(struct mr_exchange *exchange) {
  struct mr_sandbox *server = exchange->server;
  MHD_suspend_connection(exchange->connection);
  exchange->suspended = true;
  exchange->next = server->suspended;
  server->suspended = exchange;
}

static void resume(struct mr_exchange **link) {
  struct mr_exchange *exchange = *link;
  *link = exchange->next;
  exchange->next = NULL;
  exchange->suspended = false;
  exchange->sleep = false;
  MHD_resume_connection(exchange->connection);
}

void mr_exchange_resume(struct mr_sandbox *server, uint64_t id) {
  for (struct mr_exchange **link = &server->suspended; *link; link = &(*link)->next) {
    if ((*link)->id == id) {
      resume(link);
      return;
    }
  }
}

void mr_exchange_resume_all(struct mr_sandbox *server) {
  while (server->suspended)
    resume(&server->suspended);
}

/* }====================================================== */

/* {======================================================
** The answer
** ======================================================= */

/* An answer that libmicrohttpd sends and no application has a say in. */
static enum MHD_Result plain_answer(struct mr_exchange *exchange, unsigned status,
                                    const char *text) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
  if (!response) return MHD_NO;
  MHD_add_response_header(response, "Content-Type", "application/json");
  MHD_add_response_header(response, "Connection", "close");
  enum MHD_Result result = MHD_queue_response(exchange->connection, status, response);
  MHD_destroy_response(response);
  exchange->state = MR_EXCHANGE_ANSWERED;
  return result;
}

static enum MHD_Result too_large(struct mr_exchange *exchange) {
  return plain_answer(exchange, MHD_HTTP_CONTENT_TOO_LARGE,
                      "{\"message\":\"The request body is larger than this sandbox accepts\"}");
}

static enum MHD_Result send_answer(struct mr_exchange *exchange) {
  struct MHD_Response *response = exchange->response;
  if (!response) return MHD_NO;
  exchange->response = NULL;
  enum MHD_Result result = MHD_queue_response(exchange->connection, exchange->status, response);
  MHD_destroy_response(response);
  return result;
}

/* The request is here as a whole: asks the application once, and again when it was resumed. */
static enum MHD_Result answer(struct mr_exchange *exchange, const char *method) {
  struct mr_sandbox *server = exchange->server;
  mr_sandbox_lock(server);
  bool stopping = server->stopping;
  if (!stopping && exchange->state != MR_EXCHANGE_ANSWERED) {
    exchange->id = ++server->exchanges;
    mr_script_dispatch(exchange, method);
    exchange->state = MR_EXCHANGE_ANSWERED;
    if (exchange->sleep) suspend(exchange);
  }
  bool suspended = exchange->suspended;
  mr_sandbox_unlock(server);
  if (stopping || exchange->drop) return suspended ? MHD_YES : MHD_NO;
  return suspended ? MHD_YES : send_answer(exchange);
}

/* }====================================================== */

/* {======================================================
** The request
** ======================================================= */

static bool announced_too_large(struct mr_exchange *exchange) {
  const char *length = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND,
                                                   MHD_HTTP_HEADER_CONTENT_LENGTH);
  return length && strtoull(length, NULL, 10) > exchange->body.limit;
}

static void receive(struct mr_exchange *exchange, const char *bytes, size_t size) {
  if (exchange->body_too_large) return;
  if (mr_buffer_append(&exchange->body, bytes, size) == MR_NONE) return;
  exchange->body_too_large = true;
  mr_buffer_free(&exchange->body);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request) {
  struct mr_exchange *exchange = *request;
  (void)context, (void)url, (void)version;
  if (!exchange) return MHD_NO; /* no memory when the request line came */
  if (exchange->state == MR_EXCHANGE_NEW) {
    exchange->connection = connection;
    exchange->state = MR_EXCHANGE_RECEIVING;
    return announced_too_large(exchange) ? too_large(exchange) : MHD_YES;
  }
  if (*upload_size > 0) {
    receive(exchange, upload, *upload_size);
    *upload_size = 0;
    return MHD_YES;
  }
  return exchange->body_too_large ? too_large(exchange) : answer(exchange, method);
}

static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection) {
  struct mr_sandbox *server = context;
  struct mr_exchange *exchange = mr_alloc_zero(1, sizeof *exchange);
  (void)connection;
  if (!exchange) return NULL;
  exchange->server = server;
  exchange->cut = MR_NO_CUT;
  mr_buffer_init(&exchange->body, server->max_body);
  mr_buffer_init(&exchange->chunk, SIZE_MAX / 2);
  exchange->uri = mr_duplicate(uri, strlen(uri));
  if (exchange->uri) return exchange;
  mr_free(exchange);
  return NULL;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code) {
  struct mr_exchange *exchange = *request;
  (void)context, (void)connection, (void)code;
  if (!exchange) return;
  mr_sandbox_lock(exchange->server);
  if (exchange->streaming) mr_script_closed(exchange);
  mr_sandbox_unlock(exchange->server);
  if (exchange->response) MHD_destroy_response(exchange->response);
  mr_buffer_free(&exchange->body);
  mr_buffer_free(&exchange->chunk);
  mr_free(exchange->uri);
  mr_free(exchange);
  *request = NULL;
}

/* }====================================================== */

/* Content reader of streams and of answers that are to be cut off. */
static ssize_t read_answer(void *context, uint64_t position, char *bytes, size_t size) {
  struct mr_exchange *exchange = context;
  if (position >= exchange->cut) return MHD_CONTENT_READER_END_WITH_ERROR;
  if (size > exchange->cut - position) size = (size_t)(exchange->cut - position);
  mr_sandbox_lock(exchange->server);
  ssize_t got = MR_PULL_FAILED;
  if (!exchange->server->stopping) got = mr_script_pull(exchange, bytes, size);
  if (got == MR_PULL_SLEEP) suspend(exchange);
  mr_sandbox_unlock(exchange->server);
  switch (got) {
  case MR_PULL_SLEEP:
    return 0;
  case MR_PULL_END:
    return MHD_CONTENT_READER_END_OF_STREAM;
  case MR_PULL_FAILED:
    return MHD_CONTENT_READER_END_WITH_ERROR;
  default:
    return got;
  }
}

struct MHD_Response *mr_exchange_stream(struct mr_exchange *exchange, uint64_t size) {
  return MHD_create_response_from_callback(size, CHUNK_SIZE, read_answer, exchange, NULL);
}

struct MHD_Daemon *mr_exchange_daemon(struct mr_sandbox *server) {
  unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME;
  return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET,
                          server->listener, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
                          MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                          MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
                          MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
                          MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_END);
}
