/*
** The transport over libcurl's multi interface: curl_multi_socket_action with an epoll set of our own,
** because curl_multi_perform walks over everything in flight each time. What of libcurl could wait, send
** twice or look at the environment is switched off in curl_pool.c.
**
** Deadlines are our own (exact, and libcurl's timers cost more); the time to connect is libcurl's, which
** divides it among the addresses of a host.
*/
#include "transport_curl.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "curl_parts.h"
#include "memory.h"

#define IDLE_CONNECTIONS 64
/* 7.88.0: CURLOPT_QUICK_EXIT and the CA cache came the version before; from this one on also TLS and
** HTTP/2 write through send() with MSG_NOSIGNAL, so that SIGPIPE needs no guard with CURLOPT_NOSIGNAL. */
#define OLDEST_VERSION 0x075800

/* ---- open and close ---- */

/* Never undone: another library of the process may use libcurl, and a module may be unloaded late. */
static void initialize(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

static pthread_once_t initialized = PTHREAD_ONCE_INIT;

static const char *find_ca_file(const curl_version_info_data *version) {
  static const char *const usual[] = {
      "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Alpine, Arch */
      "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
      "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* CentOS */
      "/etc/ssl/cert.pem",                                 /* macOS, BSD */
  };
  if (version->cainfo && access(version->cainfo, R_OK) == 0) return version->cainfo;
  for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
    if (access(usual[i], R_OK) == 0) return usual[i];
  return NULL;
}

static void set_multi(struct mr_transport *transport) {
  CURLM *multi = transport->multi;
  curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, mr_curl_on_socket);
  curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, transport);
  curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, mr_curl_on_timer);
  curl_multi_setopt(multi, CURLMOPT_TIMERDATA, transport);
  curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)transport->max_idle);
  curl_share_setopt(transport->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
  curl_share_setopt(transport->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

static void transport_close(struct mr_transport *transport) {
  while (transport->pools)
    mr_curl_pool_close(transport->pools);
  curl_multi_cleanup(transport->multi);
  curl_share_cleanup(transport->share);
  mr_timers_free(&transport->timers);
  mr_curl_loop_close(&transport->loop);
  mr_free(transport);
}

static struct mr_transport *make(const struct mr_transport_config *config, struct mr_error *error) {
  struct mr_transport *transport = mr_alloc_for("a transport", sizeof *transport, error);
  if (!transport) return NULL;
  transport->clock = config->clock;
  transport->max_idle =
      config->max_idle_connections ? config->max_idle_connections : IDLE_CONNECTIONS;
  transport->due_us = transport->spend_us = MR_NEVER;
  mr_timers_init(&transport->timers);
  if (mr_curl_loop_open(&transport->loop, error)) {
    mr_free(transport);
    return NULL;
  }
  return transport;
}

static struct mr_transport *transport_open(const struct mr_transport_config *config,
                                           struct mr_error *error) {
  pthread_once(&initialized, initialize);
  const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
  if (version->version_num < OLDEST_VERSION) {
    mr_fail(error, MR_LIMIT, "libcurl %s is too old: 7.88.0 or newer is needed", version->version);
    return NULL;
  }
  struct mr_transport *transport = make(config, error);
  if (!transport) return NULL;
  transport->ca_file = find_ca_file(version);
  transport->multi = curl_multi_init();
  transport->share = curl_share_init();
  if (transport->multi && transport->share) {
    set_multi(transport);
    return transport;
  }
  transport_close(transport);
  mr_fail(error, MR_LIMIT, "libcurl has no memory for a transport");
  return NULL;
}

/* What libcurl holds is shared with the parent process, down to the state of its TLS connections: the
** child forgets it all and closes only descriptors that are its own copies. */
static void transport_abandon(struct mr_transport *transport) {
  mr_curl_loop_abandon(&transport->loop);
}

static void transport_route_closed(struct mr_transport *transport, const struct mr_route *route) {
  struct mr_curl_pool *pool = mr_curl_pool_find(transport, route);
  if (pool) mr_curl_pool_close(pool);
  mr_curl_loop_hang_up(&transport->loop, route);
}

/* ---- the timer of a foreign loop ---- */

static int64_t transport_next_timer(struct mr_transport *transport) {
  if (transport->resuming.first || transport->launching.first) return 0;
  int64_t own_us = mr_timers_next_us(&transport->timers);
  return own_us < transport->due_us ? own_us : transport->due_us;
}

static void arm(struct mr_transport *transport) {
  if (!transport->foreign) return;
  int64_t now_us = mr_clock_now(transport->clock);
  mr_curl_loop_arm(&transport->loop, now_us, transport_next_timer(transport));
}

static int transport_descriptor(struct mr_transport *transport) {
  int64_t now_us = mr_clock_now(transport->clock);
  transport->foreign = true;
  if (!mr_curl_loop_arm(&transport->loop, now_us, transport_next_timer(transport))) return -1;
  return transport->loop.epoll;
}

/* ---- start and cancel ---- */

static bool is_waiting(const struct mr_curl_handle *handle) {
  return handle->progress.stage == MR_STAGE_WAITING;
}

/* Until when it waits for others to connect. libcurl has the same bound for those that it was given. */
static int64_t patience_us(const struct mr_curl_handle *handle) {
  int64_t timeout_us = handle->x->connect_timeout_us;
  if (!is_waiting(handle) || timeout_us <= 0) return MR_NEVER;
  return mr_time_after(handle->started_us, timeout_us);
}

/* The first of its deadline, the moment when, without a byte until then, it is idle, and the end of its patience. */
static int64_t alarm_us(const struct mr_curl_handle *handle) {
  const struct mr_exchange *x = handle->x;
  int64_t at_us = patience_us(handle);
  if (x->deadline_us < at_us) at_us = x->deadline_us;
  if (x->idle_timeout_us <= 0 || handle->progress.paused) return at_us;
  int64_t idle_us = mr_time_after(handle->active_us, x->idle_timeout_us);
  return idle_us < at_us ? idle_us : at_us;
}

static enum mr_kind set_alarm(struct mr_curl_handle *handle) {
  int64_t at_us = alarm_us(handle);
  if (at_us == MR_NEVER) return MR_NONE;
  return mr_timer_set(&handle->pool->transport->timers, &handle->timer, at_us);
}

static enum mr_kind prepare(struct mr_curl_handle *handle, struct mr_error *error) {
  struct mr_transport *transport = handle->pool->transport;
  handle->progress = (struct mr_curl_progress){0};
  handle->message[0] = '\0';
  handle->started_us = handle->active_us = mr_clock_now(transport->clock);
  enum mr_kind kind = mr_curl_setup(handle, error);
  if (kind) return kind;
  if (set_alarm(handle)) return mr_fail(error, MR_LIMIT, "out of memory for a timer");
  handle->progress.launching =
      true; /* given to libcurl at once, all would be sent by one call of it */
  mr_curl_line_add(&transport->launching, handle);
  return MR_NONE;
}

static enum mr_kind transport_start(struct mr_transport *transport, struct mr_exchange *x,
                                    struct mr_error *error) {
  struct mr_curl_handle *handle;
  enum mr_kind kind = mr_curl_pool_take(transport, x->route, &handle, error);
  if (kind) return kind;
  handle->x = x;
  kind = prepare(handle, error);
  if (kind) {
    mr_curl_pool_give(handle);
    return kind;
  }
  x->transport_data = handle;
  arm(transport);
  return MR_NONE;
}

/* On a connection that others still use libcurl 7.88 forgets to free what a paused exchange holds back, and would give
** it to the next one of the handle: it is handed over now, where nobody takes it. */
static void empty_paused(struct mr_curl_handle *handle) {
  if (!handle->progress.paused || !handle->multiplexed) return;
  if (curl_easy_pause(handle->easy, CURLPAUSE_CONT) == CURLE_BAD_FUNCTION_ARGUMENT)
    handle->spoilt = true; /* it has no connection any more */
}

/* Takes the handle off everything. No callback of libcurl's reaches the exchange any more. */
static void detach(struct mr_curl_handle *handle) {
  struct mr_transport *transport = handle->pool->transport;
  handle->x->transport_data = NULL;
  handle->x = NULL;
  mr_timer_clear(&transport->timers, &handle->timer);
  if (handle->progress.resume_asked) mr_curl_line_leave(&transport->resuming, handle);
  if (handle->progress.launching) mr_curl_line_leave(&transport->launching, handle);
  mr_curl_entry_leave(handle);
  empty_paused(handle);
  curl_multi_remove_handle(transport->multi, handle->easy);
}

static void transport_cancel(struct mr_transport *transport, struct mr_exchange *x) {
  struct mr_curl_handle *handle = x->transport_data;
  detach(handle);
  mr_curl_pool_give(handle);
  arm(transport);
}

static void transport_resume(struct mr_transport *transport, struct mr_exchange *x) {
  struct mr_curl_handle *handle = x->transport_data;
  handle->progress.pause_wanted = false;
  if (!handle->progress.paused || handle->progress.resume_asked) return;
  handle->progress.resume_asked = true;
  mr_curl_line_add(&transport->resuming, handle);
  arm(transport);
}

/* ---- step ---- */

/* On another version of HTTP. Nothing of it was sent. */
static void start_over(struct mr_curl_handle *handle) {
  struct mr_transport *transport = handle->pool->transport;
  curl_multi_remove_handle(transport->multi, handle->easy);
  handle->message[0] = '\0';
  handle->progress = (struct mr_curl_progress){.launching = true};
  mr_curl_origin_versions(handle);
  mr_curl_setup_patience(handle, transport->now_us - handle->started_us);
  mr_curl_line_add(&transport->launching, handle);
}

static void finish(struct mr_curl_handle *handle, CURLcode code) {
  struct mr_exchange *x = handle->x;
  struct mr_exchange_result result;
  if (mr_curl_origin_refuses(handle, code)) {
    start_over(handle);
    return;
  }
  mr_curl_result(handle, code, &result);
  handle->spoilt = result.kind && handle->newer; /* may believe the next one refused as well */
  handle->pool->transport->ended++;
  detach(handle);
  mr_curl_pool_give(handle);
  x->events->on_done(x, &result);
}

static void launch(struct mr_curl_handle *handle) {
  struct mr_transport *transport = handle->pool->transport;
  mr_curl_line_leave(&transport->launching, handle);
  handle->progress.launching = false;
  if (mr_curl_entry_waits(handle)) {
    if (is_waiting(handle))
      set_alarm(handle); /* without memory for it the alarm that is set stays */
    return;
  }
  if (curl_multi_add_handle(transport->multi, handle->easy)) finish(handle, CURLE_OUT_OF_MEMORY);
}

/* libcurl may deliver what it held back from inside curl_easy_pause. */
static void resume_paused(struct mr_curl_handle *handle) {
  struct mr_transport *transport = handle->pool->transport;
  mr_curl_line_leave(&transport->resuming, handle);
  handle->progress.resume_asked = false;
  handle->progress.paused = false;
  handle->active_us = transport->now_us;
  set_alarm(handle); /* without memory for it the alarm that is set stays */
  CURLcode code = curl_easy_pause(handle->easy, CURLPAUSE_CONT);
  if (code) finish(handle, code);
}

/* On a connection that several exchanges share, only the count tells that an upload moves. */
static void look_at_upload(struct mr_curl_handle *handle, int64_t now_us) {
  curl_off_t sent = 0;
  curl_easy_getinfo(handle->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  if (sent == handle->progress.uploaded) return;
  handle->progress.uploaded = sent;
  handle->active_us = now_us;
}

static void ring(struct mr_curl_handle *handle, int64_t now_us) {
  struct mr_curl_progress *progress = &handle->progress;
  progress->late = now_us >= handle->x->deadline_us;
  bool over = progress->late || patience_us(handle) <= now_us;
  if (!over) {
    bool connecting = progress->phase < MR_PHASE_SEND;
    if (connecting)
      handle->active_us = now_us; /* that time has its own bound */
    else if (handle->multiplexed)
      look_at_upload(handle, now_us);
    over = progress->idle = alarm_us(handle) <= now_us;
  }
  if (over)
    finish(handle, CURLE_OPERATION_TIMEDOUT);
  else
    set_alarm(handle); /* into the place that it was just taken from */
}

static void ring_due(struct mr_transport *transport) {
  struct mr_timer *timer;
  while ((timer = mr_timers_due(&transport->timers, transport->now_us)))
    ring(timer->owner, transport->now_us);
}

static void reap(struct mr_transport *transport) {
  int left;
  CURLMsg *message = curl_multi_info_read(transport->multi, &left);
  if (message) transport->now_us = mr_clock_now(transport->clock);
  for (; message; message = curl_multi_info_read(transport->multi, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    struct mr_curl_handle *handle = NULL;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&handle);
    finish(handle, code);
  }
}

static CURLMcode act(struct mr_transport *transport, curl_socket_t descriptor, int select) {
  int running;
  transport->acts++;
  return curl_multi_socket_action(transport->multi, descriptor, select, &running);
}

/* What libcurl's own timers and whatever was just given to it want. */
static CURLMcode run_timers(struct mr_transport *transport) {
  CURLMcode code = CURLM_OK;
  if (transport->due_us <= transport->now_us) {
    transport->due_us = MR_NEVER;
    code = act(transport, CURL_SOCKET_TIMEOUT, 0);
  }
  reap(transport);
  ring_due(transport);
  return code;
}

/* What is due without waiting. Who comes onto a shared connection lets in the next one that waits for it: of these go so
** many as answers are taken at a time. */
static CURLMcode run_due(struct mr_transport *transport) {
  CURLMcode code = CURLM_OK;
  while (transport->resuming.first)
    resume_paused(transport->resuming.first);
  for (int round = 0; round == 0 || (transport->launching.first && round < MR_CURL_BATCH);
       round++) {
    while (transport->launching.first)
      launch(transport->launching.first);
    code = run_timers(transport);
    if (code) break;
  }
  return code;
}

static CURLMcode run_events(struct mr_transport *transport, const struct mr_curl_event *events,
                            int count) {
  CURLMcode code = CURLM_OK;
  for (int i = 0; i < count && code == CURLM_OK; i++)
    code = act(transport, events[i].descriptor, events[i].select);
  return code;
}

static int64_t wait_us(struct mr_transport *transport, int64_t until_us) {
  int64_t next_us = transport_next_timer(transport);
  if (until_us < next_us) next_us = until_us;
  if (next_us == MR_NEVER) return MR_NEVER;
  return next_us > transport->now_us ? next_us - transport->now_us : 0;
}

enum { STEP_FAILED = -1 };

static int fail_step(struct mr_error *error, const char *reason) {
  mr_fail(error, MR_NETWORK, "the network loop failed: %s; open a new client", reason);
  return STEP_FAILED;
}

static int run_until(struct mr_transport *transport, int64_t until_us, struct mr_error *error) {
  struct mr_curl_event events[MR_CURL_BATCH];
  bool woken = false, waited = false;
  for (;;) {
    CURLMcode code = run_due(transport);
    if (code && !transport->ended) return fail_step(error, curl_multi_strerror(code));
    bool over = waited && transport->now_us >= until_us;
    if (transport->ended || transport->told || woken || over) return transport->ended;
    int count = mr_curl_loop_wait(&transport->loop, transport->clock, wait_us(transport, until_us),
                                  events, MR_CURL_BATCH, &woken, &transport->now_us);
    if (count < 0) return fail_step(error, "waiting for descriptors");
    waited = true;
    code = run_events(transport, events, count);
    if (code) return fail_step(error, curl_multi_strerror(code));
  }
}

enum sort { SORT_RESUME, SORT_LAUNCH, SORT_EVENT, SORTS };

/* One piece of work, if there is any of that sort. */
static CURLMcode run_piece(struct mr_transport *transport, enum sort sort, bool *found) {
  struct mr_curl_handle *resumed = transport->resuming.first;
  struct mr_curl_handle *launched = transport->launching.first;
  struct mr_curl_event event;
  bool woken = false;
  transport->turn_left = MR_CURL_TURN_BYTES;
  if (sort == SORT_EVENT) {
    int count = mr_curl_loop_wait(&transport->loop, transport->clock, 0, &event, 1, &woken,
                                  &transport->now_us);
    *found = count > 0;
    return count < 0 ? CURLM_INTERNAL_ERROR : run_events(transport, &event, count);
  }
  *found = sort == SORT_RESUME ? resumed != NULL : launched != NULL;
  if (!*found) return CURLM_OK;
  if (sort == SORT_RESUME)
    resume_paused(resumed);
  else
    launch(launched);
  return run_timers(transport);
}

/* As much as there is time for, and one piece at least; a later step goes on where this one stopped. */
static int run_bounded(struct mr_transport *transport, struct mr_error *error) {
  int64_t end_us = mr_time_after(transport->now_us, transport->spend_us);
  transport->turn_left = MR_CURL_TURN_BYTES; /* libcurl reads in its timers as well */
  CURLMcode code = run_timers(transport);
  for (int idle = 0; idle < SORTS && !code;) {
    bool found;
    code = run_piece(transport, (enum sort)transport->next_sort, &found);
    transport->next_sort = (transport->next_sort + 1) % SORTS;
    idle = found ? 0 : idle + 1;
    if (!found) continue;
    transport->now_us = mr_clock_now(transport->clock);
    if (transport->now_us >= end_us) break;
  }
  reap(transport);
  if (code && !transport->ended) return fail_step(error, curl_multi_strerror(code));
  return transport->ended;
}

static int transport_step(struct mr_transport *transport, int64_t timeout_us,
                          struct mr_error *error) {
  transport->now_us = mr_clock_now(transport->clock);
  transport->ended = 0;
  transport->told = false;
  bool bounded = timeout_us <= 0 && transport->spend_us != MR_NEVER;
  transport->turn_left = SIZE_MAX;
  int64_t until_us = mr_time_after(transport->now_us, timeout_us);
  int ended = bounded ? run_bounded(transport, error) : run_until(transport, until_us, error);
  arm(transport);
  return ended;
}

static void transport_bound(struct mr_transport *transport, int64_t spend_us) {
  transport->spend_us = spend_us;
}

static void transport_wake(struct mr_transport *transport) {
  mr_curl_loop_wake(&transport->loop);
}

const struct mr_transport_type mr_transport_curl = {
    .version = MR_TRANSPORT_VERSION,
    .name = "curl",
    .open = transport_open,
    .close = transport_close,
    .start = transport_start,
    .cancel = transport_cancel,
    .resume = transport_resume,
    .step = transport_step,
    .wake = transport_wake,
    .descriptor = transport_descriptor,
    .next_timer_us = transport_next_timer,
    .route_closed = transport_route_closed,
    .abandon = transport_abandon,
    .bound = transport_bound,
};
