/*
** Descriptors: one epoll set for libcurl's sockets, an eventfd that other threads ring and, for foreign
** event loops, a timerfd, so that one descriptor tells everything.
*/
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bell.h"
#include "curl_parts.h"
#include "descriptor.h"
#include "memory.h"

#define PRECISE_US (100 * MR_MILLISECOND) /* of longer waits a millisecond is no part to speak of */

static bool add(int epoll, int descriptor) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

enum mr_kind mr_curl_loop_open(struct mr_curl_loop *loop, struct mr_error *error) {
  *loop = (struct mr_curl_loop){.epoll = -1, .wake = -1, .timer = -1, .armed_us = MR_NEVER};
  loop->epoll = mr_descriptor_keep(epoll_create1(EPOLL_CLOEXEC));
  loop->wake = mr_bell_open();
  if (loop->epoll >= 0 && loop->wake >= 0 && add(loop->epoll, loop->wake)) return MR_NONE;
  int reason = errno;
  mr_curl_loop_close(loop);
  return mr_fail(error, MR_LIMIT,
                 "cannot open a descriptor for the network loop: %s; too many open files?",
                 strerror(reason));
}

/* Descriptors are given out again, the numbers of sockets are not. 0: no socket has this descriptor. */
static ino_t identity_of(int descriptor) {
  struct stat found;
  return fstat(descriptor, &found) == 0 && S_ISSOCK(found.st_mode) ? found.st_ino : 0;
}

static bool is_still(const struct mr_curl_socket *socket, int descriptor) {
  return socket->open && identity_of(descriptor) == socket->identity;
}

void mr_curl_loop_abandon(struct mr_curl_loop *loop) {
  if (loop->epoll >= 0) close(loop->epoll);
  if (loop->wake >= 0) close(loop->wake);
  if (loop->timer >= 0) close(loop->timer);
  loop->epoll = loop->wake = loop->timer = -1;
  for (size_t i = 0; i < loop->socket_count; i++) {
    if (is_still(&loop->sockets[i], (int)i)) close((int)i);
    loop->sockets[i].open = false;
  }
}

void mr_curl_loop_close(struct mr_curl_loop *loop) {
  mr_curl_loop_abandon(loop);
  mr_free(loop->sockets);
  loop->sockets = NULL;
  loop->socket_count = 0;
}

bool mr_curl_loop_opened(struct mr_curl_loop *loop, curl_socket_t descriptor,
                         const struct mr_route *route) {
  size_t place = (size_t)descriptor;
  if (place >= loop->socket_count) {
    size_t count = place + place / 2 + 16;
    struct mr_curl_socket *sockets = mr_realloc(loop->sockets, count * sizeof *sockets);
    if (!sockets) return false;
    memset(sockets + loop->socket_count, 0, (count - loop->socket_count) * sizeof *sockets);
    loop->sockets = sockets;
    loop->socket_count = count;
  }
  loop->sockets[place] =
      (struct mr_curl_socket){.open = true, .route = route, .identity = identity_of(descriptor)};
  return true;
}

static struct mr_curl_socket *known(const struct mr_curl_loop *loop, curl_socket_t descriptor) {
  if (descriptor < 0 || (size_t)descriptor >= loop->socket_count) return NULL;
  struct mr_curl_socket *socket = &loop->sockets[descriptor];
  return socket->open ? socket : NULL;
}

/* What epoll should watch becomes what it does watch. A descriptor that is not ours (the resolver's) has
** no memory of what was asked before, so both ways are tried. */
static void apply(struct mr_curl_loop *loop, curl_socket_t descriptor, int what) {
  struct epoll_event event = {.data.fd = descriptor};
  event.events = (what & MR_WATCH_IN ? EPOLLIN : 0u) | (what & MR_WATCH_OUT ? EPOLLOUT : 0u);
  if (what == 0)
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, descriptor, &event);
  else if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, descriptor, &event) && errno == EEXIST)
    epoll_ctl(loop->epoll, EPOLL_CTL_MOD, descriptor, &event);
}

static void apply_known(struct mr_curl_loop *loop, curl_socket_t descriptor,
                        struct mr_curl_socket *socket, int what) {
  if (socket->watched == what) return;
  struct epoll_event event = {.data.fd = descriptor};
  event.events = (what & MR_WATCH_IN ? EPOLLIN : 0u) | (what & MR_WATCH_OUT ? EPOLLOUT : 0u);
  int change = socket->watched == 0 ? EPOLL_CTL_ADD : what == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
  if (epoll_ctl(loop->epoll, change, descriptor, &event) == 0) socket->watched = (uint8_t)what;
}

/* Not left to close(2): a forked child may hold the same socket, and epoll would go on reporting it. */
void mr_curl_loop_closing(struct mr_curl_loop *loop, curl_socket_t descriptor) {
  struct mr_curl_socket *socket = known(loop, descriptor);
  if (!socket) return;
  apply_known(loop, descriptor, socket, 0);
  *socket = (struct mr_curl_socket){0};
}

/* libcurl 7.88 closes a socket that never connected by itself, without a word to CURLOPT_CLOSESOCKETFUNCTION; that
** nobody waits for it any more is all that is told. The descriptor may be somebody else's already. */
static void forget_if_gone(struct mr_curl_socket *socket, curl_socket_t descriptor) {
  if (!socket->has_read && !is_still(socket, descriptor)) *socket = (struct mr_curl_socket){0};
}

void mr_curl_loop_watch(struct mr_curl_loop *loop, curl_socket_t descriptor, int what,
                        struct mr_curl_handle *user) {
  struct mr_curl_socket *socket = known(loop, descriptor);
  if (!socket) {
    apply(loop, descriptor, what);
    return;
  }
  socket->wanted = (uint8_t)what;
  if (what == 0) {
    forget_if_gone(socket, descriptor);
    return;
  }
  socket->has_read |= (what & MR_WATCH_IN) != 0;
  socket->user = user;
  apply_known(loop, descriptor, socket, what);
}

void mr_curl_loop_forget(struct mr_curl_loop *loop, const struct mr_curl_handle *user) {
  for (size_t i = 0; i < loop->socket_count; i++)
    if (loop->sockets[i].user == user) loop->sockets[i].user = NULL;
}

void mr_curl_loop_hang_up(struct mr_curl_loop *loop, const struct mr_route *route) {
  for (size_t i = 0; i < loop->socket_count; i++) {
    struct mr_curl_socket *socket = &loop->sockets[i];
    if (!socket->open || socket->route != route) continue;
    socket->route = NULL;
    if (socket->wanted == 0) shutdown((int)i, SHUT_RDWR);
  }
}

/* Bytes moved for this exchange; on a connection with several one cannot tell for which. */
static void touch(struct mr_curl_handle *user, int64_t now_us) {
  if (user && user->x && !user->multiplexed) user->active_us = now_us;
}

/* One event for libcurl, or false when it was for ourselves. An error or a hang-up is given as what was
** waited for: the read or write that follows tells the reason. */
static bool translate(struct mr_curl_loop *loop, const struct epoll_event *event, int64_t now_us,
                      struct mr_curl_event *out) {
  uint32_t bits = event->events;
  struct mr_curl_socket *socket = known(loop, event->data.fd);
  if (socket && socket->wanted == 0) {
    apply_known(loop, event->data.fd, socket, 0);
    return false;
  }
  if (socket) touch(socket->user, now_us);
  int wanted = socket ? socket->wanted : MR_WATCH_IN | MR_WATCH_OUT;
  bool broken = bits & (EPOLLERR | EPOLLHUP);
  out->descriptor = event->data.fd;
  out->select = 0;
  if (bits & EPOLLIN || (broken && wanted & MR_WATCH_IN)) out->select |= CURL_CSELECT_IN;
  if (bits & EPOLLOUT || (broken && wanted & MR_WATCH_OUT)) out->select |= CURL_CSELECT_OUT;
  return true;
}

/* A request that a limit delays starts when it may, not up to a millisecond later: at 1000 a second that is a tenth of
** the rate. Where the system has no such call (Linux before 5.11, filters of containers) milliseconds must do. */
static int wait_precisely(struct mr_curl_loop *loop, struct epoll_event *found, int most,
                          int64_t timeout_us) {
#ifdef MR_HAVE_EPOLL_PWAIT2
  if (!loop->coarse && timeout_us > 0 && timeout_us < PRECISE_US) {
    struct timespec span = {.tv_nsec = timeout_us * 1000};
    int count = epoll_pwait2(loop->epoll, found, most, &span, NULL);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return count;
    loop->coarse = true;
  }
#endif
  return epoll_wait(loop->epoll, found, most, mr_bell_patience_ms(timeout_us));
}

int mr_curl_loop_wait(struct mr_curl_loop *loop, const struct mr_clock *clock, int64_t timeout_us,
                      struct mr_curl_event *events, int most, bool *woken, int64_t *now_us) {
  struct epoll_event found[MR_CURL_BATCH];
  int count = wait_precisely(loop, found, most, timeout_us);
  *now_us = mr_clock_now(clock);
  if (count < 0) {
    *woken = errno == EINTR; /* a signal: whoever called decides what it means */
    return *woken ? 0 : -1;
  }
  int told = 0;
  for (int i = 0; i < count; i++) {
    int descriptor = found[i].data.fd;
    if (descriptor == loop->wake || descriptor == loop->timer) {
      mr_bell_drain(descriptor);
      if (descriptor == loop->wake) *woken = true;
      if (descriptor == loop->timer) loop->armed_us = MR_NEVER;
    } else if (translate(loop, &found[i], *now_us, &events[told])) {
      told++;
    }
  }
  return told;
}

void mr_curl_loop_wake(struct mr_curl_loop *loop) {
  mr_bell_ring(loop->wake);
}

static bool open_timer(struct mr_curl_loop *loop) {
  if (loop->timer >= 0) return true;
  int timer = mr_descriptor_keep(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (timer < 0) return false;
  if (!add(loop->epoll, timer)) {
    close(timer);
    return false;
  }
  loop->timer = timer;
  return true;
}

bool mr_curl_loop_arm(struct mr_curl_loop *loop, int64_t now_us, int64_t at_us) {
  if (!open_timer(loop)) return false;
  if (loop->armed_us == at_us) return true;
  struct itimerspec when = {0};
  if (at_us != MR_NEVER) { /* relative, because the clock may be another than the timer's */
    int64_t wait_us = at_us > now_us ? at_us - now_us : 0;
    when.it_value.tv_sec = wait_us / MR_SECOND;
    when.it_value.tv_nsec = wait_us % MR_SECOND * 1000 + 1; /* zero would disarm it */
  }
  if (timerfd_settime(loop->timer, 0, &when, NULL)) return false;
  loop->armed_us = at_us;
  return true;
}
