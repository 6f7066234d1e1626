/*
** What the files of the transport with a thread know of each other: transport_thread.c is the owner's side,
** io_thread.c the life of the thread and what it is ordered to do, io_events.c what the wire tells it,
** parcel.c an exchange as both see it, and what they say to each other about it. Nobody else includes
** this.
**
**   owner's thread                       'lock'                          the thread
**   start, cancel, resume   --> orders (START, RESUME, DROP) -->   inner start, cancel, resume
**   step: events            <-- news (letters, sent, done)   <--   inner events
**
** Each field belongs to one of the two threads, or to the lock, which is never held over a call of either side.
** A parcel is made by the owner and freed by the thread when it is told to DROP it: from then on the owner
** has no pointer to it, and nothing of it is news.
*/
#ifndef MR_THREAD_PARTS_H
#define MR_THREAD_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "header.h"
#include "transport.h"

/* Bytes of an answer that wait for the owner before the wire pauses. A download to a file gets more at a time. */
#define MR_MAIL_WINDOW      (256u * 1024)
#define MR_MAIL_WINDOW_BULK (2u * 1024 * 1024)
/* Bytes of a request's body that the owner reads at a time; two such pieces are under way at most. */
#define MR_FEED_SIZE (64u * 1024)

/* ---- parcels ---- */

enum mr_letter_kind { MR_LETTER_HEAD, MR_LETTER_BODY, MR_LETTER_BLOCK, MR_LETTER_FEED };

struct mr_letter {
  struct mr_letter *next;
  enum mr_letter_kind kind;
  int status;    /* HEAD */
  bool is_whole; /* HEAD: all fields have come */
  bool ends;     /* FEED: nothing follows, 'failed' or at the end */
  bool failed;   /* FEED */
  int64_t at_us; /* HEAD: when they had */
  size_t size;   /* bytes behind, or of the block */
  size_t used;   /* of these, by whom they are for */
  struct mr_buffer block;
  char bytes[]; /* HEAD: lines, each with "\n" */
};

struct mr_letters {
  struct mr_letter *first, *last;
};

enum mr_place { MR_PLACE_ORDERS, MR_PLACE_NEWS, MR_PLACE_READY, MR_PLACE_HELD, MR_PLACES };

enum { MR_ORDER_START = 1, MR_ORDER_RESUME = 2, MR_ORDER_DROP = 4 };

struct mr_parcel;

struct mr_parcel_link {
  struct mr_parcel *previous, *next;
  bool is_in;
};

struct mr_parcel_list {
  struct mr_parcel *first, *last;
};

/* A copy of a route: the owner's may be gone before the thread hears of it. */
struct mr_thread_route {
  struct mr_route route;
  const struct mr_route *original; /* only compared */
  struct mr_thread_route *next;
};

struct mr_parcel {
  struct mr_transport *transport;
  /* ORDERS and NEWS are under the lock, the others the owner's. */
  struct mr_parcel_link links[MR_PLACES];

  /* The owner's. */
  struct mr_exchange *x;
  struct mr_letters letters; /* taken out of the mail, not given yet */
  int64_t asked;             /* bytes that x->events->on_read has brought */
  bool sent_given;
  bool pause_wanted; /* by an event of the headers: before the first byte of the body */
  bool wants_feed;
  bool is_over;    /* 'result' is there to be given */
  int64_t left_us; /* -1: it has not */
  int given_status;

  /* Under the lock. */
  unsigned orders;
  struct {
    struct mr_letters letters, feed;
    size_t waiting;  /* bytes of letters that were not given yet */
    int64_t awaited; /* bytes of the body it has room for; 0: not known, -1: it has no head yet */
    int64_t sent_us;
    bool is_sent, is_dropped, is_paused, wants_feed, is_over;
  } mail;

  /* The thread's. The result is the owner's when the exchange is over. */
  struct mr_exchange exchange; /* what the inner transport borrows; its texts stand in 'block' */
  char *block;                 /* wiped */
  size_t block_size;
  struct mr_buffer head;       /* fields, until all have come */
  struct mr_letter *gathering; /* a block that is not in the mail yet; NULL */
  struct mr_letters feed;
  int status;
  int64_t ordered_us, lag_us; /* between the owner's start and the wire's */
  bool head_open, has_gathered, feed_asked, is_started, has_ended, no_memory;
  struct mr_exchange_result result;

  atomic_uint_least64_t arrived; /* bytes of the body */
};

/* ---- the instance ---- */

struct mr_transport {
  const struct mr_clock *clock;
  const struct mr_transport_type *type; /* the inner one's */
  struct mr_transport *inner;           /* an instance of that type, whatever its struct is */
  pthread_t thread;

  /* The owner's. */
  struct mr_parcel_list ready; /* have something to give */
  struct mr_parcel_list held;  /* their owner takes no more for now */
  struct mr_thread_route *routes;
  int bell; /* readable when there is news */
  int ended;
  int64_t spend_us; /* that a step gives out at most; MR_NEVER */
  bool told, foreign;

  /* Under the lock. */
  pthread_mutex_t lock;
  struct mr_parcel_list orders, news;
  struct mr_thread_route *closing;
  struct mr_letters spent; /* the thread frees what it has allocated */
  struct mr_error failure; /* of the inner transport as a whole */
  size_t spent_size;
  bool is_called; /* the thread has been woken and has not looked yet */
  bool is_rung, is_woken, is_failed, is_stopping;
  atomic_bool has_news; /* set under the lock; a step without news need not take it */

  /* Around a fork: the gate's. */
  pthread_mutex_t gate;
  pthread_cond_t gate_moved;
  atomic_bool is_frozen;
  atomic_bool is_left; /* the process exits */
  bool is_parked, is_gone;
  struct mr_transport *next; /* in the process's list */
};

void mr_parcels_add(struct mr_parcel_list *list, enum mr_place place, struct mr_parcel *parcel);
void mr_parcels_remove(struct mr_parcel_list *list, enum mr_place place, struct mr_parcel *parcel);

void mr_letters_add(struct mr_letters *letters, struct mr_letter *letter);
void mr_letters_move(struct mr_letters *to, struct mr_letters *from); /* behind what is there */
struct mr_letter *mr_letters_take(struct mr_letters *letters);        /* the first; NULL */
void mr_letters_free(struct mr_letters *letters);
void mr_letter_free(struct mr_letter *letter);                          /* NULL is fine */
struct mr_letter *mr_letter_new(enum mr_letter_kind kind, size_t size); /* NULL: no memory */

/* Copies all that the exchange has by reference. NULL: no memory. */
struct mr_parcel *mr_parcel_new(struct mr_transport *transport, struct mr_exchange *x);
void mr_parcel_free(struct mr_parcel *parcel);

void mr_thread_route_free(struct mr_thread_route *route);

/* ---- what they tell each other ---- */

/* With the lock: the owner has something to look at, and is told by the bell when 'ring' says so. */
void mr_thread_announce(struct mr_transport *transport, struct mr_parcel *parcel, bool ring);
void mr_thread_ring(struct mr_transport *transport); /* with the lock */
/* With the lock. True: the thread must be woken, after the lock is given back. */
bool mr_thread_order(struct mr_transport *transport, struct mr_parcel *parcel, unsigned order);
void mr_thread_wake(struct mr_transport *transport, bool must);

/* ---- the thread ---- */

extern const struct mr_exchange_events mr_thread_events;

/* The inner transport is open. MR_LIMIT: the system has no thread to give. */
enum mr_kind mr_thread_run(struct mr_transport *transport, struct mr_error *error);
/* Returns when it has ended; false in a process that exits: then it stands still for good, where it was. */
bool mr_thread_end(struct mr_transport *transport);

#endif
