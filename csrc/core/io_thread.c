/*
** The thread: it executes what the owner orders and has the inner transport wait and work, which a call of its
** wake ends.
**
** A fork copies the thread that forks and no other, with every lock as it stands. So before one all threads
** are asked to stand still between two turns, where they hold no lock of ours, of libcurl's or of the TLS
** library's, and the inner transport is whole: the child can give it up. That takes as long as a turn.
**
** At exit() they stand still for good, and before the handlers that were registered earlier: OpenSSL's takes away
** what a handshake in a thread is using.
*/
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bell.h"
#include "memory.h"
#include "thread_parts.h"

#define EXIT_PATIENCE_S 2 /* for a thread that hangs */
/* Before an inner transport that failed is driven again. */
#define FAILURE_PAUSE_US (100 * MR_MILLISECOND)

/* ---- what they tell each other ---- */

void mr_thread_ring(struct mr_transport *transport) {
  atomic_store_explicit(&transport->has_news, true, memory_order_release);
  if (transport->is_rung) return;
  transport->is_rung = true;
  mr_bell_ring(transport->bell);
}

void mr_thread_announce(struct mr_transport *transport, struct mr_parcel *parcel, bool ring) {
  if (parcel->mail.is_dropped) return;
  mr_parcels_add(&transport->news, MR_PLACE_NEWS, parcel);
  if (ring)
    mr_thread_ring(transport);
  else
    atomic_store_explicit(&transport->has_news, true, memory_order_release);
}

bool mr_thread_order(struct mr_transport *transport, struct mr_parcel *parcel, unsigned order) {
  bool must_wake = !transport->is_called;
  parcel->orders |= order;
  mr_parcels_add(&transport->orders, MR_PLACE_ORDERS, parcel);
  transport->is_called = true;
  return must_wake;
}

void mr_thread_wake(struct mr_transport *transport, bool must) {
  if (must) transport->type->wake(transport->inner);
}

/* ---- orders ---- */

static void fail_start(struct mr_parcel *parcel, enum mr_kind kind, struct mr_error *error) {
  struct mr_exchange_result result = {
      .kind = kind, .lasting = true, .timings = {-1, -1, -1, -1, -1, -1}, .error = *error};
  result.error.kind = kind;
  mr_thread_events.on_done(&parcel->exchange, &result);
}

static void start(struct mr_transport *transport, struct mr_parcel *parcel) {
  struct mr_error error = {0};
  parcel->lag_us = mr_clock_now(transport->clock) - parcel->ordered_us;
  enum mr_kind kind = transport->type->start(transport->inner, &parcel->exchange, &error);
  parcel->is_started = !kind;
  if (kind) fail_start(parcel, kind, &error);
}

static void drop(struct mr_transport *transport, struct mr_parcel *parcel) {
  if (parcel->is_started && !parcel->has_ended)
    transport->type->cancel(transport->inner, &parcel->exchange);
  mr_parcel_free(parcel);
}

static void execute(struct mr_transport *transport, struct mr_parcel *parcel, unsigned orders) {
  if (orders & MR_ORDER_DROP) {
    drop(transport, parcel);
    return;
  }
  if (orders & MR_ORDER_START) start(transport, parcel);
  if (orders & MR_ORDER_RESUME && parcel->is_started && !parcel->has_ended)
    transport->type->resume(transport->inner, &parcel->exchange);
}

/* The next parcel that something is ordered for, and what; NULL when there is none. */
static struct mr_parcel *next_order(struct mr_transport *transport, unsigned *orders) {
  pthread_mutex_lock(&transport->lock);
  struct mr_parcel *parcel = transport->orders.first;
  transport->is_called = false;
  if (parcel) {
    mr_parcels_remove(&transport->orders, MR_PLACE_ORDERS, parcel);
    *orders = parcel->orders;
    parcel->orders = 0;
  }
  pthread_mutex_unlock(&transport->lock);
  return parcel;
}

/* A route that is opened at the same address has been copied anew, so its parcels do not mind. */
static void close_routes(struct mr_transport *transport, struct mr_thread_route *route) {
  while (route) {
    struct mr_thread_route *next = route->next;
    transport->type->route_closed(transport->inner, &route->route);
    mr_thread_route_free(route);
    route = next;
  }
}

/* False when the thread is to end. Routes are closed after what came before: exchanges that they were open for. */
static bool take_orders(struct mr_transport *transport) {
  unsigned orders = 0;
  struct mr_letters spent = {0};
  pthread_mutex_lock(&transport->lock);
  struct mr_thread_route *closing = transport->closing;
  bool stopping = transport->is_stopping;
  transport->closing = NULL;
  mr_letters_move(&spent, &transport->spent);
  transport->spent_size = 0;
  pthread_mutex_unlock(&transport->lock);
  mr_letters_free(&spent);
  struct mr_parcel *parcel;
  while ((parcel = next_order(transport, &orders)))
    execute(transport, parcel, orders);
  close_routes(transport, closing);
  return !stopping;
}

/* ---- the turns ---- */

static void tell_failure(struct mr_transport *transport, const struct mr_error *error) {
  pthread_mutex_lock(&transport->lock);
  transport->failure = *error;
  transport->is_failed = true;
  mr_thread_ring(transport);
  pthread_mutex_unlock(&transport->lock);
  mr_clock_pass(FAILURE_PAUSE_US);
}

static void park(struct mr_transport *transport) {
  pthread_mutex_lock(&transport->gate);
  transport->is_parked = true;
  pthread_cond_broadcast(&transport->gate_moved);
  while (atomic_load(&transport->is_frozen))
    pthread_cond_wait(&transport->gate_moved, &transport->gate);
  transport->is_parked = false;
  pthread_mutex_unlock(&transport->gate);
}

static void leave(struct mr_transport *transport) {
  pthread_mutex_lock(&transport->gate);
  transport->is_gone = true;
  pthread_cond_broadcast(&transport->gate_moved);
  pthread_mutex_unlock(&transport->gate);
}

static void *work(void *argument) {
  struct mr_transport *transport = argument;
  while (take_orders(transport)) {
    struct mr_error error = {0};
    if (atomic_load(&transport->is_frozen)) park(transport);
    if (transport->type->step(transport->inner, MR_NEVER, &error) < 0)
      tell_failure(transport, &error);
  }
  leave(transport);
  return NULL;
}

/* ---- fork ---- */

/* Which threads there are, for fork and exit. */
static struct {
  pthread_mutex_t lock;
  struct mr_transport *first;
  bool is_ready; /* for a fork and an exit */
} threads = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void freeze(struct mr_transport *transport) {
  atomic_store(&transport->is_frozen, true);
  transport->type->wake(transport->inner);
}

static void wait_until_parked(struct mr_transport *transport) {
  pthread_mutex_lock(&transport->gate);
  while (!transport->is_parked && !transport->is_gone)
    pthread_cond_wait(&transport->gate_moved, &transport->gate);
  pthread_mutex_unlock(&transport->gate);
}

static void before_fork(void) {
  pthread_mutex_lock(&threads.lock);
  for (struct mr_transport *one = threads.first; one; one = one->next)
    freeze(one);
  for (struct mr_transport *one = threads.first; one; one = one->next)
    wait_until_parked(one);
}

static void after_fork_in_parent(void) {
  for (struct mr_transport *one = threads.first; one; one = one->next) {
    pthread_mutex_lock(&one->gate);
    atomic_store(&one->is_frozen, atomic_load(&one->is_left)); /* an exit's handlers may fork */
    pthread_cond_broadcast(&one->gate_moved);
    pthread_mutex_unlock(&one->gate);
  }
  pthread_mutex_unlock(&threads.lock);
}

static void after_fork_in_child(void) {
  threads.first = NULL;
  pthread_mutex_unlock(&threads.lock);
}

/* ---- exit ---- */

static void wait_a_little(struct mr_transport *transport) {
  struct timespec until;
  int problem = 0;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += EXIT_PATIENCE_S;
  pthread_mutex_lock(&transport->gate);
  while (!transport->is_parked && !transport->is_gone && !problem)
    problem = pthread_cond_timedwait(&transport->gate_moved, &transport->gate, &until);
  pthread_mutex_unlock(&transport->gate);
}

/* Who closes a transport after this leaves it as it is. */
static void at_exit(void) {
  pthread_mutex_lock(&threads.lock);
  for (struct mr_transport *one = threads.first; one; one = one->next) {
    atomic_store(&one->is_left, true);
    freeze(one);
  }
  for (struct mr_transport *one = threads.first; one; one = one->next)
    wait_a_little(one);
  pthread_mutex_unlock(&threads.lock);
}

/* ---- its life ---- */

static void get_ready(void) {
  if (threads.is_ready) return;
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
  atexit(at_exit);
  threads.is_ready = true;
}

static void enroll(struct mr_transport *transport) {
  pthread_mutex_lock(&threads.lock);
  get_ready();
  transport->next = threads.first;
  threads.first = transport;
  pthread_mutex_unlock(&threads.lock);
}

static void strike_off(struct mr_transport *transport) {
  pthread_mutex_lock(&threads.lock);
  struct mr_transport **place = &threads.first;
  while (*place && *place != transport)
    place = &(*place)->next;
  if (*place) *place = transport->next;
  pthread_mutex_unlock(&threads.lock);
}

/* All signals belong to the threads of the program: Ctrl-C must reach the one that runs Lua. */
enum mr_kind mr_thread_run(struct mr_transport *transport, struct mr_error *error) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int reason = pthread_create(&transport->thread, NULL, work, transport);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (reason)
    return mr_fail(error, MR_LIMIT, "cannot start a thread for the network: %s", strerror(reason));
  pthread_setname_np(transport->thread, "moonrest-io");
  enroll(transport);
  return MR_NONE;
}

bool mr_thread_end(struct mr_transport *transport) {
  if (atomic_load(&transport->is_left)) return false;
  pthread_mutex_lock(&transport->lock);
  transport->is_stopping = true;
  pthread_mutex_unlock(&transport->lock);
  transport->type->wake(transport->inner);
  pthread_join(transport->thread, NULL);
  strike_off(transport);
  return true;
}
