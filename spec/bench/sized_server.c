/*
** JSON over TLS: `sized_server CERTIFICATE KEY LATENCY_MS` answers GET /sized/BYTES with about so many bytes of JSON, that
** much after the request came, over kept-alive HTTP/1.1 with a thread for each connection. The port is printed first.
** Ends on SIGTERM.
*/
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KINDS        32
#define LONGEST_HEAD 8192
#define RECORD_BYTES 512

struct answer {
  size_t asked, size;
  char *text; /* head and body */
};

static struct answer answers[KINDS];
static size_t answer_count;
static pthread_mutex_t answers_lock = PTHREAD_MUTEX_INITIALIZER;
static struct timespec latency;
static SSL_CTX *context;

/* Some 250 bytes, as an application or a deployment of a real API takes. */
static const char record[] = "{\"id\":%zu,\"name\":\"deployment number "
                             "%zu\",\"status\":\"ready\",\"created_at\":\"2026-01-01T00:"
                             "00:00Z\",\"owner\":{\"id\":7,\"name\":\"somebody\",\"email\":"
                             "\"somebody@example.com\"},\"tags\":["
                             "\"europe\",\"stable\"],\"size\":%zu.5,\"url\":\"https://"
                             "deployment.example.com/0001\",\"public\":"
                             "true,\"note\":null}";

static void *check(void *made) {
  if (!made) abort();
  return made;
}

static char *make_body(size_t asked, size_t *size) {
  char *body = check(malloc(asked + RECORD_BYTES));
  size_t at = (size_t)sprintf(body, "{\"items\":[");
  for (size_t id = 1; id == 1 || at < asked; id++) {
    if (id > 1) body[at++] = ',';
    at += (size_t)sprintf(body + at, record, id, id, id);
  }
  at += (size_t)sprintf(body + at, "]}");
  *size = at;
  return body;
}

static void make_answer(struct answer *answer, size_t asked) {
  size_t body_size;
  char *body = make_body(asked, &body_size);
  answer->text = check(malloc(body_size + RECORD_BYTES));
  int head_size = sprintf(answer->text,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n",
                          body_size);
  memcpy(answer->text + head_size, body, body_size);
  answer->size = (size_t)head_size + body_size;
  answer->asked = asked;
  free(body);
}

static const struct answer *find_answer(size_t asked) {
  pthread_mutex_lock(&answers_lock);
  size_t place = 0;
  while (place < answer_count && answers[place].asked != asked)
    place++;
  if (place == answer_count) {
    if (answer_count == KINDS) abort();
    make_answer(&answers[answer_count++], asked);
  }
  pthread_mutex_unlock(&answers_lock);
  return &answers[place];
}

/* The bytes that a request asks for; 0 at the end of the connection. */
static size_t read_request(SSL *connection) {
  char head[LONGEST_HEAD + 1];
  int size = 0;
  do {
    int got = SSL_read(connection, head + size, LONGEST_HEAD - size);
    if (got <= 0) return 0;
    size += got;
    head[size] = '\0';
  } while (!strstr(head, "\r\n\r\n") && size < LONGEST_HEAD);
  const char *path = strstr(head, "/sized/");
  return path ? strtoul(path + strlen("/sized/"), NULL, 10) : 0;
}

static void *serve(void *given) {
  SSL *connection = given;
  size_t asked;
  if (SSL_accept(connection) == 1) {
    while ((asked = read_request(connection)) > 0) {
      const struct answer *answer = find_answer(asked);
      nanosleep(&latency, NULL);
      if (SSL_write(connection, answer->text, (int)answer->size) <= 0) break;
    }
  }
  close(SSL_get_fd(connection));
  SSL_free(connection);
  return NULL;
}

static void accept_one(int listener, const pthread_attr_t *attributes) {
  int on = 1, accepted = accept(listener, NULL, NULL);
  pthread_t thread;
  if (accepted < 0) return;
  setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SSL *connection = check(SSL_new(context));
  SSL_set_fd(connection, accepted);
  if (pthread_create(&thread, attributes, serve, connection) != 0) abort();
}

static int listen_somewhere(int *port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 512) != 0) abort();
  if (getsockname(listener, (struct sockaddr *)&address, &size) != 0) abort();
  *port = ntohs(address.sin_port);
  return listener;
}

int main(int count, char **words) {
  int port;
  if (count < 4) return 2;
  context = check(SSL_CTX_new(TLS_server_method()));
  if (SSL_CTX_use_certificate_chain_file(context, words[1]) != 1) return 1;
  if (SSL_CTX_use_PrivateKey_file(context, words[2], SSL_FILETYPE_PEM) != 1) return 1;
  long latency_ms = strtol(words[3], NULL, 10);
  latency = (struct timespec){latency_ms / 1000, latency_ms % 1000 * 1000000};
  signal(SIGPIPE, SIG_IGN);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 * 1024);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  int listener = listen_somewhere(&port);
  printf("%d\n", port);
  fflush(stdout);
  for (;;)
    accept_one(listener, &attributes);
}
