#include "engine.h"

#include <string.h>

#include "engine_parts.h"
#include "memory.h"
#include "transport_thread.h"

struct mr_engine *mr_engine_open(const struct mr_engine_config *config, struct mr_error *error) {
  struct mr_engine *engine = mr_alloc(sizeof *engine);
  if (engine) memset(engine, 0, offsetof(struct mr_engine, events)); /* of those most stay unused */
  if (engine) mr_paced_clock_init(&engine->pace, config->clock);
  if (engine) engine->queue = mr_queue_open(config->limiter, &engine->pace.clock, config->seed);
  if (!engine || !engine->queue) {
    mr_free(engine);
    mr_fail(error, MR_LIMIT, "out of memory while the engine was opened");
    return NULL;
  }
  mr_timers_init(&engine->timers);
  engine->clock = &engine->pace.clock;
  engine->limiter = config->limiter;
  engine->budget = config->budget;
  engine->spend_us = MR_NEVER;
  mr_random_seed(&engine->random, config->seed);
  mr_fork_mark_set(&engine->mark);
  if (config->transport && mr_engine_transport(engine, config->transport, error)) {
    mr_engine_close(engine);
    return NULL;
  }
  return engine;
}

/*
** {======================================================
** News of streams
** =======================================================
*/

void mr_engine_news(struct mr_engine *engine, struct mr_request *request) {
  engine->progress++;
  if (request->tag == 0 || request->has_news) return;
  request->has_news = true;
  request->next_news = NULL;
  if (engine->last_news)
    engine->last_news->next_news = request;
  else
    engine->first_news = request;
  engine->last_news = request;
}

void mr_engine_forget_news(struct mr_engine *engine, struct mr_request *request) {
  struct mr_request *before = NULL;
  if (!request->has_news) return;
  for (struct mr_request *one = engine->first_news; one != request; one = one->next_news)
    before = one;
  if (before)
    before->next_news = request->next_news;
  else
    engine->first_news = request->next_news;
  if (engine->last_news == request) engine->last_news = before;
  request->next_news = NULL;
  request->has_news = false;
}

/* }====================================================== */

/* Of those in flight. */
#define ALL_LISTS(engine)                                                                          \
  {                                                                                                \
    &(engine)->active, &(engine)->ended, &(engine)->asking, &(engine)->renewing,                   \
        &(engine)->renewed                                                                         \
  }

static void cancel_all(struct mr_engine *engine, struct mr_request_list *list) {
  while (list->first)
    mr_engine_cancel(engine, list->first);
}

/*
** {======================================================
** After a fork
** =======================================================
*/

/* What waits in the queue is only in this memory; slots and exchanges are the parent's. */
static void leave_behind(struct mr_engine *engine, struct mr_request *request) {
  struct mr_ticket *ticket = &request->ticket;
  if (ticket->state == MR_TICKET_QUEUED) mr_ticket_cancel(engine->queue, ticket);
  ticket->state = MR_TICKET_IDLE;
  mr_timer_clear(&engine->timers, &request->timer);
  request->renewal = NULL;
  if (request->to_file) mr_sink_leave(&request->sink);
  mr_fail(&request->error, MR_CANCELLED, "the call belongs to the process before its fork");
  request->state = MR_STATE_CANCELLED;
  request->stream_ended = true;
  mr_engine_forget_news(engine, request);
  request->engine = NULL;
  if (request->tag)
    mr_list_add(&engine->finished, request);
  else
    mr_list_remove(request);
}

bool mr_engine_is_inherited(struct mr_engine *engine) {
  struct mr_request_list *lists[] = ALL_LISTS(engine);
  if (!mr_fork_mark_is_child(&engine->mark)) return false;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    while (lists[i]->first)
      leave_behind(engine, lists[i]->first);
  engine->pending = 0;
  mr_renewals_close(engine, true);
  if (engine->transport) engine->type->abandon(engine->transport);
  engine->transport = NULL;
  return true;
}

void mr_engine_succeed(struct mr_engine *engine, struct mr_engine *inherited) {
  engine->io = inherited->io;
  while (inherited->finished.first)
    mr_list_add(&engine->finished, inherited->finished.first);
  mr_engine_close(inherited);
}

/* }====================================================== */

void mr_engine_close(struct mr_engine *engine) {
  if (!engine) return;
  mr_engine_is_inherited(engine);
  struct mr_request_list *lists[] = ALL_LISTS(engine);
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
    cancel_all(engine, lists[i]);
  mr_renewals_close(engine, false);
  while (engine->finished.first)
    mr_list_remove(engine->finished.first);
  if (engine->transport) engine->type->close(engine->transport);
  mr_queue_close(engine->queue);
  mr_timers_free(&engine->timers);
  mr_fork_mark_free(&engine->mark);
  mr_free(engine);
}

bool mr_engine_has_transport(const struct mr_engine *engine) {
  return engine->transport != NULL;
}

enum mr_kind mr_engine_io(struct mr_engine *engine, enum mr_io io, struct mr_error *error) {
  if (engine->transport && engine->io != io)
    return mr_fail(error, MR_LIMIT,
                   "the first request has been made already: choose before, once for a Lua state");
  engine->io = io;
  return MR_NONE;
}

enum mr_kind mr_engine_transport(struct mr_engine *engine, const struct mr_transport_type *type,
                                 struct mr_error *error) {
  if (type->version != MR_TRANSPORT_VERSION)
    return mr_fail(error, MR_LIMIT,
                   "the %s transport is of another build of moonrest; reinstall it", type->name);
  struct mr_transport_config config = {.clock = engine->pace.source, .inner = type};
  if (engine->io == MR_IO_THREAD) type = &mr_transport_thread;
  engine->transport = type->open(&config, error);
  if (!engine->transport) return MR_LIMIT;
  engine->type = type;
  mr_engine_bound(engine, engine->spend_us);
  return MR_NONE;
}

/* Events are for logs: when nobody fetches them, the oldest make room. */
static struct mr_event *new_event(struct mr_engine *engine) {
  if (engine->event_count == MR_EVENTS_KEPT) {
    engine->event_first = (engine->event_first + 1) % MR_EVENTS_KEPT;
    engine->event_count--;
  }
  uint32_t place = (engine->event_first + engine->event_count++) % MR_EVENTS_KEPT;
  return &engine->events[place];
}

struct mr_event *mr_engine_tell(struct mr_engine *engine, const struct mr_request *request,
                                enum mr_event_kind kind, int64_t wait_us, const char *reason) {
  struct mr_event *event = new_event(engine);
  *event = (struct mr_event){
      .kind = kind,
      .tag = request->tag,
      .attempt = request->attempt,
      .wait_us = wait_us,
      .status = request->status,
      .reason = reason,
  };
  return event;
}

static void tell_trouble(struct mr_engine *engine) {
  if (!mr_limiter_trouble(engine->limiter, &engine->trouble)) return;
  *new_event(engine) =
      (struct mr_event){.kind = MR_EVENT_LIMITER, .wait_us = -1, .reason = engine->trouble.message};
}

bool mr_engine_next_event(struct mr_engine *engine, struct mr_event *event) {
  if (engine->event_count == 0) return false;
  *event = engine->events[engine->event_first];
  engine->event_first = (engine->event_first + 1) % MR_EVENTS_KEPT;
  engine->event_count--;
  return true;
}

static void fill_ticket(struct mr_request *request) {
  struct mr_ticket *ticket = &request->ticket;
  const struct mr_endpoint *endpoint = request->endpoint;
  for (uint32_t i = 0; i < endpoint->bucket_count; i++)
    ticket->buckets[ticket->bucket_count++] = endpoint->buckets[i];
  for (uint32_t i = 0; i < request->own_bucket_count; i++)
    if (ticket->bucket_count < MR_TICKET_BUCKETS)
      ticket->buckets[ticket->bucket_count++] = request->own_buckets[i];
  ticket->owner = request;
}

void mr_engine_start(struct mr_engine *engine, struct mr_request *request) {
  request->engine = engine;
  request->started_us = mr_paced_clock_read(&engine->pace);
  request->attempt_us = request->started_us;
  request->attempt = 1;
  request->upload_at = request->upload.offset;
  request->deadline_us = mr_time_after(request->started_us, request->timeout_us);
  engine->pending++;
  mr_list_add(&engine->active, request);
  if (!request->connects_only) fill_ticket(request);
  if (engine->budget && !request->connects_only)
    mr_retry_budget_call(engine->budget, request->endpoint->base_url.host, request->started_us);
  mr_hop_enter(engine, request, request->ticket.jump);
}

static bool is_on_the_wire(const struct mr_request *request) {
  return request->state == MR_STATE_SENDING || request->state == MR_STATE_RECEIVING;
}

static void cancel(struct mr_engine *engine, struct mr_request *request, const char *why) {
  if (request->engine != engine || mr_request_is_finished(request)) return;
  mr_paced_clock_read(&engine->pace);
  if (is_on_the_wire(request) && request->list == &engine->active)
    engine->type->cancel(engine->transport, &request->exchange);
  mr_fail(&request->error, MR_CANCELLED, "%s while %s", why, mr_state_name(request->state));
  mr_judge_finish(engine, request, MR_STATE_CANCELLED);
}

void mr_engine_cancel(struct mr_engine *engine, struct mr_request *request) {
  if (!mr_engine_is_inherited(engine)) cancel(engine, request, "cancelled");
}

void mr_engine_cancel_route(struct mr_engine *engine, const struct mr_route *route,
                            const char *why) {
  struct mr_request_list *lists[] = ALL_LISTS(engine);
  if (mr_engine_is_inherited(engine)) return;
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    struct mr_request *next;
    for (struct mr_request *request = lists[i]->first; request; request = next) {
      next = request->next;
      if (request->endpoint->route == route) cancel(engine, request, why);
    }
  }
}

void mr_engine_resume(struct mr_engine *engine, struct mr_request *request) {
  if (mr_engine_is_inherited(engine)) return;
  if (!request->paused || request->answer.size >= MR_STREAM_WINDOW / 2) return;
  request->paused = false;
  if (is_on_the_wire(request) && request->list == &engine->active)
    engine->type->resume(engine->transport, &request->exchange);
}

uint64_t mr_engine_received(const struct mr_request *request) {
  struct mr_engine *engine = request->engine;
  uint64_t arrived = 0;
  if (engine && is_on_the_wire(request) && engine->type->arrived)
    arrived = engine->type->arrived(engine->transport, &request->exchange);
  return arrived > request->received ? arrived : request->received;
}

bool mr_engine_discard(struct mr_engine *engine, struct mr_buffer *buffer) {
  if (!engine || mr_engine_is_inherited(engine) || !engine->transport) return false;
  return engine->type->discard && engine->type->discard(engine->transport, buffer);
}

static void start_due(struct mr_engine *engine) {
  int64_t now_us = mr_clock_now(engine->clock);
  struct mr_timer *timer;
  while ((timer = mr_timers_due(&engine->timers, now_us))) {
    struct mr_request *request = timer->owner;
    if (request->state == MR_STATE_RENEWING)
      mr_renewal_late(engine, request);
    else
      mr_hop_enter(engine, request, true);
  }
}

static bool may_start(struct mr_engine *engine) {
  return engine->starts_until_us == MR_NEVER ||
         mr_paced_clock_read(&engine->pace) < engine->starts_until_us;
}

/* One at least. */
static void start_granted(struct mr_engine *engine) {
  int64_t retry_after_us = -1;
  struct mr_ticket *ticket;
  while ((ticket = mr_queue_next(engine->queue, &retry_after_us))) {
    struct mr_request *request = ticket->owner;
    if (ticket->state == MR_TICKET_GRANTED) {
      mr_hop_send(engine, request);
    } else {
      request->retry_after_us = retry_after_us;
      mr_queue_explain(engine->queue, ticket, retry_after_us, &request->error);
      mr_judge_finish(engine, request, MR_STATE_FAILED);
    }
    if (!may_start(engine)) return;
  }
}

/* Whom a command has brought a credential, or none. One at least. */
static void start_renewed(struct mr_engine *engine) {
  mr_renewals_look(engine);
  while (engine->renewed.first) {
    struct mr_request *request = engine->renewed.first;
    mr_timer_clear(&engine->timers, &request->timer);
    mr_list_add(&engine->active, request);
    mr_judge_reread(engine, request);
    if (!may_start(engine)) return;
  }
}

static void judge_all(struct mr_engine *engine) {
  while (engine->ended.first) {
    struct mr_request *request = engine->ended.first;
    mr_list_add(&engine->active, request);
    mr_judge_ended(engine, request);
  }
}

static int64_t next_duty_us(const struct mr_engine *engine) {
  int64_t next_us = mr_timers_next_us(&engine->timers);
  int64_t queue_us = mr_queue_wake_us(engine->queue);
  int64_t renewal_us = mr_renewals_wake_us(engine);
  if (queue_us < next_us) next_us = queue_us;
  return renewal_us < next_us ? renewal_us : next_us;
}

int64_t mr_engine_next_timer_us(struct mr_engine *engine) {
  int64_t next_us = next_duty_us(engine);
  if (!engine->transport) return next_us;
  int64_t wire_us = engine->type->next_timer_us(engine->transport);
  return wire_us < next_us ? wire_us : next_us;
}

/* How long the transport may wait: until our own next duty, and not at all when something has finished. */
static int64_t patience(struct mr_engine *engine, int64_t timeout_us) {
  if (engine->progress > 0 || engine->asking.first) return 0;
  int64_t next_us = next_duty_us(engine);
  if (next_us == MR_NEVER) return timeout_us;
  int64_t left_us = next_us - mr_clock_now(engine->clock);
  if (left_us < 0) left_us = 0;
  return left_us < timeout_us ? left_us : timeout_us;
}

int mr_engine_step(struct mr_engine *engine, int64_t timeout_us, struct mr_error *error) {
  engine->progress = 0;
  if (mr_engine_is_inherited(engine)) return 0;
  tell_trouble(engine);
  bool bounded = engine->spend_us != MR_NEVER && timeout_us <= 0;
  if (bounded || !engine->transport || next_duty_us(engine) != MR_NEVER)
    mr_paced_clock_read(&engine->pace);
  if (!engine->transport) return 0;
  engine->starts_until_us =
      bounded ? mr_time_after(engine->pace.now_us, engine->spend_us / 2) : MR_NEVER;
  start_due(engine);
  start_renewed(engine);
  start_granted(engine);
  judge_all(engine);
  if (engine->type->step(engine->transport, patience(engine, timeout_us), error) < 0) return -1;
  mr_paced_clock_read(&engine->pace);
  judge_all(engine);
  start_due(engine);
  start_renewed(engine);
  start_granted(engine);
  return engine->progress;
}

void mr_engine_bound(struct mr_engine *engine, int64_t spend_us) {
  engine->spend_us = spend_us;
  if (engine->transport && engine->type->bound) engine->type->bound(engine->transport, spend_us);
}

struct mr_request *mr_engine_next_question(struct mr_engine *engine) {
  return engine->asking.first;
}

uint64_t mr_engine_next_told(struct mr_engine *engine) {
  struct mr_request *request = engine->finished.first;
  if (request) {
    mr_list_remove(request);
    return request->tag;
  }
  request = engine->first_news;
  if (!request) return 0;
  mr_engine_forget_news(engine, request);
  return request->tag;
}

struct mr_engine_waits mr_engine_waits(const struct mr_engine *engine) {
  struct mr_engine_waits waits = {0};
  int64_t now_us = mr_clock_now(engine->clock);
  for (const struct mr_request *request = engine->active.first; request; request = request->next) {
    if (request->state != MR_STATE_THROTTLED) continue;
    int64_t waited_us = now_us - request->ticket.entered_us;
    waits.count++;
    if (waits.bucket && waited_us <= waits.longest_us) continue;
    waits.longest_us = waited_us;
    waits.bucket = mr_bucket_key(request->ticket.buckets[0]);
  }
  return waits;
}

void mr_engine_pass(struct mr_engine *engine, struct mr_bucket *bucket, int64_t time_us) {
  mr_bucket_pass(bucket, time_us);
  mr_queue_look_again(engine->queue, bucket);
}

uint32_t mr_engine_pending(const struct mr_engine *engine) {
  return engine->pending;
}

int mr_engine_descriptor(struct mr_engine *engine) {
  return engine->transport ? engine->type->descriptor(engine->transport) : -1;
}

const struct mr_clock *mr_engine_clock(const struct mr_engine *engine) {
  return engine->pace.source;
}

int64_t mr_engine_turn_us(const struct mr_engine *engine) {
  return engine->pace.now_us;
}

struct mr_random *mr_engine_random(struct mr_engine *engine) {
  return &engine->random;
}

void mr_engine_route_closed(struct mr_engine *engine, const struct mr_route *route) {
  if (mr_engine_is_inherited(engine)) return;
  if (engine->transport) engine->type->route_closed(engine->transport, route);
}
