/*
** What the files of the libcurl transport know of each other: transport_curl.c is the instance and its
** step, curl_loop.c the descriptors that it waits for, curl_pool.c the easy handles, curl_origin.c
** where they connect to, curl_entry.c who opens connections there and who waits for them, curl_setup.c what is set on
** them for one exchange, curl_events.c what libcurl calls back, curl_goaway.c what HTTP/2 servers have not begun with,
** curl_decoder.c undoes content codings, curl_result.c tells how an exchange ended. Nobody else includes this,
** and in ring 1 nothing else includes curl.h.
*/
#ifndef MR_CURL_PARTS_H
#define MR_CURL_PARTS_H

#include <curl/curl.h>

#include "curl_decoder.h"
#include "timers.h"
#include "transport.h"

/* ---- the loop ---- */

enum { MR_WATCH_IN = 1, MR_WATCH_OUT = 2 };

struct mr_curl_handle;

struct mr_curl_socket {
  const struct mr_route *route; /* that it was opened for */
  struct mr_curl_handle *user;  /* the last that waited for it */
  uint8_t watched;              /* by epoll */
  uint8_t wanted;               /* by libcurl */
  bool open;                    /* opened through us */
  bool has_read;  /* it was watched for bytes, so it connected: its closing will be told */
  ino_t identity; /* of the socket, which its descriptor outlives */
};

struct mr_curl_loop {
  int epoll, wake, timer;         /* descriptors, -1 without */
  struct mr_curl_socket *sockets; /* by descriptor */
  size_t socket_count;
  int64_t armed_us; /* what the timer descriptor is set to */
  bool coarse;      /* the system waits in milliseconds only */
};

struct mr_curl_event {
  curl_socket_t descriptor;
  int select; /* CURL_CSELECT_ bits */
};

#define MR_CURL_BATCH 64

enum mr_kind mr_curl_loop_open(struct mr_curl_loop *loop, struct mr_error *error);
void mr_curl_loop_close(struct mr_curl_loop *loop); /* the memory too */
/* Closes this process's copies of the descriptors: while a child has one, a connection that its parent ends stays
** open for the server. Nothing is said on a connection. */
void mr_curl_loop_abandon(struct mr_curl_loop *loop);

/* libcurl's wishes. Sockets that were opened through us stay watched between two requests: that saves
** two system calls each, and a server that closes one costs one spurious event. */
bool mr_curl_loop_opened(struct mr_curl_loop *loop, curl_socket_t descriptor,
                         const struct mr_route *route); /* false: no memory */
void mr_curl_loop_closing(struct mr_curl_loop *loop, curl_socket_t descriptor);
void mr_curl_loop_watch(struct mr_curl_loop *loop, curl_socket_t descriptor, int what,
                        struct mr_curl_handle *user);
void mr_curl_loop_forget(struct mr_curl_loop *loop, const struct mr_curl_handle *user);
/* Ends the idle connections that were opened for the route. */
void mr_curl_loop_hang_up(struct mr_curl_loop *loop, const struct mr_route *route);

/* Waits, returns the number of events for libcurl, at most 'most', which is at most MR_CURL_BATCH (0: time is up or
** interrupted, -1: failed). Sets *woken when mr_curl_loop_wake was called meanwhile, and *now_us afterwards. The
** descriptors that are told of go to the end of the kernel's list: asked for one at a time, all have their turn. */
int mr_curl_loop_wait(struct mr_curl_loop *loop, const struct mr_clock *clock, int64_t timeout_us,
                      struct mr_curl_event *events, int most, bool *woken, int64_t *now_us);
void mr_curl_loop_wake(struct mr_curl_loop *loop);
/* False: no timer. */
bool mr_curl_loop_arm(struct mr_curl_loop *loop, int64_t now_us, int64_t at_us);

/* Bytes of one read. libcurl allocates them for each exchange in flight. */
#define MR_CURL_READ_SIZE 16384L

/* ---- where handles connect to ---- */

/* Handles in the order in which they came. */
struct mr_curl_line {
  struct mr_curl_handle *first, *last;
};

/* Whether several exchanges share a connection there: HTTP/2 or not. */
enum mr_curl_sharing { MR_SHARING_UNKNOWN, MR_SHARING_KNOWN, MR_SHARING_NEVER };

/* Exchanges of an origin that share connections, or did not know better. */
struct mr_curl_entry {
  enum mr_curl_sharing sharing;
  struct mr_curl_handle *seeker; /* libcurl has it, and has no connection for it yet */
  bool seeker_is_extra;          /* let in for a free place */
  bool is_vain;                  /* the last of these did not find it */
  struct mr_curl_line waiting;
  size_t waiting_count;
  size_t opening;     /* exchanges that wait for a connection of their own */
  size_t width;       /* ... of which there may be so many */
  size_t placed;      /* ... that have one to be sent on */
  size_t free_places; /* that were left and are not taken, as far as is known */
};

/* A scheme, host and port that exchanges of one route went to. Parsed once: libcurl copies a parsed URL
** a good deal faster than it parses one. */
struct mr_curl_origin {
  struct mr_curl_origin *next;
  uint32_t references; /* the pool's list and each handle that has it set */
  bool https;
  bool multiplexed; /* HTTP/2 is asked for, until the server wants HTTP/1.1 */
  bool has_older;   /* it has answered over HTTP/1.1 */
  bool lacks_older; /* as far as is known it has HTTP/2 alone */
  bool direct;      /* never through a proxy */
  bool over_http;   /* through a proxy that is asked in HTTP */
  bool has_login;   /* the proxy's URL has a user */
  bool forwarded;   /* plain http through a proxy, which wants the whole URL in the request line */
  bool exposed;     /* plain http through a proxy, which would read a credential */
  CURLU *url;
  char *label; /* "host:port", for messages */
  char *text;  /* "https://host:port" as it stood in the URL */
  size_t size;
  struct mr_curl_entry entry;
};

/* The handles of one route, configured for it. */
struct mr_curl_pool {
  struct mr_curl_pool *next;
  struct mr_transport *transport;
  const struct mr_route *route;
  struct mr_curl_handle *idle;
  struct mr_curl_origin *origins;
  uint32_t idle_count, in_flight;
  bool closed; /* freed when the last exchange is over */
};

/* A connection, as exchanges that use it know it. */
struct mr_curl_place {
  char remote[46];             /* an address */
  int remote_port, local_port; /* 0: none yet */
};

enum mr_curl_form { MR_FORM_GET, MR_FORM_HEAD, MR_FORM_MEMORY, MR_FORM_STREAM };

enum mr_curl_part { MR_PART_STATUS, MR_PART_INTERIM, MR_PART_FIELDS, MR_PART_BODY };

/* STRANGE is what this build cannot undo. */
enum mr_curl_coding { MR_CODING_NONE, MR_CODING_KNOWN, MR_CODING_STRANGE };

/* In the entry of its origin; NONE for those that share no connection. */
enum mr_curl_stage {
  MR_STAGE_NONE,
  MR_STAGE_WAITING,
  MR_STAGE_SEEKING,
  MR_STAGE_OPENING,
  MR_STAGE_PLACED
};

/* How far the exchange of a handle came; all zero at its start. */
struct mr_curl_progress {
  enum mr_exchange_phase phase;
  enum mr_curl_stage stage;
  enum mr_curl_part part;
  enum mr_curl_coding coding; /* of the body, as its headers say */
  int sends;                  /* on the wire, and then once more if libcurl wanted to */
  int status, http_major;
  int socket_error;  /* why there is no socket, which libcurl does not ask: an errno value, or 0 */
  bool connected;    /* a connection was opened for it */
  bool stopped;      /* by an event */
  bool pause_wanted; /* in the headers: before the first byte of the body */
  bool paused, resume_asked;
  bool launching;  /* waits for a step to give it to libcurl */
  bool short_read; /* the body ended before its announced size */
  bool failed_read;
  bool refused;                   /* the body, for its coding */
  bool unread;                    /* the server has not begun with the request, and says so */
  bool idle;                      /* ended because no byte moved */
  bool late;                      /* ended by its deadline */
  int64_t read;                   /* bytes of the body that on_read brought */
  int64_t sent_us, first_byte_us; /* of the clock, 0 before */
  uint32_t first_act;             /* of the transport's, which brought the first byte */
  struct mr_curl_place place;     /* of a multiplexed connection */
  unsigned stream;                /* its number there, as far as it is traced */
  int64_t uploaded;               /* as libcurl counted it when the idle timer ran last */
};

/* An easy handle and what is set on it: a setting is changed only when an exchange needs another. */
struct mr_curl_handle {
  CURL *easy;
  struct mr_curl_pool *pool;
  struct mr_exchange *x;       /* NULL when idle */
  struct mr_curl_handle *next; /* in the pool's list or one of those that wait for a step */

  struct mr_curl_origin *origin;
  bool has_version;         /* of HTTP, as set */
  bool newer;               /* HTTP/2, if the server has it */
  bool multiplexed;         /* ... on a connection that carries other exchanges as well */
  bool fresh;               /* as set: no kept connection is taken */
  bool single;              /* as set: its connection is not kept */
  bool traced;              /* what libcurl tells is read */
  bool spoilt;              /* libcurl remembers too much of its last exchange: not for another */
  struct mr_buffer target;  /* path and query, or the whole URL for a proxy */
  struct mr_buffer headers; /* secret: lines as they came */
  struct curl_slist *lines; /* point into 'headers' */
  size_t line_capacity, line_count;
  size_t body_lines;       /* so many at the front are only for requests with a body */
  struct curl_slist *list; /* as set */
  struct curl_slist *connect_to;
  enum mr_curl_form form;
  char method[32];
  long connect_timeout_ms;
  bool bulk;
  bool connects_only;

  const struct mr_coding *coding; /* when it is known */
  char strange[32];               /* Content-Encoding, when it is not */
  struct mr_decoder *decoder;     /* NULL until a coded body comes */
  struct mr_timer timer;
  int64_t started_us, active_us;
  struct mr_curl_progress progress;
  char message[CURL_ERROR_SIZE]; /* libcurl's words for a failure */
};

/* ---- the instance ---- */

#define MR_CURL_GOAWAYS 16 /* connections that are closing and still used: usually one */

struct mr_curl_goaway {
  struct mr_curl_place place;
  unsigned last_stream; /* that the server has begun with */
};

struct mr_curl_goaways {
  struct mr_curl_goaway list[MR_CURL_GOAWAYS];
  size_t next;
};

void mr_curl_line_add(struct mr_curl_line *line, struct mr_curl_handle *handle);
void mr_curl_line_leave(struct mr_curl_line *line, struct mr_curl_handle *handle);

/* A step that may not work long takes so much from one descriptor before others have their turn: libcurl would read as
** long as more is there, a megabyte and more. */
#define MR_CURL_TURN_BYTES 32768

struct mr_transport {
  const struct mr_clock *clock;
  CURLM *multi;
  CURLSH *share; /* addresses and TLS sessions, of all its handles */
  struct mr_curl_loop loop;
  struct mr_timers timers;
  struct mr_curl_pool *pools;
  struct mr_curl_line resuming;  /* paused ones, for the next step to go on with */
  struct mr_curl_line launching; /* for the next step to start */
  const char *ca_file;           /* NULL: libcurl's own idea of where they are */
  uint32_t max_idle, max_host;
  struct mr_curl_goaways goaways;
  bool tells_unread; /* what libcurl itself would send again the server has not begun with */
  int64_t due_us;    /* when libcurl wants to be called; MR_NEVER */
  int64_t now_us;    /* read once a round */
  int64_t spend_us;  /* how long a step that does not wait may work; MR_NEVER: until all is done */
  uint32_t acts;     /* calls of libcurl for one descriptor or for what is due */
  size_t turn_left;  /* bytes of bodies until the exchange that is at work must rest */
  int next_sort;     /* of work, when steps are bounded */
  int ended;         /* in this step */
  bool told;         /* an event was called that may give the engine something to do */
  bool foreign;      /* somebody waits for the descriptor: keep its timer set */
};

/* ---- pools and origins ---- */

/* The handle is ready to be configured, and counted as in flight. */
enum mr_kind mr_curl_pool_take(struct mr_transport *transport, const struct mr_route *route,
                               struct mr_curl_handle **out, struct mr_error *error);
void mr_curl_pool_give(struct mr_curl_handle *handle); /* after its exchange; may free it */
void mr_curl_pool_close(struct mr_curl_pool *pool);
struct mr_curl_pool *mr_curl_pool_find(struct mr_transport *transport,
                                       const struct mr_route *route);

/* The one that belongs to x->url, made when it is new. The handle has a reference. */
enum mr_kind mr_curl_origin_set(struct mr_curl_handle *handle, struct mr_error *error);
/* What depends on the versions of HTTP that the origin has. */
void mr_curl_origin_versions(struct mr_curl_handle *handle);
/* Learns from the end of an exchange. True: the server refused its version before anything was sent, and it is to be
** started again. */
bool mr_curl_origin_refuses(struct mr_curl_handle *handle, CURLcode code);
void mr_curl_origin_drop(struct mr_curl_origin *origin);
void mr_curl_origins_drop(struct mr_curl_pool *pool); /* the pool's own references */

/* ---- entry ---- */

/* True: the exchange is not for libcurl now, and comes into the transport's line of those to launch when it is. */
bool mr_curl_entry_waits(struct mr_curl_handle *handle);
void mr_curl_entry_opens(struct mr_curl_handle *handle);     /* a connection */
void mr_curl_entry_has_place(struct mr_curl_handle *handle); /* and is sent */
void mr_curl_entry_answered(struct mr_curl_handle *handle);  /* with progress.http_major */
void mr_curl_entry_leave(struct mr_curl_handle *handle);     /* at its end */

/* ---- setup ---- */

/* Everything that handle->x needs, and nothing that is set already. */
enum mr_kind mr_curl_setup(struct mr_curl_handle *handle, struct mr_error *error);
/* Of its time to connect so much is over. */
void mr_curl_setup_patience(struct mr_curl_handle *handle, int64_t waited_us);

/* ---- events ---- */

void mr_curl_events_install(struct mr_curl_handle *handle);
int mr_curl_on_socket(CURL *easy, curl_socket_t descriptor, int what, void *context, void *unused);
int mr_curl_on_timer(CURLM *multi, long timeout_ms, void *context);

/* ---- goaway ---- */

void mr_curl_goaway_install(struct mr_curl_handle *handle);
void mr_curl_goaway_watch(struct mr_curl_handle *handle, bool watch);
/* A new connection has the place of one that was closed. */
void mr_curl_goaway_forget(struct mr_curl_goaways *goaways, const struct mr_curl_place *place);
bool mr_curl_goaway_covers(const struct mr_curl_handle *handle);

/* ---- result ---- */

void mr_curl_result(struct mr_curl_handle *handle, CURLcode code,
                    struct mr_exchange_result *result);

#endif
