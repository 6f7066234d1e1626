/* What an answer, or the lack of one, means: the end, another hop, another attempt, or a question to the owner. */
#include <stdio.h>
#include <string.h>

#include "engine_parts.h"
#include "memory.h"
#include "redirect.h"

void mr_judge_finish(struct mr_engine *engine, struct mr_request *request, enum mr_state state) {
  mr_timer_clear(&engine->timers, &request->timer);
  if (request->ticket.bucket_count > 0) mr_ticket_cancel(engine->queue, &request->ticket);
  mr_renewal_leave(engine, request);
  request->finished_us = mr_clock_now(engine->clock);
  mr_request_note(request, request->finished_us, NULL, 0);
  if (state == MR_STATE_DONE && request->to_sink && mr_sink_finish(&request->sink, &request->error))
    state = MR_STATE_FAILED;
  if (request->to_file) mr_sink_discard(&request->sink); /* nothing half-written stays */
  /* The secrets of this hop have done their duty. */
  mr_wipe(request->head.data, request->head.size);
  request->state = state;
  request->stream_ended = true;
  mr_engine_forget_news(engine, request);
  request->engine = NULL;
  engine->pending--;
  engine->progress++;
  if (request->tag)
    mr_list_add(&engine->finished, request);
  else
    mr_list_remove(request);
}

static void close_ticket(struct mr_engine *engine, struct mr_request *request) {
  if (request->ticket.bucket_count > 0) mr_ticket_closed(engine->queue, &request->ticket);
}

static void go_on(struct mr_engine *engine, struct mr_request *request, const char *reason) {
  mr_request_note(request, mr_clock_now(engine->clock), reason, 0);
  mr_hop_enter(engine, request, true);
}

static void try_again(struct mr_engine *engine, struct mr_request *request,
                      const struct mr_verdict *verdict) {
  int64_t now_us = mr_clock_now(engine->clock);
  mr_request_note(request, now_us, verdict->reason, verdict->wait_us);
  mr_engine_tell(engine, request, MR_EVENT_RETRY, verdict->wait_us, verdict->reason);
  request->attempt++;
  if (verdict->at_once || verdict->wait_us <= 0) {
    mr_hop_enter(engine, request, true);
    return;
  }
  request->state = MR_STATE_WAITING;
  request->timer.owner = request;
  if (mr_timer_set(&engine->timers, &request->timer, now_us + verdict->wait_us)) {
    mr_fail(&request->error, MR_LIMIT, "out of memory for the wait before a retry");
    mr_judge_finish(engine, request, MR_STATE_FAILED);
  }
}

/* Bytes that a reader of a stream has seen cannot be taken back. */
static bool can_begin_anew(const struct mr_request *request) {
  return !(request->stream && request->received > 0);
}

static bool is_good(const struct mr_request *request) {
  return request->result.kind == MR_NONE && request->status < 400;
}

static struct mr_verdict decide(struct mr_engine *engine, struct mr_request *request,
                                const struct mr_meaning *meaning) {
  int64_t now_us = mr_clock_now(engine->clock);
  struct mr_retry_policy policy = request->endpoint->retry;
  policy.attempts = request->attempts_max;
  struct mr_exchange_result result = request->result;
  if (request->stale_retried) result.stale = false;
  struct mr_attempt attempt = {
      .number = request->attempt,
      .repeat = request->repeat,
      .has_key = request->has_key,
      .result = &result,
      .headers = result.kind ? NULL : &request->headers,
      .body_retry_after_us = meaning->retry_after_us,
      .final = meaning->final,
      .wall_us = is_good(request) ? 0 : mr_clock_wall(engine->clock), /* only refusals name dates */
      .remaining_us = request->deadline_us == MR_NEVER ? MR_NEVER : request->deadline_us - now_us,
  };
  struct mr_slice host = request->endpoint->base_url.host;
  struct mr_verdict verdict =
      mr_retry_decide(&policy, &attempt, engine->budget, host, now_us, &engine->random);
  if (result.stale && verdict.at_once) request->stale_retried = true;
  return verdict;
}

static void tell_of_bucket(struct mr_engine *engine, struct mr_request *request,
                           const struct mr_event *about, const struct mr_bucket *bucket) {
  struct mr_event *event =
      mr_engine_tell(engine, request, about->kind, about->wait_us, about->reason);
  event->limit = about->limit;
  event->server_limit = about->server_limit;
  memcpy(event->field, about->field, sizeof event->field);
  snprintf(event->bucket, sizeof event->bucket, "%s", mr_bucket_key(bucket));
}

static void tell_learnt(struct mr_engine *engine, struct mr_request *request,
                        const struct mr_learnt *learnt) {
  struct mr_event event = {.wait_us = -1};
  if (learnt->doubted) {
    event = (struct mr_event){.kind = MR_EVENT_LIMIT,
                              .wait_us = -1,
                              .limit = learnt->limit,
                              .server_limit = learnt->server_limit,
                              .reason = "the server names another limit than the definition"};
    tell_of_bucket(engine, request, &event, learnt->doubted);
  }
  if (learnt->garbled) {
    event = (struct mr_event){.kind = MR_EVENT_LIMIT,
                              .wait_us = -1,
                              .reason = "ignored: a limit field whose value makes no sense"};
    memcpy(event.field, learnt->field, sizeof event.field);
    tell_of_bucket(engine, request, &event, learnt->garbled);
  }
  if (learnt->paused) {
    event = (struct mr_event){.kind = MR_EVENT_PAUSE,
                              .wait_us = learnt->pause_us,
                              .reason = "the server refused a request"};
    tell_of_bucket(engine, request, &event, learnt->paused);
  }
}

static void learn(struct mr_engine *engine, struct mr_request *request,
                  const struct mr_meaning *meaning) {
  struct mr_learnt learnt =
      mr_ticket_learn(engine->queue, &request->ticket, request->status, &request->headers,
                      meaning->retry_after_us, meaning->final);
  if (learnt.refused) {
    struct mr_event event = {.kind = MR_EVENT_THROTTLE,
                             .wait_us = meaning->retry_after_us,
                             .reason = meaning->final ? "a limit that no time lifts" : "a limit"};
    tell_of_bucket(engine, request, &event, request->ticket.buckets[0]);
  }
  tell_learnt(engine, request, &learnt);
}

/* Adds to the error of a broken exchange why it was the last one, where its caller has to know. */
static void say_why_last(struct mr_request *request, const char *reason) {
  static const char *const notes[][2] = {
      {"not repeatable", "; it may have been carried out, so it was not repeated"},
      {"no budget", "; not tried again: too many retries to this host in the last minute"},
  };
  char *message = request->error.message;
  size_t size = strlen(message);
  for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
    if (strcmp(reason, notes[i][0]) == 0 && size + strlen(notes[i][1]) < MR_MESSAGE_SIZE)
      snprintf(message + size, MR_MESSAGE_SIZE - size, "%s", notes[i][1]);
}

/* Once: a slot is not held while a credential is waited for. */
static void settle(struct mr_engine *engine, struct mr_request *request,
                   const struct mr_meaning *meaning) {
  const struct mr_ticket *ticket = &request->ticket;
  bool answered = request->result.kind == MR_NONE;
  if (answered && ticket->bucket_count > 0 && ticket->state != MR_TICKET_IDLE)
    learn(engine, request, meaning);
  close_ticket(engine, request);
}

static void conclude(struct mr_engine *engine, struct mr_request *request,
                     const struct mr_meaning *meaning) {
  bool answered = request->result.kind == MR_NONE;
  settle(engine, request, meaning);
  struct mr_verdict verdict = decide(engine, request, meaning);
  request->retry_after_us = verdict.retry_after_us;
  if (verdict.retry && can_begin_anew(request)) {
    try_again(engine, request, &verdict);
    return;
  }
  if (!answered) say_why_last(request, verdict.reason);
  mr_judge_finish(engine, request, answered ? MR_STATE_DONE : MR_STATE_FAILED);
}

static void count_refusal(struct mr_request *request, const struct mr_meaning *meaning) {
  const struct mr_endpoint *endpoint = request->endpoint;
  if (request->foreign) return;
  for (uint32_t i = 0; i < endpoint->credential_count; i++) {
    if (request->status == 401 && !meaning->credential_good)
      mr_secret_refused(endpoint->credentials[i].secret);
    else if (request->status != 401)
      mr_secret_accepted(endpoint->credentials[i].secret);
  }
}

static bool has_new_credential(const struct mr_request *request) {
  return mr_request_credential_version(request) != request->credential_version;
}

/* A file or a command may have a newer credential by now. Reads all, so that one answer settles it. True: it waits for a
** command, and mr_judge_reread comes when that has ended. */
static bool read_on(struct mr_engine *engine, struct mr_request *request) {
  const struct mr_endpoint *endpoint = request->endpoint;
  while (request->reread_count < endpoint->credential_count) {
    struct mr_secret *secret = endpoint->credentials[request->reread_count++].secret;
    bool changed;
    if (mr_secret_source_of(secret) != MR_SECRET_COMMAND)
      mr_secret_refresh(secret, &changed, NULL);
    else if (mr_renewal_join(engine, request, secret))
      return true;
  }
  return false;
}

static void send_renewed(struct mr_engine *engine, struct mr_request *request) {
  enum mr_kind kind = mr_request_renew_query(request);
  if (!kind) {
    go_on(engine, request, "the credential was read again");
    return;
  }
  mr_request_no_url(kind, &request->error);
  mr_judge_finish(engine, request, MR_STATE_FAILED);
}

void mr_judge_reread(struct mr_engine *engine, struct mr_request *request) {
  if (read_on(engine, request)) {
    settle(engine, request, &request->meaning);
  } else if (has_new_credential(request)) {
    close_ticket(engine, request);
    send_renewed(engine, request);
  } else {
    count_refusal(request, &request->meaning);
    conclude(engine, request, &request->meaning);
  }
}

/* What another request has had read since this one left is as good as read again. */
static void begin_reread(struct mr_engine *engine, struct mr_request *request,
                         const struct mr_meaning *meaning) {
  request->reread = true;
  request->meaning = *meaning;
  request->reread_count = has_new_credential(request) ? request->endpoint->credential_count : 0;
  mr_judge_reread(engine, request);
}

static void answer_means(struct mr_engine *engine, struct mr_request *request,
                         const struct mr_meaning *meaning) {
  bool unauthorized = request->status == 401 && !request->foreign && !meaning->credential_good;
  if (unauthorized && !request->reread) {
    begin_reread(engine, request, meaning);
    return;
  }
  if (request->status < 500) count_refusal(request, meaning);
  conclude(engine, request, meaning);
}

void mr_engine_resolve(struct mr_engine *engine, struct mr_request *request,
                       const struct mr_meaning *meaning) {
  mr_paced_clock_read(&engine->pace);
  mr_list_add(&engine->active, request);
  answer_means(engine, request, meaning);
}

static void follow(struct mr_engine *engine, struct mr_request *request) {
  close_ticket(engine, request);
  enum mr_kind kind = mr_redirect_turn(request, &request->error);
  if (kind) {
    request->error.kind = kind;
    mr_judge_finish(engine, request, MR_STATE_FAILED);
    return;
  }
  mr_engine_tell(engine, request, MR_EVENT_REDIRECT, 0, "redirect");
  go_on(engine, request, "redirect");
}

static bool is_refusal(int status) {
  return status == 401 || status == 429 || status >= 500;
}

void mr_judge_ended(struct mr_engine *engine, struct mr_request *request) {
  static const struct mr_meaning nothing = {.retry_after_us = -1};
  if (request->result.kind) {
    conclude(engine, request, &nothing);
  } else if (request->connects_only) {
    mr_judge_finish(engine, request, MR_STATE_DONE);
  } else if (mr_redirect_is(request->status) &&
             mr_headers_get(&request->headers, "Location").data) {
    follow(engine, request);
  } else if (request->endpoint->inspects && is_refusal(request->status) &&
             request->answer.size > 0) {
    request->state = MR_STATE_ASKING;
    mr_list_add(&engine->asking, request);
  } else {
    answer_means(engine, request, &nothing);
  }
}
