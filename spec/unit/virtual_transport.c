#include "virtual_transport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

/* Memory comes from the C library: a test that fails the core's allocations does not mean these. */

enum stage { STAGE_CONNECT, STAGE_WAIT, STAGE_BODY, STAGE_FAIL };

struct flight {
  struct flight *next;
  struct mr_exchange *x;
  struct mr_virtual_sent *sent;
  struct mr_virtual_answer answer;
  char *headers, *body, *message; /* copies */
  enum stage stage;
  int64_t at_us;     /* of the stage; MR_NEVER */
  int64_t active_us; /* the last byte */
  size_t piece;      /* the next of the body */
  bool paused;
  struct mr_exchange_result result;
};

struct mr_transport {
  struct mr_virtual_network *network;
  struct flight *flights;
  int ended;
  bool told, woken;
};

/* The network that the next open belongs to; tests have one thread. */
static struct mr_virtual_network *network_in_use;

static int64_t now(const struct mr_transport *transport) {
  return transport->network->clock->now_us;
}

static char *copy(const char *text, size_t size) {
  char *bytes = malloc(size + 1);
  assert_non_null(bytes);
  if (size > 0) memcpy(bytes, text, size);
  bytes[size] = '\0';
  return bytes;
}

static char *copy_text(const char *text) {
  return text ? copy(text, strlen(text)) : NULL;
}

/* ---- the network ---- */

void mr_virtual_network_init(struct mr_virtual_network *network, struct mr_virtual_clock *clock,
                             mr_virtual_server serve, void *context) {
  *network = (struct mr_virtual_network){.clock = clock, .serve = serve, .context = context};
}

void mr_virtual_network_use(struct mr_virtual_network *network) {
  network_in_use = network;
}

static void free_sent(struct mr_virtual_sent *sent) {
  free(sent->method);
  free(sent->url);
  free(sent->headers);
  free(sent->body);
  free(sent);
}

void mr_virtual_network_free(struct mr_virtual_network *network) {
  assert_int_equal(network->in_flight, 0);
  for (size_t i = 0; i < network->sent_count; i++)
    free_sent(network->sent[i]);
  free(network->sent);
  network->sent = NULL;
  network->sent_count = 0;
  if (network_in_use == network) network_in_use = NULL;
}

const struct mr_virtual_sent *mr_virtual_sent_at(const struct mr_virtual_network *network,
                                                 size_t index) {
  assert_true(index < network->sent_count);
  return network->sent[index];
}

const char *mr_virtual_header(const struct mr_virtual_sent *sent, const char *name) {
  size_t size = strlen(name);
  for (const char *line = sent->headers; *line; line += strlen(line) + 1)
    if (strncasecmp(line, name, size) == 0 && line[size] == ':')
      return line + size + 1 + strspn(line + size + 1, " \t");
  return NULL;
}

static struct mr_virtual_sent *record(struct mr_virtual_network *network,
                                      const struct mr_exchange *x) {
  size_t bytes = (network->sent_count + 1) * sizeof *network->sent;
  struct mr_virtual_sent *sent = calloc(1, sizeof *sent);
  network->sent = realloc(network->sent, bytes);
  assert_true(sent && network->sent);
  network->sent[network->sent_count++] = sent;
  sent->method = copy_text(x->method);
  sent->url = copy(x->url, x->url_size);
  sent->headers = copy(x->headers, x->headers_size);
  sent->headers_size = x->headers_size;
  if (x->body) sent->body = copy(x->body, (size_t)x->body_size);
  if (x->body) sent->body_size = (size_t)x->body_size;
  sent->route = x->route;
  sent->has_credential = x->has_credential;
  sent->started_us = network->clock->now_us;
  sent->sent_us = -1;
  return sent;
}

/* ---- one exchange ---- */

static void keep_answer(struct flight *flight) {
  struct mr_virtual_answer *answer = &flight->answer;
  if (answer->status == 0) answer->status = 200;
  if (answer->pieces == 0) answer->pieces = 1;
  if (answer->body && answer->body_size == 0) answer->body_size = strlen(answer->body);
  flight->headers = copy_text(answer->headers);
  flight->body = answer->body ? copy(answer->body, answer->body_size) : NULL;
  flight->message = copy_text(answer->message);
}

static void schedule(struct flight *flight, enum stage stage, int64_t at_us) {
  flight->stage = stage;
  flight->at_us = at_us;
}

static bool fails_early(const struct flight *flight) {
  return flight->answer.kind && flight->answer.phase <= MR_PHASE_CONNECT;
}

static enum mr_kind virtual_start(struct mr_transport *transport, struct mr_exchange *x,
                                  struct mr_error *error) {
  struct mr_virtual_network *network = transport->network;
  if (network->refuse_start) {
    network->refuse_start = false;
    return mr_fail(error, MR_LIMIT, "the virtual network refuses to start");
  }
  struct flight *flight = calloc(1, sizeof *flight);
  struct flight **last = &transport->flights;
  assert_non_null(flight);
  while (*last)
    last = &(*last)->next;
  *last = flight;
  flight->x = x;
  flight->sent = record(network, x);
  network->serve(network->context, flight->sent, &flight->answer);
  keep_answer(flight);
  flight->active_us = now(transport);
  flight->result.timings = (struct mr_timings){-1, -1, -1, -1, -1, -1};
  schedule(flight, fails_early(flight) ? STAGE_FAIL : STAGE_CONNECT,
           mr_time_after(now(transport), flight->answer.connect_us));
  x->transport_data = flight;
  if (++network->in_flight > network->most_in_flight) network->most_in_flight = network->in_flight;
  return MR_NONE;
}

static void drop(struct mr_transport *transport, struct flight *flight) {
  struct flight **place = &transport->flights;
  while (*place != flight)
    place = &(*place)->next;
  *place = flight->next;
  flight->x->transport_data = NULL;
  free(flight->headers);
  free(flight->body);
  free(flight->message);
  free(flight);
  transport->network->in_flight--;
}

static void end(struct mr_transport *transport, struct flight *flight) {
  struct mr_exchange *x = flight->x;
  struct mr_exchange_result result = flight->result;
  result.timings.done_us = now(transport) - flight->sent->started_us;
  drop(transport, flight);
  transport->ended++;
  x->events->on_done(x, &result);
}

static void fail_flight(struct mr_transport *transport, struct flight *flight, enum mr_kind kind,
                        const char *message) {
  flight->result.kind = mr_fail(&flight->result.error, kind, "%s", message);
  end(transport, flight);
}

/* Did an event let it go on? One that stopped it has ended it. */
static bool goes_on(struct mr_transport *transport, struct flight *flight, enum mr_flow flow) {
  transport->told = true;
  if (flow == MR_FLOW_PAUSE) flight->paused = true;
  if (flow != MR_FLOW_STOP) return true;
  fail_flight(transport, flight, flight->x->stop_kind, "stopped");
  return false;
}

/* Takes a streamed body. False when that ended the exchange. */
static bool read_body(struct mr_transport *transport, struct flight *flight) {
  struct mr_exchange *x = flight->x;
  struct mr_virtual_sent *sent = flight->sent;
  if (x->body || x->body_size < 0) return true;
  sent->body = copy("", 0);
  while ((int64_t)sent->body_size < x->body_size) {
    char bytes[1000];
    int64_t left = x->body_size - (int64_t)sent->body_size;
    size_t room = left < (int64_t)sizeof bytes ? (size_t)left : sizeof bytes;
    int64_t size = x->events->on_read(x, bytes, room);
    if (size <= 0) {
      fail_flight(transport, flight, MR_IO, "the request body could not be read");
      return false;
    }
    sent->body = realloc(sent->body, sent->body_size + (size_t)size + 1);
    assert_non_null(sent->body);
    memcpy(sent->body + sent->body_size, bytes, (size_t)size);
    sent->body_size += (size_t)size;
    sent->body[sent->body_size] = '\0';
  }
  return true;
}

static void leave(struct mr_transport *transport, struct flight *flight) {
  const struct mr_virtual_answer *answer = &flight->answer;
  struct mr_exchange *x = flight->x;
  flight->sent->sent_us = flight->active_us = now(transport);
  flight->result.timings.sent_us = now(transport) - flight->sent->started_us;
  flight->result.phase = MR_PHASE_SEND;
  flight->result.reused = answer->reused;
  transport->told |= !x->sends_quietly;
  if (x->events->on_sent(x, now(transport)) == MR_FLOW_STOP) {
    fail_flight(transport, flight, x->stop_kind, "stopped");
    return;
  }
  if (!read_body(transport, flight)) return;
  flight->result.bytes_sent = x->body_size > 0 ? (uint64_t)x->body_size : 0;
  int64_t next_us = answer->silent ? MR_NEVER : mr_time_after(now(transport), answer->wait_us);
  schedule(flight, answer->kind && answer->phase == MR_PHASE_SEND ? STAGE_FAIL : STAGE_WAIT,
           next_us);
}

/* False when an event stopped it. */
static bool give_lines(struct mr_transport *transport, struct flight *flight) {
  const struct mr_exchange_events *events = flight->x->events;
  const char *line = flight->headers ? flight->headers : "";
  if (!goes_on(transport, flight, events->on_status(flight->x, flight->answer.status)))
    return false;
  while (*line) {
    size_t size = strcspn(line, "\n");
    if (!goes_on(transport, flight, events->on_header(flight->x, line, size))) return false;
    line += size + (line[size] == '\n');
  }
  return goes_on(transport, flight, events->on_headers_end(flight->x, now(transport)));
}

static int64_t piece_us(const struct flight *flight) {
  return flight->answer.body_us / (int64_t)flight->answer.pieces;
}

static void answer_headers(struct mr_transport *transport, struct flight *flight) {
  flight->result.status = flight->answer.status;
  flight->result.http_major = 1;
  flight->result.phase = MR_PHASE_RECEIVE;
  flight->result.timings.first_byte_us = now(transport) - flight->sent->started_us;
  flight->active_us = now(transport);
  if (!give_lines(transport, flight)) return;
  schedule(flight, STAGE_BODY, mr_time_after(now(transport), piece_us(flight)));
}

static void end_answer(struct mr_transport *transport, struct flight *flight) {
  if (flight->answer.kind) {
    schedule(flight, STAGE_FAIL, now(transport));
    return;
  }
  flight->result.phase = MR_PHASE_DONE;
  end(transport, flight);
}

static void give_piece(struct mr_transport *transport, struct flight *flight) {
  struct mr_virtual_answer *answer = &flight->answer;
  size_t from = answer->body_size * flight->piece / answer->pieces;
  size_t to = answer->body_size * (flight->piece + 1) / answer->pieces;
  flight->active_us = now(transport);
  if (to > from) {
    enum mr_flow flow = flight->x->events->on_body(flight->x, flight->body + from, to - from);
    if (!goes_on(transport, flight, flow)) return;
    if (flow == MR_FLOW_PAUSE) return; /* the same piece again after resume */
    flight->result.bytes_received += to - from;
  }
  if (++flight->piece == answer->pieces)
    end_answer(transport, flight);
  else
    flight->at_us = mr_time_after(now(transport), piece_us(flight));
}

static void fail_scripted(struct mr_transport *transport, struct flight *flight) {
  const struct mr_virtual_answer *answer = &flight->answer;
  char message[64];
  snprintf(message, sizeof message, "the virtual server: %s", mr_kind_name(answer->kind));
  flight->result.phase = answer->phase;
  flight->result.stale = answer->stale;
  flight->result.unread = answer->unread;
  fail_flight(transport, flight, answer->kind, flight->message ? flight->message : message);
}

static void run_stage(struct mr_transport *transport, struct flight *flight) {
  switch (flight->stage) {
  case STAGE_CONNECT:
    leave(transport, flight);
    break;
  case STAGE_WAIT:
    answer_headers(transport, flight);
    break;
  case STAGE_BODY:
    give_piece(transport, flight);
    break;
  case STAGE_FAIL:
    fail_scripted(transport, flight);
    break;
  }
}

/* ---- time ---- */

static int64_t timeout_at(const struct flight *flight) {
  const struct mr_exchange *x = flight->x;
  int64_t at_us = x->deadline_us;
  int64_t other_us = MR_NEVER;
  if (flight->result.phase < MR_PHASE_SEND && x->connect_timeout_us > 0)
    other_us = mr_time_after(flight->sent->started_us, x->connect_timeout_us);
  if (flight->result.phase >= MR_PHASE_SEND && x->idle_timeout_us > 0 && !flight->paused)
    other_us = mr_time_after(flight->active_us, x->idle_timeout_us);
  return other_us < at_us ? other_us : at_us;
}

static int64_t stage_at(const struct flight *flight) {
  return flight->paused ? MR_NEVER : flight->at_us;
}

static int64_t due_at(const struct flight *flight) {
  int64_t timeout_us = timeout_at(flight), stage_us = stage_at(flight);
  return timeout_us < stage_us ? timeout_us : stage_us;
}

static struct flight *earliest(const struct mr_transport *transport) {
  struct flight *found = NULL;
  for (struct flight *flight = transport->flights; flight; flight = flight->next)
    if (!found || due_at(flight) < due_at(found)) found = flight;
  return found;
}

static int64_t virtual_next_timer(struct mr_transport *transport) {
  struct flight *flight = earliest(transport);
  return flight ? due_at(flight) : MR_NEVER;
}

static void run_due(struct mr_transport *transport) {
  struct flight *flight;
  while ((flight = earliest(transport)) && due_at(flight) <= now(transport)) {
    if (stage_at(flight) <= now(transport))
      run_stage(transport, flight);
    else
      fail_flight(transport, flight, MR_TIMEOUT, "the virtual server took too long");
  }
}

/* A wait without end and without an event would hang a real program: the test is wrong. */
static int virtual_step(struct mr_transport *transport, int64_t timeout_us,
                        struct mr_error *error) {
  (void)error;
  transport->ended = 0;
  transport->told = false;
  int64_t until_us = mr_time_after(now(transport), timeout_us);
  run_due(transport);
  while (!transport->ended && !transport->told && !transport->woken && now(transport) < until_us) {
    int64_t next_us = virtual_next_timer(transport);
    if (next_us > until_us) next_us = until_us;
    if (next_us == MR_NEVER) fail_msg("the transport would wait for ever");
    transport->network->clock->now_us = next_us;
    run_due(transport);
  }
  transport->woken = false;
  return transport->ended;
}

/* ---- the rest of the table ---- */

static struct mr_transport *virtual_open(const struct mr_transport_config *config,
                                         struct mr_error *error) {
  (void)error;
  assert_non_null(network_in_use);
  assert_ptr_equal(config->clock, &network_in_use->clock->clock);
  struct mr_transport *transport = calloc(1, sizeof *transport);
  assert_non_null(transport);
  transport->network = network_in_use;
  return transport;
}

static void virtual_close(struct mr_transport *transport) {
  assert_null(transport->flights);
  free(transport);
}

static void virtual_cancel(struct mr_transport *transport, struct mr_exchange *x) {
  transport->network->cancelled++;
  drop(transport, x->transport_data);
}

static void virtual_resume(struct mr_transport *transport, struct mr_exchange *x) {
  struct flight *flight = x->transport_data;
  flight->paused = false;
  flight->active_us = now(transport);
  if (flight->at_us < now(transport)) flight->at_us = now(transport);
}

static void virtual_wake(struct mr_transport *transport) {
  transport->woken = true;
}

static int virtual_descriptor(struct mr_transport *transport) {
  (void)transport;
  return -1;
}

static void virtual_route_closed(struct mr_transport *transport, const struct mr_route *route) {
  (void)transport;
  (void)route;
}

/* Nothing of it is shared. */
static void virtual_abandon(struct mr_transport *transport) {
  free(transport);
}

const struct mr_transport_type mr_transport_virtual = {
    .version = MR_TRANSPORT_VERSION,
    .name = "virtual",
    .open = virtual_open,
    .close = virtual_close,
    .start = virtual_start,
    .cancel = virtual_cancel,
    .resume = virtual_resume,
    .step = virtual_step,
    .wake = virtual_wake,
    .descriptor = virtual_descriptor,
    .next_timer_us = virtual_next_timer,
    .route_closed = virtual_route_closed,
    .abandon = virtual_abandon,
};
