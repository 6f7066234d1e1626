/*
** The owner's side. A step takes the news of all exchanges at once and then gives them out in slices, one
** exchange after the other, so that a megabyte neither costs a frame nor holds up what is small.
**
** What differs from a transport without a thread: an exchange that cannot be started ends with on_done, as
** start does not wait for an answer; and the body of an answer is behind by what waits here.
*/
#include "transport_thread.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bell.h"
#include "memory.h"
#include "thread_parts.h"

/* What one step gives out: bytes, and events that cost about as much as so many bytes. */
#define STEP_SIZE  (64u * 1024)
#define SLICE_SIZE (16u * 1024) /* of one body, before the next has its turn */
/* The same in a step that is to end soon, of what is kept in memory: neither is it in the processor's caches, nor are there
** pages for it yet. */
#define BOUNDED_SLICE_SIZE (4u * 1024)
#define EVENT_COST         2048u

#define SPENT_MAX (64u * 1024) /* bytes that the thread is woken for, to free them */

/* ---- open and close ---- */

static void free_instance(struct mr_transport *transport) {
  if (transport->inner) transport->type->close(transport->inner);
  if (transport->bell >= 0) close(transport->bell);
  while (transport->routes) {
    struct mr_thread_route *route = transport->routes;
    transport->routes = route->next;
    mr_thread_route_free(route);
  }
  mr_letters_free(&transport->spent);
  pthread_cond_destroy(&transport->gate_moved);
  pthread_mutex_destroy(&transport->gate);
  pthread_mutex_destroy(&transport->lock);
  mr_free(transport);
}

static struct mr_transport *make(const struct mr_transport_config *config, struct mr_error *error) {
  struct mr_transport *transport = mr_alloc_for("a transport", sizeof *transport, error);
  if (!transport) return NULL;
  transport->clock = config->clock;
  transport->type = config->inner;
  transport->spend_us = MR_NEVER;
  pthread_mutex_init(&transport->lock, NULL);
  pthread_mutex_init(&transport->gate, NULL);
  pthread_cond_init(&transport->gate_moved, NULL);
  transport->bell = mr_bell_open();
  return transport;
}

/* The inner one is opened here, so that what is wrong with it is told at once. */
static struct mr_transport *thread_open(const struct mr_transport_config *config,
                                        struct mr_error *error) {
  struct mr_transport_config inner = *config;
  struct mr_transport *transport = make(config, error);
  if (!transport) return NULL;
  inner.inner = NULL;
  if (transport->bell < 0)
    mr_fail(error, MR_LIMIT, "cannot open a descriptor for the network thread: %s",
            strerror(errno));
  else
    transport->inner = transport->type->open(&inner, error);
  if (transport->inner && !mr_thread_run(transport, error)) return transport;
  free_instance(transport);
  return NULL;
}

static void thread_close(struct mr_transport *transport) {
  if (mr_thread_end(transport)) free_instance(transport);
}

/* The thread stands still between two turns, or never was: see io_thread.c. Its memory is left as it is. */
static void thread_abandon(struct mr_transport *transport) {
  transport->type->abandon(transport->inner);
  close(transport->bell);
}

static void thread_route_closed(struct mr_transport *transport, const struct mr_route *original) {
  struct mr_thread_route **place = &transport->routes;
  while (*place && (*place)->original != original)
    place = &(*place)->next;
  struct mr_thread_route *route = *place;
  if (!route) return;
  *place = route->next;
  pthread_mutex_lock(&transport->lock);
  route->next = transport->closing;
  transport->closing = route;
  pthread_mutex_unlock(&transport->lock);
  mr_thread_wake(transport, true);
}

/* ---- start and cancel ---- */

static void order(struct mr_parcel *parcel, unsigned what) {
  struct mr_transport *transport = parcel->transport;
  pthread_mutex_lock(&transport->lock);
  bool must_wake = mr_thread_order(transport, parcel, what);
  pthread_mutex_unlock(&transport->lock);
  mr_thread_wake(transport, must_wake);
}

static enum mr_kind thread_start(struct mr_transport *transport, struct mr_exchange *x,
                                 struct mr_error *error) {
  struct mr_parcel *parcel = mr_parcel_new(transport, x);
  if (!parcel) return mr_fail(error, MR_LIMIT, "out of memory for the request");
  x->transport_data = parcel;
  order(parcel, MR_ORDER_START);
  return MR_NONE;
}

/* Afterwards the parcel is the thread's alone. One that the thread has nothing to do for waits until it is woken for
** something else. Returns whether its request has left, and when. */
static bool drop(struct mr_parcel *parcel, bool at_once, int64_t *left_us) {
  struct mr_transport *transport = parcel->transport;
  parcel->x->transport_data = NULL;
  mr_parcels_remove(&transport->ready, MR_PLACE_READY, parcel);
  mr_parcels_remove(&transport->held, MR_PLACE_HELD, parcel);
  pthread_mutex_lock(&transport->lock);
  bool left = parcel->mail.is_sent;
  *left_us = parcel->mail.sent_us;
  parcel->mail.is_dropped = true;
  mr_parcels_remove(&transport->news, MR_PLACE_NEWS, parcel);
  bool was_called = transport->is_called;
  bool must_wake = mr_thread_order(transport, parcel, MR_ORDER_DROP) && at_once;
  if (!at_once) transport->is_called = was_called;
  pthread_mutex_unlock(&transport->lock);
  mr_thread_wake(transport, must_wake);
  return left;
}

static void thread_cancel(struct mr_transport *transport, struct mr_exchange *x) {
  struct mr_parcel *parcel = x->transport_data;
  bool sent_given = parcel->sent_given;
  int64_t left_us;
  (void)transport;
  if (drop(parcel, true, &left_us) && !sent_given) x->events->on_sent(x, left_us);
}

static bool is_held(const struct mr_parcel *parcel) {
  return parcel->links[MR_PLACE_HELD].is_in;
}

static void thread_resume(struct mr_transport *transport, struct mr_exchange *x) {
  struct mr_parcel *parcel = x->transport_data;
  parcel->pause_wanted = false;
  if (!is_held(parcel)) return;
  mr_parcels_remove(&transport->held, MR_PLACE_HELD, parcel);
  mr_parcels_add(&transport->ready, MR_PLACE_READY, parcel);
  if (!transport->foreign) return;
  pthread_mutex_lock(&transport->lock);
  mr_thread_ring(transport);
  pthread_mutex_unlock(&transport->lock);
}

/* ---- giving out ---- */

static void finish(struct mr_parcel *parcel, const struct mr_exchange_result *result) {
  struct mr_exchange *x = parcel->x;
  struct mr_exchange_result copy = *result;
  int64_t left_us;
  parcel->transport->ended++;
  drop(parcel, result != &parcel->result, &left_us);
  x->events->on_done(x, &copy);
}

/* Of an exchange that is ended from this side. The wire may have brought the whole answer meanwhile: then it is known
** how. */
static void end_here(struct mr_parcel *parcel, enum mr_kind kind, const char *reason) {
  struct mr_exchange_result result = {.timings = {-1, -1, -1, -1, -1, -1}};
  if (parcel->is_over) result = parcel->result;
  result.status = parcel->given_status;
  result.phase = MR_PHASE_RECEIVE;
  result.kind = mr_fail(&result.error, kind, "%s", reason);
  finish(parcel, &result);
}

/* An event wants no more. */
static void stop(struct mr_parcel *parcel) {
  end_here(parcel, parcel->x->stop_kind, "stopped while the server answered");
}

static void give_sent(struct mr_parcel *parcel) {
  struct mr_exchange *x = parcel->x;
  if (parcel->sent_given || parcel->left_us < 0) return;
  parcel->sent_given = true;
  parcel->transport->told |= !x->sends_quietly;
  x->events->on_sent(x, parcel->left_us);
}

/* With the lock. Whether the thread must be woken: it frees what it is through with when it looks anyway. */
static bool spend(struct mr_transport *transport, struct mr_letter *letter) {
  transport->spent_size += letter->kind == MR_LETTER_BLOCK ? letter->block.capacity : letter->size;
  mr_letters_add(&transport->spent, letter);
  bool must_wake = transport->spent_size > SPENT_MAX && !transport->is_called;
  transport->is_called |= must_wake;
  return must_wake;
}

/* What of the letter has been given may leave the mail, and let the wire go on. */
static void done_with(struct mr_parcel *parcel, struct mr_letter *letter) {
  struct mr_transport *transport = parcel->transport;
  size_t window = parcel->x->bulk ? MR_MAIL_WINDOW_BULK : MR_MAIL_WINDOW;
  bool must_wake = false;
  pthread_mutex_lock(&transport->lock);
  parcel->mail.waiting -= sizeof *letter + letter->size;
  if (letter->kind == MR_LETTER_HEAD) parcel->mail.awaited = (int64_t)parcel->x->awaited;
  if (parcel->mail.is_paused && parcel->mail.waiting <= window / 2) {
    parcel->mail.is_paused = false;
    must_wake = mr_thread_order(transport, parcel, MR_ORDER_RESUME);
  }
  must_wake |= spend(transport, letter);
  pthread_mutex_unlock(&transport->lock);
  mr_thread_wake(transport, must_wake);
}

/* Notes a wish to pause. False: the event wants no more, and the parcel is gone. */
static bool goes_on(struct mr_parcel *parcel, enum mr_flow flow) {
  if (flow == MR_FLOW_PAUSE) parcel->pause_wanted = true;
  if (flow == MR_FLOW_STOP) stop(parcel);
  return flow != MR_FLOW_STOP;
}

/* False: the parcel is gone. */
static bool give_head(struct mr_parcel *parcel, const struct mr_letter *letter) {
  struct mr_exchange *x = parcel->x;
  const struct mr_exchange_events *events = x->events;
  const char *line = letter->bytes, *end = letter->bytes + letter->size;
  parcel->given_status = letter->status;
  bool on = goes_on(parcel, events->on_status(x, letter->status));
  while (on && line < end) {
    const char *next = memchr(line, '\n', (size_t)(end - line));
    on = goes_on(parcel, events->on_header(x, line, (size_t)(next - line)));
    line = next + 1;
  }
  if (on && letter->is_whole) on = goes_on(parcel, events->on_headers_end(x, letter->at_us));
  if (!on) return false;
  done_with(parcel, mr_letters_take(&parcel->letters));
  return true;
}

static size_t slice_size(const struct mr_parcel *parcel) {
  bool is_bounded = parcel->transport->spend_us != MR_NEVER;
  return is_bounded && !parcel->x->bulk ? BOUNDED_SLICE_SIZE : SLICE_SIZE;
}

/* The letter then holds what the owner had instead. */
static bool give_block(struct mr_parcel *parcel, struct mr_letter *letter) {
  struct mr_exchange *x = parcel->x;
  bool is_taken = letter->kind == MR_LETTER_BLOCK && letter->used == 0 && !parcel->pause_wanted &&
                  x->events->on_block(x, &letter->block);
  if (is_taken) done_with(parcel, mr_letters_take(&parcel->letters));
  return is_taken;
}

/* False: the parcel is gone. Adds the bytes to what this costs. */
static bool give_body(struct mr_parcel *parcel, struct mr_letter *letter, size_t *cost) {
  struct mr_exchange *x = parcel->x;
  size_t size = letter->size - letter->used, most = slice_size(parcel);
  const char *bytes = letter->kind == MR_LETTER_BLOCK ? letter->block.data : letter->bytes;
  if (give_block(parcel, letter)) return true;
  if (size > most) size = most;
  enum mr_flow flow = MR_FLOW_PAUSE;
  if (!parcel->pause_wanted) flow = x->events->on_body(x, bytes + letter->used, size);
  parcel->pause_wanted = false;
  if (flow == MR_FLOW_PAUSE) mr_parcels_add(&parcel->transport->held, MR_PLACE_HELD, parcel);
  if (flow == MR_FLOW_STOP) stop(parcel);
  if (flow != MR_FLOW_ON) return flow == MR_FLOW_PAUSE;
  *cost += size;
  letter->used += size;
  if (letter->used == letter->size) done_with(parcel, mr_letters_take(&parcel->letters));
  return true;
}

/* Reads the next piece of the request's body for the thread. Returns its size. */
static size_t feed(struct mr_parcel *parcel) {
  struct mr_exchange *x = parcel->x;
  struct mr_transport *transport = parcel->transport;
  int64_t left = x->body_size - parcel->asked, count = 1;
  size_t room = left < MR_FEED_SIZE ? (size_t)left : MR_FEED_SIZE;
  struct mr_letter *letter = room > 0 ? mr_letter_new(MR_LETTER_FEED, room) : NULL;
  parcel->wants_feed = room > 0 && !letter; /* without memory it is tried again */
  if (!letter) return 0;
  letter->size = 0;
  while (letter->size < room && count > 0) {
    count = x->events->on_read(x, letter->bytes + letter->size, room - letter->size);
    if (count > 0) letter->size += (size_t)count;
  }
  parcel->asked += (int64_t)letter->size;
  letter->ends = count <= 0 || parcel->asked == x->body_size;
  letter->failed = count < 0;
  pthread_mutex_lock(&transport->lock);
  mr_letters_add(&parcel->mail.feed, letter);
  bool must_wake = mr_thread_order(transport, parcel, MR_ORDER_RESUME);
  pthread_mutex_unlock(&transport->lock);
  mr_thread_wake(transport, must_wake);
  return room;
}

/* Gives out a little of what there is. Returns what that cost, in bytes. */
static size_t give(struct mr_parcel *parcel) {
  struct mr_transport *transport = parcel->transport;
  struct mr_letter *letter = parcel->letters.first;
  size_t cost = EVENT_COST;
  bool stays = true;
  give_sent(parcel);
  if (parcel->is_over && !letter) {
    finish(parcel, &parcel->result);
    stays = false;
  } else if (parcel->wants_feed) {
    cost += feed(parcel);
  } else if (letter && letter->kind == MR_LETTER_HEAD) {
    stays = give_head(parcel, letter);
  } else if (letter && !is_held(parcel)) {
    stays = give_body(parcel, letter, &cost);
  } else {
    return cost;
  }
  transport->told = true;
  if (stays) mr_parcels_add(&transport->ready, MR_PLACE_READY, parcel);
  return cost;
}

static void give_out(struct mr_transport *transport) {
  size_t cost = 0;
  bool timed = transport->spend_us != MR_NEVER;
  int64_t until_us = timed ? mr_clock_now(transport->clock) + transport->spend_us : MR_NEVER;
  while (transport->ready.first && cost < STEP_SIZE) {
    struct mr_parcel *parcel = transport->ready.first;
    mr_parcels_remove(&transport->ready, MR_PLACE_READY, parcel);
    cost += give(parcel);
    if (timed && mr_clock_now(transport->clock) >= until_us) return;
  }
}

/* ---- deadlines ---- */

static int64_t held_until_us(const struct mr_transport *transport) {
  int64_t until_us = MR_NEVER;
  for (const struct mr_parcel *one = transport->held.first; one;
       one = one->links[MR_PLACE_HELD].next)
    if (one->x->deadline_us < until_us) until_us = one->x->deadline_us;
  return until_us;
}

/* The wire may be through with what its owner has paused: its deadline goes on all the same. */
static void end_late(struct mr_transport *transport) {
  if (!transport->held.first) return;
  int64_t now_us = mr_clock_now(transport->clock);
  struct mr_parcel *next;
  for (struct mr_parcel *one = transport->held.first; one; one = next) {
    next = one->links[MR_PLACE_HELD].next;
    if (one->x->deadline_us > now_us) continue;
    end_here(one, MR_TIMEOUT, "time was up while the answer waited to be read");
  }
}

/* ---- step ---- */

static void take(struct mr_transport *transport, struct mr_parcel *parcel) {
  mr_parcels_remove(&transport->news, MR_PLACE_NEWS, parcel);
  mr_letters_move(&parcel->letters, &parcel->mail.letters);
  parcel->left_us = parcel->mail.is_sent ? parcel->mail.sent_us : -1;
  parcel->wants_feed |= parcel->mail.wants_feed;
  parcel->mail.wants_feed = false;
  parcel->is_over = parcel->mail.is_over;
  mr_parcels_add(&transport->ready, MR_PLACE_READY, parcel);
}

/* Returns whether the step is to end. */
static bool collect(struct mr_transport *transport, struct mr_error *failure) {
  if (!atomic_load_explicit(&transport->has_news, memory_order_acquire)) return false;
  pthread_mutex_lock(&transport->lock);
  atomic_store_explicit(&transport->has_news, false, memory_order_relaxed);
  if (transport->is_rung) mr_bell_drain(transport->bell);
  transport->is_rung = false;
  while (transport->news.first)
    take(transport, transport->news.first);
  bool over = transport->is_woken || transport->is_failed;
  if (transport->is_failed) *failure = transport->failure;
  transport->is_woken = transport->is_failed = false;
  pthread_mutex_unlock(&transport->lock);
  return over;
}

/* False when a signal came: whoever called decides what it means. */
static bool wait(struct mr_transport *transport, int64_t until_us) {
  struct pollfd bell = {.fd = transport->bell, .events = POLLIN};
  int64_t held_us = held_until_us(transport), wait_us = MR_NEVER;
  if (held_us < until_us) until_us = held_us;
  if (until_us != MR_NEVER) wait_us = until_us - mr_clock_now(transport->clock);
  return poll(&bell, 1, mr_bell_patience_ms(wait_us)) >= 0 || errno != EINTR;
}

/* What a step leaves over must wake a foreign loop again. */
static void ring_for_rest(struct mr_transport *transport) {
  if (!transport->foreign || !transport->ready.first) return;
  pthread_mutex_lock(&transport->lock);
  mr_thread_ring(transport);
  pthread_mutex_unlock(&transport->lock);
}

static int thread_step(struct mr_transport *transport, int64_t timeout_us, struct mr_error *error) {
  struct mr_error failure = {0};
  int64_t until_us = 0;
  bool over = false, waited = timeout_us <= 0;
  transport->ended = 0;
  transport->told = false;
  if (!waited) until_us = mr_time_after(mr_clock_now(transport->clock), timeout_us);
  for (;;) {
    over |= collect(transport, &failure);
    give_out(transport);
    end_late(transport);
    if (over || waited || transport->ended || transport->told) break;
    if (transport->ready.first) continue;
    over = !wait(transport, until_us);
    waited = until_us != MR_NEVER && mr_clock_now(transport->clock) >= until_us;
  }
  ring_for_rest(transport);
  if (!failure.kind || transport->ended) return transport->ended;
  *error = failure;
  return -1;
}

static void thread_wake(struct mr_transport *transport) {
  pthread_mutex_lock(&transport->lock);
  transport->is_woken = true;
  mr_thread_ring(transport);
  pthread_mutex_unlock(&transport->lock);
}

static uint64_t thread_arrived(struct mr_transport *transport, const struct mr_exchange *x) {
  const struct mr_parcel *parcel = x->transport_data;
  (void)transport;
  return parcel ? atomic_load_explicit(&parcel->arrived, memory_order_relaxed) : 0;
}

static bool thread_discard(struct mr_transport *transport, struct mr_buffer *buffer) {
  struct mr_letter *letter = mr_letter_new(MR_LETTER_BLOCK, 0);
  if (!letter) return false;
  letter->block = *buffer;
  mr_buffer_init(buffer, letter->block.limit);
  pthread_mutex_lock(&transport->lock);
  bool must_wake = spend(transport, letter);
  pthread_mutex_unlock(&transport->lock);
  mr_thread_wake(transport, must_wake);
  return true;
}

static void thread_bound(struct mr_transport *transport, int64_t spend_us) {
  transport->spend_us = spend_us;
}

/* ---- foreign loops ---- */

static int thread_descriptor(struct mr_transport *transport) {
  transport->foreign = true;
  ring_for_rest(transport);
  return transport->bell;
}

/* Other deadlines are the thread's. */
static int64_t thread_next_timer(struct mr_transport *transport) {
  return transport->ready.first ? 0 : held_until_us(transport);
}

const struct mr_transport_type mr_transport_thread = {
    .version = MR_TRANSPORT_VERSION,
    .name = "thread",
    .open = thread_open,
    .close = thread_close,
    .start = thread_start,
    .cancel = thread_cancel,
    .resume = thread_resume,
    .step = thread_step,
    .wake = thread_wake,
    .descriptor = thread_descriptor,
    .next_timer_us = thread_next_timer,
    .route_closed = thread_route_closed,
    .abandon = thread_abandon,
    .bound = thread_bound,
    .arrived = thread_arrived,
    .discard = thread_discard,
};
