/*
** A server for tests that does exactly what it is told, byte for byte: answers, half answers, silence,
** resets. Each connection runs the next script, in a thread of its own; when the scripts run out, the
** last one is repeated. Listens on a port of 127.0.0.1 that the system chooses, or on a unix socket;
** speaks TLS when it is given a certificate.
*/
#ifndef FAULT_SERVER_H
#define FAULT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_action {
  FAULT_END,     /* of the script: closes the connection in the usual way */
  FAULT_REQUEST, /* waits for a whole request, body included, and remembers it */
  FAULT_SEND,    /* bytes */
  FAULT_DRIP,    /* bytes, one every 'ms' */
  FAULT_FLOOD,   /* bytes, again and again until the client hangs up or 'ms' times */
  FAULT_HANG,    /* says nothing until the client hangs up */
  FAULT_HOLD,    /* says nothing until fault_server_release */
  FAULT_RESET,   /* ends with RST: what is unread and unsent is lost */
  FAULT_AGAIN,   /* from the first step on */
  FAULT_CUT      /* ends TCP without the closing words of TLS */
};

struct fault_step {
  enum fault_action action;
  const char *bytes;
  size_t size; /* 0: the length of 'bytes' */
  int ms;
};

/* For the steps of a script. */
#define DO_REQUEST                                                                                 \
  { .action = FAULT_REQUEST }
#define DO_SEND(text)                                                                              \
  { .action = FAULT_SEND, .bytes = (text) }
#define DO_SEND_BYTES(start, count)                                                                \
  { .action = FAULT_SEND, .bytes = (start), .size = (count) }
#define DO_DRIP(text, every_ms)                                                                    \
  { .action = FAULT_DRIP, .bytes = (text), .ms = (every_ms) }
#define DO_FLOOD(text, times)                                                                      \
  { .action = FAULT_FLOOD, .bytes = (text), .ms = (times) }
#define DO_HANG                                                                                    \
  { .action = FAULT_HANG }
#define DO_HOLD                                                                                    \
  { .action = FAULT_HOLD }
#define DO_RESET                                                                                   \
  { .action = FAULT_RESET }
#define DO_AGAIN                                                                                   \
  { .action = FAULT_AGAIN }
#define DO_CUT                                                                                     \
  { .action = FAULT_CUT }

/* "HTTP/1.1 200 OK" with a body of five bytes. */
#define FAULT_OK "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* An HTTP/2 frame of at most 255 bytes, for DO_FRAMES. Its stream is below 128; payloads are string literals. */
#define H2_FRAME(size, type, flags, stream, payload)                                               \
  "\x00\x00" size type flags "\x00\x00\x00" stream payload
#define H2_SETTINGS H2_FRAME("\x00", "\x04", "\x00", "\x00", "")
/* One that lets the client have so many streams at a time. */
#define H2_STREAMS(most) H2_FRAME("\x06", "\x04", "\x00", "\x00", "\x00\x03\x00\x00\x00" most)
/* A whole answer without a body; ":status: 200" is number 8 of HPACK's static table. */
#define H2_OK(stream)   H2_FRAME("\x01", "\x01", "\x05", stream, "\x88")
#define H2_HEAD(stream) H2_FRAME("\x01", "\x01", "\x04", stream, "\x88")
/* ":status: 103", ":status: 100" and a field "x-t: 1" at the end. */
#define H2_HINTS(stream)                                                                           \
  H2_FRAME("\x05", "\x01", "\x04", stream,                                                         \
           "\x08\x03"                                                                              \
           "103")
#define H2_CONTINUE(stream)                                                                        \
  H2_FRAME("\x05", "\x01", "\x04", stream,                                                         \
           "\x08\x03"                                                                              \
           "100")
#define H2_TRAILER(stream)                                                                         \
  H2_FRAME("\x07", "\x01", "\x05", stream,                                                         \
           "\x00\x03x-t\x01"                                                                       \
           "1")
#define H2_DATA(size, stream, bytes) H2_FRAME(size, "\x00", "\x00", stream, bytes)
#define H2_RESET(stream, code)       H2_FRAME("\x04", "\x03", "\x00", stream, "\x00\x00\x00" code)
#define H2_GOAWAY(last)                                                                            \
  H2_FRAME("\x08", "\x07", "\x00", "\x00", "\x00\x00\x00" last "\x00\x00\x00\x00")
#define H2_DATA_END(size, stream, bytes) H2_FRAME(size, "\x00", "\x01", stream, bytes)
#define DO_FRAMES(frames)                                                                          \
  { .action = FAULT_SEND, .bytes = (frames), .size = sizeof(frames) - 1 }

#define FAULT_STEPS 12

struct fault_script {
  struct fault_step steps[FAULT_STEPS]; /* ends at the first FAULT_END */
};

struct fault_server_options {
  const struct fault_script *scripts;
  size_t script_count;
  const char *unix_path;   /* NULL: TCP */
  const char *certificate; /* PEM files; NULL: no TLS */
  const char *key;
  const char *client_ca; /* a client may bring a certificate of this issuer */
  bool wants_client;     /* ... and must */
  int newest_tls;        /* a TLS1_x_VERSION of libssl's; 0: any */
  bool speaks_h2;        /* scripts send frames; a request is what ends a stream of the client's */
  bool only_h2;          /* TLS is refused to a client that does not offer it */
  size_t secured; /* so many connections come as far as TLS, later ones hear nothing; 0: all */
};

struct fault_server;

struct fault_server *fault_server_start(const struct fault_server_options *options);
/* The usual case: one script for all connections, on TCP. */
struct fault_server *fault_server_run(const struct fault_script *script);
/* Those that are held go on, and none is held from now on. */
void fault_server_release(struct fault_server *server);
/* Ends its connections and joins its threads. */
void fault_server_stop(struct fault_server *server);

int fault_server_port(const struct fault_server *server);
size_t fault_server_connections(struct fault_server *server); /* ever accepted */
size_t fault_server_open(struct fault_server *server);        /* now */
size_t fault_server_most_open(struct fault_server *server);
size_t fault_server_requests(struct fault_server *server);

/* Copies the bytes of a request, ended by a zero byte, into 'out'. False when there is no such request. */
bool fault_server_request(struct fault_server *server, size_t index, char *out, size_t size);
size_t fault_server_request_size(struct fault_server *server, size_t index);
/* Waits, at most five seconds, until so many connections are open. */
bool fault_server_wait_open(struct fault_server *server, size_t count);

#endif
