#include "fault_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define CONNECTIONS_MAX 512
#define REQUESTS_MAX    4096
#define REQUEST_MAX     (8 * 1024 * 1024)
#define WAIT_MS         5000

struct connection {
  struct fault_server *server;
  const struct fault_script *script;
  pthread_t thread;
  int descriptor;
  SSL *tls;
  bool over;
  bool is_h2, has_preface;
  char *input; /* not yet part of a whole request */
  size_t input_size;
};

struct request {
  char *bytes;
  size_t size;
};

struct fault_server {
  struct fault_server_options options;
  struct fault_script only; /* of fault_server_run */
  SSL_CTX *tls;
  int listener, port;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  struct connection connections[CONNECTIONS_MAX];
  size_t connection_count, open_count, most_open;
  struct request requests[REQUESTS_MAX];
  size_t request_count;
  bool is_released;
};

static void die(const char *what) {
  fprintf(stderr, "fault server: %s: %s\n", what, strerror(errno));
  abort();
}

/* ---- bytes ---- */

static bool send_bytes(struct connection *connection, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t sent = connection->tls ? SSL_write(connection->tls, bytes, (int)size)
                                   : send(connection->descriptor, bytes, size, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    size -= (size_t)sent;
  }
  return true;
}

static ssize_t receive(struct connection *connection, char *bytes, size_t size) {
  return connection->tls ? SSL_read(connection->tls, bytes, (int)size)
                         : recv(connection->descriptor, bytes, size, 0);
}

static void pause_ms(int ms) {
  struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
  nanosleep(&time, NULL);
}

/* ---- requests ---- */

static size_t body_size(const char *head) {
  const char *line = head;
  while ((line = strstr(line, "\r\n")) && line[2] != '\r') {
    line += 2;
    if (strncasecmp(line, "Content-Length:", 15) == 0) return (size_t)strtoull(line + 15, NULL, 10);
  }
  return 0;
}

#define PREFACE_SIZE 24 /* "PRI * HTTP/2.0" and so on */
#define FRAME_HEAD   9

enum { FRAME_DATA, FRAME_HEADERS, FLAG_END_STREAM = 1 };

/* Up to the end of the first frame that ends a stream. The client's first bytes are its preface. */
static size_t frames_size(const struct connection *connection) {
  const unsigned char *bytes = (const unsigned char *)connection->input;
  size_t at = connection->has_preface ? 0 : PREFACE_SIZE;
  while (at + FRAME_HEAD <= connection->input_size) {
    const unsigned char *head = bytes + at;
    at += FRAME_HEAD + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
    bool ends = (head[3] == FRAME_DATA || head[3] == FRAME_HEADERS) && head[4] & FLAG_END_STREAM;
    if (ends) return at <= connection->input_size ? at : 0;
  }
  return 0;
}

static size_t request_size(const struct connection *connection) {
  if (connection->server->options.speaks_h2 && connection->is_h2) return frames_size(connection);
  const char *end = connection->input ? strstr(connection->input, "\r\n\r\n") : NULL;
  if (!end) return 0;
  size_t size = (size_t)(end + 4 - connection->input) + body_size(connection->input);
  return size <= connection->input_size ? size : 0;
}

static void remember(struct connection *connection, size_t size) {
  struct fault_server *server = connection->server;
  char *copy = malloc(size + 1);
  if (!copy) die("out of memory");
  memcpy(copy, connection->input, size);
  copy[size] = '\0';
  memmove(connection->input, connection->input + size, connection->input_size - size + 1);
  connection->input_size -= size;
  pthread_mutex_lock(&server->lock);
  if (server->request_count == REQUESTS_MAX) die("too many requests");
  server->requests[server->request_count++] = (struct request){copy, size};
  pthread_mutex_unlock(&server->lock);
}

static bool take_request(struct connection *connection) {
  size_t size;
  while ((size = request_size(connection)) == 0) {
    if (connection->input_size > REQUEST_MAX) return false;
    char *input = realloc(connection->input, connection->input_size + 65537);
    if (!input) die("out of memory");
    connection->input = input;
    ssize_t got = receive(connection, input + connection->input_size, 65536);
    if (got <= 0) return false;
    connection->input_size += (size_t)got;
    input[connection->input_size] = '\0';
  }
  remember(connection, size);
  connection->has_preface = true;
  return true;
}

/* ---- scripts ---- */

static bool drip(struct connection *connection, const struct fault_step *step, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (!send_bytes(connection, step->bytes + i, 1)) return false;
    pause_ms(step->ms);
  }
  return true;
}

static bool flood(struct connection *connection, const struct fault_step *step, size_t size) {
  for (int i = 0; i < step->ms; i++)
    if (!send_bytes(connection, step->bytes, size)) return false;
  return true;
}

static bool hang(struct connection *connection) {
  char bytes[4096];
  while (receive(connection, bytes, sizeof bytes) > 0)
    ;
  return false;
}

static bool hold(struct fault_server *server) {
  pthread_mutex_lock(&server->lock);
  while (!server->is_released)
    pthread_cond_wait(&server->changed, &server->lock);
  pthread_mutex_unlock(&server->lock);
  return true;
}

/* Closing with a zero linger time sends RST instead of FIN. */
static bool reset(struct connection *connection) {
  struct linger linger = {.l_onoff = 1};
  setsockopt(connection->descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  return false;
}

static bool run_step(struct connection *connection, const struct fault_step *step) {
  size_t size = step->bytes && step->size == 0 ? strlen(step->bytes) : step->size;
  switch (step->action) {
  case FAULT_REQUEST:
    return take_request(connection);
  case FAULT_SEND:
    return send_bytes(connection, step->bytes, size);
  case FAULT_DRIP:
    return drip(connection, step, size);
  case FAULT_FLOOD:
    return flood(connection, step, size);
  case FAULT_HANG:
    return hang(connection);
  case FAULT_HOLD:
    return hold(connection->server);
  case FAULT_RESET:
    return reset(connection);
  case FAULT_AGAIN:
    return true;
  default:
    return false;
  }
}

static void run_script(struct connection *connection) {
  const struct fault_step *step = connection->script->steps;
  const struct fault_step *end = step + FAULT_STEPS;
  while (step < end && run_step(connection, step))
    step = step->action == FAULT_AGAIN ? connection->script->steps : step + 1;
  bool usual = step == end || step->action == FAULT_END;
  if (usual && connection->tls) SSL_shutdown(connection->tls);
}

static bool secure(struct connection *connection) {
  struct fault_server *server = connection->server;
  if (!server->tls) return true;
  size_t number = (size_t)(connection - server->connections);
  if (server->options.secured > 0 && number >= server->options.secured) return hang(connection);
  connection->tls = SSL_new(server->tls);
  if (!connection->tls) die("no TLS");
  SSL_set_fd(connection->tls, connection->descriptor);
  if (SSL_accept(connection->tls) != 1) return false;
  const unsigned char *protocol;
  unsigned size;
  SSL_get0_alpn_selected(connection->tls, &protocol, &size);
  connection->is_h2 = size == 2;
  return true;
}

/* The descriptor is closed under the lock, so that stopping never shuts down a number that is used again. */
static void hang_up(struct connection *connection) {
  struct fault_server *server = connection->server;
  pthread_mutex_lock(&server->lock);
  close(connection->descriptor);
  connection->over = true;
  server->open_count--;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

/* OpenSSL writes to a lost peer raise SIGPIPE; the tests want to see only those of the client. */
static void block_pipe_signal(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *serve(void *context) {
  struct connection *connection = context;
  block_pipe_signal();
  if (secure(connection)) run_script(connection);
  ERR_clear_error();
  hang_up(connection);
  SSL_free(connection->tls);
  free(connection->input);
  return NULL;
}

/* ---- the listener ---- */

static void accept_one(struct fault_server *server, int descriptor) {
  pthread_mutex_lock(&server->lock);
  size_t number = server->connection_count++;
  if (number == CONNECTIONS_MAX) die("too many connections");
  struct connection *connection = &server->connections[number];
  size_t last = server->options.script_count - 1;
  connection->server = server;
  connection->descriptor = descriptor;
  connection->script = &server->options.scripts[number < last ? number : last];
  if (++server->open_count > server->most_open) server->most_open = server->open_count;
  if (pthread_create(&connection->thread, NULL, serve, connection)) die("no thread");
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

static void *listen_on(void *context) {
  struct fault_server *server = context;
  int descriptor;
  while ((descriptor = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
    accept_one(server, descriptor);
  return NULL;
}

static void open_tcp(struct fault_server *server) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(server->listener, (struct sockaddr *)&address, size)) die("bind");
  if (getsockname(server->listener, (struct sockaddr *)&address, &size)) die("getsockname");
  server->port = ntohs(address.sin_port);
}

static void open_unix(struct fault_server *server) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s", server->options.unix_path);
  server->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(server->listener, (struct sockaddr *)&address, sizeof address)) die("bind");
}

/* h2 where the client offers it. */
static int choose_protocol(SSL *tls, const unsigned char **out, unsigned char *size,
                           const unsigned char *offered, unsigned offered_size, void *context) {
  static const unsigned char known[] = "\x02h2\x08http/1.1";
  const struct fault_server *server = context;
  unsigned known_size = server->options.only_h2 ? 3 : sizeof known - 1;
  (void)tls;
  int found =
      SSL_select_next_proto((unsigned char **)out, size, known, known_size, offered, offered_size);
  if (found == OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_OK;
  return server->options.only_h2 ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_NOACK;
}

static void open_tls(struct fault_server *server) {
  const struct fault_server_options *options = &server->options;
  SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(tls, options->certificate) != 1) die("certificate");
  if (SSL_CTX_use_PrivateKey_file(tls, options->key, SSL_FILETYPE_PEM) != 1) die("key");
  if (options->newest_tls) {
    SSL_CTX_set_security_level(tls, 0);
    SSL_CTX_set_min_proto_version(tls, 0);
    SSL_CTX_set_max_proto_version(tls, options->newest_tls);
  }
  if (options->speaks_h2) SSL_CTX_set_alpn_select_cb(tls, choose_protocol, server);
  if (options->client_ca) {
    if (SSL_CTX_load_verify_locations(tls, options->client_ca, NULL) != 1) die("client_ca");
    int must = options->wants_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | must, NULL);
    SSL_CTX_set_session_id_context(tls, (const unsigned char *)"fault", 5);
  }
  server->tls = tls;
}

struct fault_server *fault_server_start(const struct fault_server_options *options) {
  struct fault_server *server = calloc(1, sizeof *server);
  if (!server) die("out of memory");
  server->options = *options;
  pthread_mutex_init(&server->lock, NULL);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&server->changed, &attributes);
  pthread_condattr_destroy(&attributes);
  if (options->certificate) open_tls(server);
  if (options->unix_path)
    open_unix(server);
  else
    open_tcp(server);
  if (listen(server->listener, 128)) die("listen");
  if (pthread_create(&server->thread, NULL, listen_on, server)) die("no thread");
  return server;
}

struct fault_server *fault_server_run(const struct fault_script *script) {
  struct fault_server_options options = {.scripts = script, .script_count = 1};
  return fault_server_start(&options);
}

static void end_connections(struct fault_server *server) {
  pthread_mutex_lock(&server->lock);
  for (size_t i = 0; i < server->connection_count; i++)
    if (!server->connections[i].over) shutdown(server->connections[i].descriptor, SHUT_RDWR);
  pthread_mutex_unlock(&server->lock);
  for (size_t i = 0; i < server->connection_count; i++)
    pthread_join(server->connections[i].thread, NULL);
}

void fault_server_release(struct fault_server *server) {
  pthread_mutex_lock(&server->lock);
  server->is_released = true;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

void fault_server_stop(struct fault_server *server) {
  fault_server_release(server);
  shutdown(server->listener, SHUT_RDWR);
  pthread_join(server->thread, NULL);
  close(server->listener);
  end_connections(server);
  for (size_t i = 0; i < server->request_count; i++)
    free(server->requests[i].bytes);
  if (server->options.unix_path) unlink(server->options.unix_path);
  SSL_CTX_free(server->tls);
  pthread_cond_destroy(&server->changed);
  pthread_mutex_destroy(&server->lock);
  free(server);
}

/* ---- what it saw ---- */

static size_t read_count(struct fault_server *server, const size_t *count) {
  pthread_mutex_lock(&server->lock);
  size_t value = *count;
  pthread_mutex_unlock(&server->lock);
  return value;
}

int fault_server_port(const struct fault_server *server) {
  return server->port;
}

size_t fault_server_connections(struct fault_server *server) {
  return read_count(server, &server->connection_count);
}

size_t fault_server_open(struct fault_server *server) {
  return read_count(server, &server->open_count);
}

size_t fault_server_most_open(struct fault_server *server) {
  return read_count(server, &server->most_open);
}

size_t fault_server_requests(struct fault_server *server) {
  return read_count(server, &server->request_count);
}

bool fault_server_request(struct fault_server *server, size_t index, char *out, size_t size) {
  pthread_mutex_lock(&server->lock);
  bool found = index < server->request_count;
  snprintf(out, size, "%s", found ? server->requests[index].bytes : "");
  pthread_mutex_unlock(&server->lock);
  return found;
}

size_t fault_server_request_size(struct fault_server *server, size_t index) {
  pthread_mutex_lock(&server->lock);
  size_t size = index < server->request_count ? server->requests[index].size : 0;
  pthread_mutex_unlock(&server->lock);
  return size;
}

bool fault_server_wait_open(struct fault_server *server, size_t count) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += WAIT_MS / 1000;
  int late = 0;
  pthread_mutex_lock(&server->lock);
  while (server->open_count != count && !late)
    late = pthread_cond_timedwait(&server->changed, &server->lock, &until);
  bool reached = server->open_count == count;
  pthread_mutex_unlock(&server->lock);
  return reached;
}
