/*
** What the parts of the engine know of each other: engine.c holds the loop, hop.c sends and
** receives, judge.c decides what an answer means, renewal.c has commands bring credentials. Nobody else includes this.
*/
#ifndef MR_ENGINE_PARTS_H
#define MR_ENGINE_PARTS_H

#include "engine.h"
#include "fork_mark.h"

#define MR_EVENTS_KEPT 64

struct mr_engine {
  struct mr_paced_clock pace;   /* read when a call comes in, and around the transport's work */
  const struct mr_clock *clock; /* of 'pace' */
  struct mr_limiter *limiter;
  struct mr_queue *queue;
  struct mr_retry_budget *budget;
  const struct mr_transport_type *type;
  struct mr_transport *transport;
  enum mr_io io;
  struct mr_timers timers;
  struct mr_random random;
  struct mr_request_list active;   /* throttled, on the wire, waiting */
  struct mr_request_list ended;    /* their exchange is over: to be judged */
  struct mr_request_list asking;   /* their owner must say what the body means */
  struct mr_request_list renewing; /* they wait for a credential's command */
  struct mr_request_list renewed;  /* whose command has ended: to be sent again, or to fail */
  struct mr_request_list finished; /* tagged ones, until they are picked up */
  /* Tagged streams with something to read, until they are picked up. */
  struct mr_request *first_news, *last_news;
  struct mr_renewal *renewals;
  int64_t renewal_look_us; /* when they are looked at next */
  uint32_t pending;
  int progress;            /* of the current step */
  int64_t spend_us;        /* the bound of steps, MR_NEVER: none */
  int64_t starts_until_us; /* in this step no further grant is acted upon; MR_NEVER: all are */
  uint32_t event_first, event_count;
  struct mr_error trouble; /* of the limiter, as was told last */
  struct mr_fork_mark mark;
  struct mr_event events[MR_EVENTS_KEPT];
};

/* There is something new to read of the request, a stream. */
void mr_engine_news(struct mr_engine *engine, struct mr_request *request);
void mr_engine_forget_news(struct mr_engine *engine, struct mr_request *request);

/* The event, for what else there is to say in it. */
struct mr_event *mr_engine_tell(struct mr_engine *engine, const struct mr_request *request,
                                enum mr_event_kind kind, int64_t wait_us, const char *reason);

/* Puts the request into the limiter's queue for its next hop, or sends it at once. */
void mr_hop_enter(struct mr_engine *engine, struct mr_request *request, bool jump);
void mr_hop_send(struct mr_engine *engine, struct mr_request *request); /* its ticket is granted */

void mr_judge_ended(struct mr_engine *engine, struct mr_request *request);
void mr_judge_reread(struct mr_engine *engine, struct mr_request *request); /* goes on reading */
/* Gives back what the request holds. Of one that fails the error is filled in. */
void mr_judge_finish(struct mr_engine *engine, struct mr_request *request, enum mr_state state);

/* Has the request wait for a command that brings that credential, for the one that runs already if there is one. False:
** it cannot be started. */
bool mr_renewal_join(struct mr_engine *engine, struct mr_request *request,
                     struct mr_secret *secret);
/* The request waits no more. A command that nobody waits for is killed. */
void mr_renewal_leave(struct mr_engine *engine, struct mr_request *request);
void mr_renewal_late(struct mr_engine *engine, struct mr_request *request); /* its time is up */
/* Never waits. Whose command has ended is in 'renewed' afterwards. */
void mr_renewals_look(struct mr_engine *engine);
int64_t mr_renewals_wake_us(const struct mr_engine *engine); /* MR_NEVER: none */
/* Nobody waits any more. Of the parent's commands a child of fork frees the memory and its descriptors. */
void mr_renewals_close(struct mr_engine *engine, bool is_child);

#endif
