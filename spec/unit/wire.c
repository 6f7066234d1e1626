#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exchange_events.h"

#define PATIENCE_US (10 * MR_SECOND)

void wire_open(struct wire *wire) {
  struct mr_transport_config config = {.clock = &mr_clock_system, .inner = wire_inner};
  struct mr_error error = {0};
  *wire = (struct wire){.route = {.verify = true}};
  wire->transport = mr_transport_curl.open(&config, &error);
  assert_non_null(wire->transport);
}

void wire_close(struct wire *wire) {
  mr_transport_curl.route_closed(wire->transport, &wire->route);
  mr_transport_curl.close(wire->transport);
}

int wire_step(struct wire *wire, int64_t timeout_us) {
  struct mr_error error = {0};
  int ended = mr_transport_curl.step(wire->transport, timeout_us, &error);
  if (ended < 0) fail_msg("step: %s", error.message);
  return ended;
}

/* ---- events ---- */

static enum mr_flow flow(struct call *call, enum wire_event event) {
  if (call->stop_at == event) {
    call->exchange.stop_kind = MR_TOO_LARGE;
    return MR_FLOW_STOP;
  }
  if (call->pause_at != event || call->paused == call->pauses) return MR_FLOW_ON;
  call->paused++;
  call->waiting = true;
  return MR_FLOW_PAUSE;
}

static enum mr_flow on_sent(struct mr_exchange *x, int64_t at_us) {
  struct call *call = x->owner;
  (void)at_us;
  call->sent++;
  return MR_FLOW_ON;
}

static enum mr_flow on_status(struct mr_exchange *x, int status) {
  struct call *call = x->owner;
  call->statuses++;
  call->status = status;
  return flow(call, WIRE_STATUS);
}

static enum mr_flow on_header(struct mr_exchange *x, const char *line, size_t size) {
  struct call *call = x->owner;
  size_t used = strlen(call->headers);
  call->header_count++;
  if (used + size + 2 <= sizeof call->headers)
    snprintf(call->headers + used, sizeof call->headers - used, "%.*s\n", (int)size, line);
  return flow(call, WIRE_HEADER);
}

static enum mr_flow on_headers_end(struct mr_exchange *x, int64_t at_us) {
  struct call *call = x->owner;
  (void)at_us;
  call->ends++;
  return flow(call, WIRE_HEADERS_END);
}

static enum mr_flow on_body(struct mr_exchange *x, const char *bytes, size_t size) {
  struct call *call = x->owner;
  enum mr_flow how = flow(call, WIRE_BODY);
  if (how != MR_FLOW_ON) return how;
  assert_true(call->body_size + size <= WIRE_BODY_MAX);
  call->body = realloc(call->body, call->body_size + size + 1);
  assert_non_null(call->body);
  memcpy(call->body + call->body_size, bytes, size);
  call->body_size += size;
  call->body[call->body_size] = '\0';
  return MR_FLOW_ON;
}

static int64_t on_read(struct mr_exchange *x, char *bytes, size_t size) {
  struct call *call = x->owner;
  size_t left = call->upload_size - call->upload_at;
  if (call->upload_fails) return -1;
  if (size > call->chunk) size = call->chunk;
  if (size > left) size = left;
  memcpy(bytes, call->upload + call->upload_at, size);
  call->upload_at += size;
  return (int64_t)size;
}

static void on_done(struct mr_exchange *x, const struct mr_exchange_result *result) {
  struct call *call = x->owner;
  call->dones++;
  call->result = *result;
}

static const struct mr_exchange_events events = EXCHANGE_EVENTS;

/* ---- calls ---- */

void call_url(struct call *call, const char *url) {
  snprintf(call->url, sizeof call->url, "%s", url);
  call->exchange.url = call->url;
  call->exchange.url_size = strlen(call->url);
}

void call_init(struct call *call, struct wire *wire, int port, const char *path) {
  char url[1100];
  *call = (struct call){.wire = wire};
  call->exchange = (struct mr_exchange){
      .events = &events,
      .owner = call,
      .route = &wire->route,
      .method = "GET",
      .headers = call->block,
      .headers_size = 1,
      .body_size = -1,
      .connect_timeout_us = 5 * MR_SECOND,
      .deadline_us = mr_time_after(mr_clock_now(&mr_clock_system), PATIENCE_US),
  };
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
  call_url(call, url);
}

void call_headers(struct call *call, const char *lines) {
  size_t size = strlen(lines);
  assert_true(size + 2 < sizeof call->block);
  memcpy(call->block, lines, size + 1);
  for (char *end = call->block; (end = strchr(end, '\n'));)
    *end++ = '\0';
  call->block[size + 1] = '\0';
  call->exchange.headers_size = size + 2;
}

void call_body(struct call *call, const char *method, const char *body) {
  call->exchange.method = method;
  call->exchange.body = body;
  call->exchange.body_size = body ? (int64_t)strlen(body) : -1;
}

void call_upload(struct call *call, const char *method, const char *bytes, size_t size,
                 size_t chunk) {
  call->exchange.method = method;
  call->exchange.body_size = (int64_t)size;
  call->upload = bytes;
  call->upload_size = size;
  call->chunk = chunk;
}

void call_start(struct call *call) {
  struct mr_error error = {0};
  if (mr_transport_curl.start(call->wire->transport, &call->exchange, &error))
    fail_msg("start: %s", error.message);
}

void call_wait(struct call *call) {
  int64_t until_us = mr_time_after(mr_clock_now(&mr_clock_system), 2 * PATIENCE_US);
  while (!call->dones) {
    wire_step(call->wire, 100 * MR_MILLISECOND);
    if (call->waiting && !call->dones)
      mr_transport_curl.resume(call->wire->transport, &call->exchange);
    call->waiting = false;
    assert_true(mr_clock_now(&mr_clock_system) < until_us);
  }
  assert_int_equal(call->dones, 1);
}

void call_run(struct call *call) {
  call_start(call);
  call_wait(call);
}

void call_free(struct call *call) {
  free(call->body);
  call->body = NULL;
}

/* ---- assertions ---- */

void assert_ended(const struct call *call, enum mr_kind kind, enum mr_exchange_phase phase) {
  const struct mr_exchange_result *result = &call->result;
  if (result->kind != kind || result->phase != phase)
    fail_msg("ended with kind %s in phase %d, not %s in %d: %s", mr_kind_name(result->kind),
             (int)result->phase, mr_kind_name(kind), (int)phase, result->error.message);
  assert_int_equal(result->error.kind, kind);
}

void assert_answer(const struct call *call, int status, const char *body) {
  assert_ended(call, MR_NONE, MR_PHASE_DONE);
  assert_int_equal(call->result.status, status);
  assert_int_equal(call->status, status);
  assert_int_equal(call->statuses, 1);
  assert_int_equal(call->ends, 1);
  assert_int_equal(call->sent, 1);
  assert_string_equal(call->body ? call->body : "", body);
}

void assert_message(const struct call *call, const char *part) {
  if (!strstr(call->result.error.message, part))
    fail_msg("the message '%s' lacks '%s'", call->result.error.message, part);
}
