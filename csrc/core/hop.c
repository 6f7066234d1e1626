/* One hop on the wire: from a granted slot to the last byte of an answer. The events run inside the
** transport's step: they store and count, and decide nothing that could start another exchange. */
#include <string.h>

#include "ascii.h"
#include "engine_parts.h"

#define LARGE_BODY ((size_t)32 * 1024) /* above it a server may answer before it has read all */

/* Where a thread drives the wire this is heard of late, and so is the end of the headers. The slot is held from the
** moment itself: until it is told, the bucket counts the slot as one that has not left, which never becomes free, so
** that no window has more than its count; and the latencies, whose spread is the margin, are those of the wire, not
** those of a program that looks sixty times a second. */
static int64_t lag(struct mr_engine *engine, int64_t at_us) {
  return mr_paced_clock_reach(&engine->pace, at_us) - at_us;
}

static enum mr_flow on_sent(struct mr_exchange *x, int64_t at_us) {
  struct mr_request *request = x->owner;
  struct mr_engine *engine = request->engine;
  if (request->first_sent_us == 0) request->first_sent_us = at_us;
  if (request->ticket.bucket_count == 0) return MR_FLOW_ON;
  request->ticket.lag_us = lag(engine, at_us);
  mr_ticket_sent(engine->queue, &request->ticket);
  return MR_FLOW_ON;
}

static enum mr_flow stop(struct mr_request *request, enum mr_kind kind) {
  request->exchange.stop_kind = kind;
  return MR_FLOW_STOP;
}

static enum mr_flow on_status(struct mr_exchange *x, int status) {
  struct mr_request *request = x->owner;
  request->status = status;
  request->state = MR_STATE_RECEIVING;
  mr_headers_clear(&request->headers);
  if (status != 101) return MR_FLOW_ON;
  mr_fail(
      &request->error, MR_DECODE,
      "the server changes to another protocol (101), which nobody asked for; is this an address "
      "of WebSockets?");
  return stop(request, MR_DECODE);
}

static enum mr_flow on_header(struct mr_exchange *x, const char *line, size_t size) {
  struct mr_request *request = x->owner;
  enum mr_kind kind = mr_headers_add(&request->headers, line, size);
  if (!kind || kind == MR_DECODE) return MR_FLOW_ON; /* a line that is no field is nobody's loss */
  if (kind == MR_LIMIT)
    mr_fail(&request->error, kind, "out of memory for the response headers");
  else
    mr_fail(&request->error, kind, "the response headers exceed %d bytes or %d fields",
            MR_HEADERS_MAX_BYTES, MR_HEADERS_MAX_COUNT);
  return stop(request, kind);
}

static enum mr_flow too_large(struct mr_request *request) {
  mr_fail(&request->error, MR_TOO_LARGE,
          "the body exceeds %llu bytes; raise max_body, or write it to a file with { to = path }",
          (unsigned long long)request->max_body);
  return stop(request, MR_TOO_LARGE);
}

static enum mr_flow not_allowed(struct mr_request *request) {
  mr_fail(&request->error, MR_TOO_LARGE,
          "the body does not fit: answers may take %llu bytes in this program, and %llu are taken; "
          "ask for less "
          "at a time, or write it to a file with { to = path }",
          (unsigned long long)request->allowance->limit,
          (unsigned long long)(request->allowance->used - request->allowed));
  return stop(request, MR_TOO_LARGE);
}

/* libcurl takes an answer of such a length for one that lasts until the connection closes: a cut would go unseen. */
static bool refuse_length(struct mr_request *request, struct mr_slice value) {
  mr_fail(&request->error, MR_DECODE, "the Content-Length of the answer makes no sense: '%.*s'",
          (int)(value.size < 40 ? value.size : 40), value.data);
  return false;
}

static bool read_length(struct mr_request *request) {
  int64_t length;
  struct mr_slice value = mr_headers_get(&request->headers, "Content-Length");
  request->expected = -1;
  if (!value.data) return true;
  if (!mr_header_count(value, &length))
    return mr_headers_get(&request->headers, "Transfer-Encoding").data ||
           refuse_length(request, value);
  if (!mr_headers_get(&request->headers, "Content-Encoding").data) request->expected = length;
  return true;
}

static bool asks_for_part(const struct mr_request *request) {
  const struct mr_buffer *head = &request->head;
  for (size_t at = 0; at < head->size; at += strlen(head->data + at) + 1)
    if (mr_ascii_begins(head->data + at, "Range:", strlen("Range:"))) return true;
  return false;
}

/* "bytes 0-99/100" is all of it. Other units than bytes are an API's own way to say how much of a list this is. */
static bool is_part(struct mr_slice range) {
  static const char unit[] = "bytes ", start[] = "bytes 0-";
  size_t unit_size = strlen(unit), start_size = strlen(start);
  int64_t last, total;
  if (range.size < unit_size || !mr_ascii_same(range.data, unit_size, unit, unit_size))
    return false;
  if (range.size < start_size || !mr_ascii_same(range.data, start_size, start, start_size))
    return true;
  const char *from = range.data + start_size, *end = range.data + range.size;
  const char *slash = memchr(from, '/', (size_t)(end - from));
  return !slash || !mr_header_count((struct mr_slice){from, (size_t)(slash - from)}, &last) ||
         !mr_header_count((struct mr_slice){slash + 1, (size_t)(end - slash - 1)}, &total) ||
         last + 1 != total;
}

/* A part that nobody asked for (RFC 9110 section 15.3.7) would be a short success. */
static bool is_unasked_part(const struct mr_request *request) {
  return request->status == 206 && is_part(mr_headers_get(&request->headers, "Content-Range")) &&
         !asks_for_part(request);
}

static enum mr_flow on_headers_end(struct mr_exchange *x, int64_t at_us) {
  struct mr_request *request = x->owner;
  bool good = request->status >= 200 && request->status < 300;
  if (request->ticket.bucket_count > 0) {
    request->ticket.lag_us = lag(request->engine, at_us);
    mr_ticket_answered(request->engine->queue, &request->ticket);
  }
  if (request->stream) mr_engine_news(request->engine, request);
  if (!read_length(request)) return stop(request, MR_DECODE);
  if (is_unasked_part(request)) {
    mr_fail(&request->error, MR_TRUNCATED,
            "the answer is only a part of the whole, which was not asked for (status 206)");
    return stop(request, MR_TRUNCATED);
  }
  request->to_sink = request->to_file && good;
  if (request->to_sink) {
    enum mr_kind kind = mr_sink_open(&request->sink, &request->error);
    return kind ? stop(request, kind) : MR_FLOW_ON;
  }
  bool unbounded = request->stream && good;
  if (unbounded || request->expected <= 0) return MR_FLOW_ON;
  if ((uint64_t)request->expected > request->max_body) return too_large(request);
  if (!mr_request_allow(request, (size_t)request->expected)) return not_allowed(request);
  x->awaited = (uint64_t)request->expected;
  return MR_FLOW_ON;
}

/* What was announced has been allowed as a whole. */
static bool is_allowed(struct mr_request *request, size_t size) {
  uint64_t needed = request->answer.size + (uint64_t)size;
  return needed <= request->allowed ||
         mr_request_allow(request, (size_t)(needed - request->allowed));
}

static enum mr_flow keep(struct mr_request *request, const char *bytes, size_t size) {
  if (!is_allowed(request, size)) return not_allowed(request);
  if (request->answer.size == 0) /* a hint: append reports */
    mr_buffer_reserve(&request->answer, (size_t)request->exchange.awaited);
  enum mr_kind kind = mr_buffer_append(&request->answer, bytes, size);
  if (kind == MR_TOO_LARGE) return too_large(request);
  if (!kind) return MR_FLOW_ON;
  mr_fail(&request->error, kind, "out of memory for the response body");
  return stop(request, kind);
}

static enum mr_flow on_body(struct mr_exchange *x, const char *bytes, size_t size) {
  struct mr_request *request = x->owner;
  if (request->stream && request->answer.size >= MR_STREAM_WINDOW) {
    request->paused = true;
    return MR_FLOW_PAUSE;
  }
  request->received += size;
  if (request->stream) mr_engine_news(request->engine, request);
  if (!request->to_sink) return keep(request, bytes, size);
  enum mr_kind kind = mr_sink_write(&request->sink, bytes, size, &request->error);
  return kind ? stop(request, kind) : MR_FLOW_ON;
}

/* What is refused here is refused by on_body, which says why. */
static bool on_block(struct mr_exchange *x, struct mr_buffer *block) {
  struct mr_request *request = x->owner;
  if (block->size > request->answer.limit || !is_allowed(request, block->size)) return false;
  request->received += block->size;
  mr_buffer_swap(&request->answer, block);
  return true;
}

static int64_t on_read(struct mr_exchange *x, char *bytes, size_t size) {
  struct mr_request *request = x->owner;
  int64_t count = mr_source_read(&request->upload, bytes, size);
  if (count < 0)
    mr_fail(&request->error, MR_IO, "cannot read '%.120s' to its end: was it changed meanwhile?",
            request->upload.path);
  return count;
}

static void on_done(struct mr_exchange *x, const struct mr_exchange_result *result) {
  struct mr_request *request = x->owner;
  request->result = *result;
  request->timings = result->timings;
  if (result->kind && !request->error.kind) request->error = result->error;
  if (result->kind && !request->error.kind) request->error.kind = result->kind;
  mr_list_add(&request->engine->ended, request);
}

static const struct mr_exchange_events events = {
    .on_sent = on_sent,
    .on_status = on_status,
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_body = on_body,
    .on_block = on_block,
    .on_read = on_read,
    .on_done = on_done,
};

/* HTTP/2 of libcurl 7.88 reads on what is paused, and loses the answer of a server that has it before all of the body:
** what may take its time gets a connection of its own. */
static bool is_alone(const struct mr_request *request) {
  return request->to_file || request->stream || request->has_upload ||
         (request->has_body && request->body.size > LARGE_BODY);
}

/* A server that carries few streams may refuse whatever joins a connection, but not what begins one. That is for the last
** attempt: where a server closes connections, others that it has refused share the next. */
static bool is_fresh(const struct mr_request *request) {
  return request->result.unread && request->attempt >= request->attempts_max;
}

static void fill_exchange(struct mr_request *request) {
  struct mr_endpoint *endpoint = request->endpoint;
  struct mr_exchange *x = &request->exchange;
  x->events = &events;
  x->owner = request;
  x->route = endpoint->route;
  x->method = request->method;
  x->url = mr_buffer_string(&request->url);
  x->url_size = request->url.size;
  x->headers = request->head.data;
  x->headers_size = request->head.size;
  x->body = request->has_body ? mr_buffer_string(&request->body) : NULL;
  x->body_size = request->has_body ? (int64_t)request->body.size : -1;
  x->connect_timeout_us = endpoint->connect_timeout_us;
  x->idle_timeout_us = endpoint->idle_timeout_us;
  x->deadline_us = request->deadline_us;
  x->bulk = request->to_file;
  x->once = request->repeat == MR_REPEAT_NEVER && !request->has_key;
  x->alone = is_alone(request);
  x->fresh = is_fresh(request);
  x->connects_only = request->connects_only;
  x->gathers = !request->to_file && !request->stream;
  x->awaited = 0;
  x->max_body = request->max_body;
  x->sends_quietly = request->ticket.bucket_count == 0; /* no slot to account for */
  if (request->has_upload) {
    request->upload.offset = request->upload_at;
    x->body_size = (int64_t)(request->upload.size - request->upload_at);
  }
}

/* The time that a call has by default counts from its first slot. A stream may go on as long as it lives. */
static void set_deadline(struct mr_request *request, int64_t now_us) {
  if (request->deadline_us != MR_NEVER || request->stream) return;
  request->deadline_us = mr_time_after(now_us, request->endpoint->timeout_us);
}

void mr_hop_send(struct mr_engine *engine, struct mr_request *request) {
  request->attempt_us = mr_clock_now(engine->clock);
  set_deadline(request, request->attempt_us);
  mr_request_forget_answer(request);
  enum mr_kind kind = MR_NONE;
  if (!request->connects_only) kind = mr_request_compose(request, &request->error);
  if (!kind) {
    fill_exchange(request);
    request->state = MR_STATE_SENDING;
    kind = engine->type->start(engine->transport, &request->exchange, &request->error);
  }
  if (!kind) return;
  if (!request->error.kind) request->error.kind = kind;
  mr_judge_finish(engine, request, MR_STATE_FAILED);
}

void mr_hop_enter(struct mr_engine *engine, struct mr_request *request, bool jump) {
  struct mr_ticket *ticket = &request->ticket;
  if (ticket->bucket_count == 0) {
    mr_hop_send(engine, request);
    return;
  }
  ticket->jump = jump;
  ticket->deadline_us = request->deadline_us;
  if (ticket->deadline_us == MR_NEVER)
    ticket->deadline_us = mr_time_after(mr_clock_now(engine->clock), request->max_wait_us);
  request->state = MR_STATE_THROTTLED;
  int64_t retry_after_us = -1;
  enum mr_kind kind = mr_queue_enter(engine->queue, ticket, &retry_after_us, &request->error);
  if (kind) {
    request->error.kind = kind;
    request->retry_after_us = retry_after_us;
    mr_judge_finish(engine, request, MR_STATE_FAILED);
  } else if (ticket->state == MR_TICKET_GRANTED) {
    mr_hop_send(engine, request);
  } else {
    mr_engine_tell(engine, request, MR_EVENT_QUEUE, -1, "waiting for a slot");
  }
}
