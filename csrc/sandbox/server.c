/*
** Stopping is where such a server deadlocks: the program may be the very one
** that an answer is being sent to. So nothing here waits for a receiver:
** 'stopping' makes every callback break its connection, suspended ones are
** resumed for that, and the lock is free while threads are joined.
*/
#include "sandbox/server.h"
#include "core/descriptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/memory.h"
#include "sandbox/exchange.h"
#include "sandbox/script.h"
#include "sandbox/sender.h"

#define LISTEN_BACKLOG 1024
#define TICK_MAX_S     3600.0

void mr_sandbox_lock(struct mr_sandbox *server) {
  pthread_mutex_lock(&server->lock);
}

void mr_sandbox_unlock(struct mr_sandbox *server) {
  pthread_mutex_unlock(&server->lock);
}

/* {======================================================
** The timer thread
** ======================================================= */

static void add_seconds(struct timespec *time, double seconds) {
  double whole = floor(seconds);
  time->tv_sec += (time_t)whole;
  time->tv_nsec += (long)((seconds - whole) * 1e9);
  if (time->tv_nsec >= 1000000000L) {
    time->tv_sec++;
    time->tv_nsec -= 1000000000L;
  }
}

static void *run_timers(void *context) {
  struct mr_sandbox *server = context;
  mr_sandbox_lock(server);
  while (!server->stopping) {
    double seconds = mr_script_tick(server);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    add_seconds(&until, seconds < 0 || seconds > TICK_MAX_S ? TICK_MAX_S : seconds);
    pthread_cond_timedwait(&server->timer_wake, &server->lock, &until);
  }
  mr_sandbox_unlock(server);
  return NULL;
}

/* }====================================================== */

/* {======================================================
** Starting
** ======================================================= */

static bool failed(char *message, size_t size, const char *what) {
  snprintf(message, size, "the sandbox cannot start: %s: %s", what, strerror(errno));
  return false;
}

static bool open_listener(struct mr_sandbox *server, char *message, size_t size) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(server->port)};
  socklen_t address_size = sizeof address;
  int yes = 1;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  server->listener =
      mr_descriptor_keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (server->listener < 0) return failed(message, size, "socket");
  setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(server->listener, (struct sockaddr *)&address, sizeof address) != 0) {
    if (errno != EADDRINUSE) return failed(message, size, "bind");
    snprintf(message, size,
             "the sandbox cannot start: port %u on 127.0.0.1 is in use; take another, or 0 for "
             "any free one",
             server->port);
    return false;
  }
  if (listen(server->listener, LISTEN_BACKLOG) != 0) return failed(message, size, "listen");
  getsockname(server->listener, (struct sockaddr *)&address, &address_size);
  server->port = ntohs(address.sin_port);
  return true;
}

static void init_locks(struct mr_sandbox *server) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_mutex_init(&server->lock, NULL);
  pthread_cond_init(&server->timer_wake, &monotonic);
  pthread_cond_init(&server->sender_wake, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

/* The program's signals are for the program's threads: these ones have none of them. */
static bool start_threads(struct mr_sandbox *server, char *message, size_t size) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  server->has_timer_thread = pthread_create(&server->timer_thread, NULL, run_timers, server) == 0;
  server->has_sender_thread =
      pthread_create(&server->sender_thread, NULL, mr_sender_run, server) == 0;
  server->daemon = mr_exchange_daemon(server);
  server->listener = -1; /* libmicrohttpd closes it, also when it fails */
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (server->daemon && server->has_timer_thread && server->has_sender_thread) return true;
  return failed(message, size, "its threads");
}

static bool start(struct mr_sandbox *server, const struct mr_sandbox_options *options,
                  char *message, size_t size) {
  server->sender_stop = mr_descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (server->sender_stop < 0) return failed(message, size, "eventfd");
  return open_listener(server, message, size) && mr_script_open(server, options, message, size) &&
         start_threads(server, message, size);
}

struct mr_sandbox *mr_sandbox_start(const struct mr_sandbox_options *options, char *message,
                                    size_t message_size) {
  struct mr_sandbox *server = mr_alloc_zero(1, sizeof *server);
  if (!server) {
    snprintf(message, message_size, "no memory for the sandbox");
    return NULL;
  }
  server->listener = -1;
  server->port = options->port;
  server->max_body = options->max_body;
  server->owner = getpid();
  init_locks(server);
  if (start(server, options, message, message_size)) return server;
  mr_sandbox_stop(server);
  return NULL;
}

/* }====================================================== */

/* {======================================================
** Stopping
** ======================================================= */

static void announce_stop(struct mr_sandbox *server) {
  mr_sandbox_lock(server);
  server->stopping = true;
  mr_exchange_resume_all(server);
  pthread_cond_signal(&server->timer_wake);
  pthread_cond_signal(&server->sender_wake);
  mr_sandbox_unlock(server);
  if (server->sender_stop >= 0) eventfd_write(server->sender_stop, 1);
}

static void release(struct mr_sandbox *server) {
  mr_sender_clear(server);
  mr_script_close(server);
  if (server->listener >= 0) close(server->listener);
  if (server->sender_stop >= 0) close(server->sender_stop);
  pthread_cond_destroy(&server->timer_wake);
  pthread_cond_destroy(&server->sender_wake);
  pthread_mutex_destroy(&server->lock);
  mr_free(server);
}

void mr_sandbox_stop(struct mr_sandbox *server) {
  if (server->owner != getpid()) return;
  announce_stop(server);
  if (server->has_timer_thread) pthread_join(server->timer_thread, NULL);
  if (server->has_sender_thread) pthread_join(server->sender_thread, NULL);
  if (server->daemon) MHD_stop_daemon(server->daemon);
  release(server);
}

/* }====================================================== */
