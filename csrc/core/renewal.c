/*
** Credentials that a command brings again after a 401, while the engine goes on: one run for all requests that wait for
** that credential, looked at from time to time. Nothing here waits, but for an instant after a kill.
*/
#include "clock.h"
#include "engine_parts.h"
#include "memory.h"
#include "secret_command.h"

#define LOOK_US (10 * MR_MILLISECOND) /* between two looks */
#define KILL_US MR_MILLISECOND        /* for what was killed to be reaped; else a look does it, */
#define END_US  MR_SECOND             /* and so long where no look comes any more */

struct mr_renewal {
  struct mr_renewal *next;
  struct mr_secret *secret; /* held; NULL: it was killed, and is still to be reaped */
  struct mr_secret_command command;
  struct mr_buffer value;
  int64_t deadline_us;
  uint32_t waiting; /* requests */
};

static struct mr_renewal *find(const struct mr_engine *engine, const struct mr_secret *secret) {
  struct mr_renewal *renewal = engine->renewals;
  while (renewal && renewal->secret != secret)
    renewal = renewal->next;
  return renewal;
}

static void forget(struct mr_engine *engine, struct mr_renewal *renewal) {
  struct mr_renewal **at = &engine->renewals;
  while (*at != renewal)
    at = &(*at)->next;
  *at = renewal->next;
  mr_buffer_free(&renewal->value);
  mr_secret_release(renewal->secret);
  mr_free(renewal);
}

/* What was killed and cannot be reaped at once stays, without its secret. */
static void stop(struct mr_engine *engine, struct mr_renewal *renewal) {
  if (mr_secret_command_kill(&renewal->command, KILL_US)) {
    forget(engine, renewal);
    return;
  }
  mr_buffer_free(&renewal->value);
  mr_secret_release(renewal->secret);
  renewal->secret = NULL;
}

static struct mr_renewal *start(struct mr_engine *engine, struct mr_secret *secret) {
  struct mr_renewal *renewal = mr_alloc_zero(1, sizeof *renewal);
  if (!renewal) return NULL;
  if (mr_secret_command_start(&renewal->command, mr_secret_origin(secret), NULL)) {
    mr_free(renewal);
    return NULL;
  }
  int64_t now_us = mr_clock_now(engine->clock);
  mr_secret_value_init(&renewal->value);
  renewal->secret = mr_secret_hold(secret);
  renewal->deadline_us = mr_time_after(now_us, MR_SECRET_COMMAND_US);
  if (!engine->renewals) engine->renewal_look_us = now_us + LOOK_US;
  renewal->next = engine->renewals;
  engine->renewals = renewal;
  return renewal;
}

bool mr_renewal_join(struct mr_engine *engine, struct mr_request *request,
                     struct mr_secret *secret) {
  request->timer.owner = request;
  if (request->deadline_us != MR_NEVER &&
      mr_timer_set(&engine->timers, &request->timer, request->deadline_us))
    return false;
  struct mr_renewal *renewal = find(engine, secret);
  if (!renewal) renewal = start(engine, secret);
  if (!renewal) {
    mr_timer_clear(&engine->timers, &request->timer);
    return false;
  }
  renewal->waiting++;
  request->renewal = renewal;
  request->state = MR_STATE_RENEWING;
  mr_list_add(&engine->renewing, request);
  return true;
}

void mr_renewal_leave(struct mr_engine *engine, struct mr_request *request) {
  struct mr_renewal *renewal = request->renewal;
  if (!renewal) return;
  request->renewal = NULL;
  if (--renewal->waiting == 0) stop(engine, renewal);
}

void mr_renewal_late(struct mr_engine *engine, struct mr_request *request) {
  mr_fail(&request->error, MR_TIMEOUT,
          "time was up while the credential's command ran again after a 401");
  mr_judge_finish(engine, request, MR_STATE_FAILED);
}

static void release_waiting(struct mr_engine *engine, struct mr_renewal *renewal) {
  struct mr_request *next;
  for (struct mr_request *request = engine->renewing.first; request; request = next) {
    next = request->next;
    if (request->renewal != renewal) continue;
    request->renewal = NULL;
    mr_list_add(&engine->renewed, request);
  }
  renewal->waiting = 0;
}

static void look(struct mr_engine *engine, struct mr_renewal *renewal, int64_t now_us) {
  bool ended = false, changed;
  if (!renewal->secret) {
    if (mr_secret_command_reap(&renewal->command)) forget(engine, renewal);
    return;
  }
  enum mr_kind kind = mr_secret_command_look(&renewal->command, &renewal->value, &ended, NULL);
  if (!kind && !ended && now_us < renewal->deadline_us) return;
  if (!kind && ended) mr_secret_take(renewal->secret, &renewal->value, &changed, NULL);
  release_waiting(engine, renewal);
  stop(engine, renewal);
}

void mr_renewals_look(struct mr_engine *engine) {
  int64_t now_us = mr_clock_now(engine->clock);
  struct mr_renewal *next;
  if (!engine->renewals || now_us < engine->renewal_look_us) return;
  engine->renewal_look_us = now_us + LOOK_US;
  for (struct mr_renewal *renewal = engine->renewals; renewal; renewal = next) {
    next = renewal->next;
    look(engine, renewal, now_us);
  }
}

int64_t mr_renewals_wake_us(const struct mr_engine *engine) {
  if (engine->renewed.first) return mr_clock_now(engine->clock);
  return engine->renewals ? engine->renewal_look_us : MR_NEVER;
}

void mr_renewals_close(struct mr_engine *engine, bool is_child) {
  while (engine->renewals) {
    struct mr_renewal *renewal = engine->renewals;
    if (is_child)
      mr_secret_command_leave(&renewal->command);
    else
      mr_secret_command_kill(&renewal->command, END_US);
    forget(engine, renewal);
  }
}
