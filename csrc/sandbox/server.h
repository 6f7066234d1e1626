/*
** The sandbox server: an HTTP server on the loopback interface whose answers
** come from a lua_State of its own.
**
** Four kinds of threads meet here: the one that serves (libmicrohttpd's), the
** one that wakes sleeping answers (server.c), the one that sends webhooks
** (sender.c) and those of the program that started it. One mutex guards the
** server's lua_State and every field marked "locked"; no thread waits for
** the network or for another thread while it holds it.
*/
#ifndef MR_SANDBOX_SERVER_H
#define MR_SANDBOX_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct lua_State;
struct MHD_Daemon;
struct mr_exchange;
struct mr_delivery;

/* Borrowed for the length of mr_sandbox_start. */
struct mr_sandbox_options {
  const char *module; /* Lua module whose value is called to make the application */
  const char *path;   /* package.path of the new state */
  const char *cpath;  /* package.cpath of the new state */
  /* Brings the modules inside a static library; NULL: files have them. */
  int (*embedded)(struct lua_State *);
  const char *options; /* handed to the application as it is */
  uint16_t port;       /* 0: any free one */
  size_t max_body;     /* bytes of a request body; above: 413 */
};

struct mr_sandbox {
  pthread_mutex_t lock;
  pthread_cond_t timer_wake;  /* the next timer came nearer, or the server stops */
  pthread_cond_t sender_wake; /* a delivery was queued, or the server stops */
  pthread_t timer_thread, sender_thread;
  bool has_timer_thread, has_sender_thread;
  int sender_stop; /* eventfd: readable once the server stops */
  int listener;    /* until libmicrohttpd owns it; then -1 */
  uint16_t port;
  size_t max_body;
  pid_t owner;                    /* a forked child must not touch the threads it has not got */
  struct MHD_Daemon *daemon;      /* NULL until started */
  struct lua_State *state;        /* locked */
  int application;                /* locked; registry reference of the application's functions */
  bool stopping;                  /* locked */
  uint64_t exchanges;             /* locked; number of the last exchange */
  struct mr_exchange *suspended;  /* locked; exchanges that wait for mr_exchange_resume */
  struct mr_delivery *deliveries; /* locked; queue of webhooks, first first */
  size_t deliveries_queued;       /* locked */
};

/*
** Starts a server, or returns NULL with the reason in 'message'. The caller
** ends it with mr_sandbox_stop.
*/
struct mr_sandbox *mr_sandbox_start(const struct mr_sandbox_options *options, char *message,
                                    size_t message_size);

/* Cuts off what is being sent, joins all threads, frees everything. In a forked child it leaks
** the server instead: its threads and locks belong to the parent. */
void mr_sandbox_stop(struct mr_sandbox *server);

void mr_sandbox_lock(struct mr_sandbox *server);
void mr_sandbox_unlock(struct mr_sandbox *server);

#endif
