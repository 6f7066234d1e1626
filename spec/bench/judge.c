/*
** A server that counts: `judge ALGORITHM COUNT WINDOW_MS LOG [STATUS]`. Answers every request with a few bytes and writes
** a line "MICROSECONDS STATUS" for it to LOG when it ends (SIGTERM). The port, chosen by the system, is printed first.
**
** Algorithms: log (at most COUNT accepted in any window, as a sliding log), fixed (in any window of a fixed grid),
** fail (STATUS for all, 503 when not given). What is refused gets a 429 and does not count.
*/
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS 1024
#define REQUEST_MAX 16384

struct connection {
  char bytes[REQUEST_MAX + 1];
  size_t size;
};

struct arrival {
  int64_t at_us;
  int status;
};

struct judge {
  const char *algorithm;
  int64_t count, window_us;
  int fail_status;
  struct pollfd polls[CONNECTIONS + 1]; /* the first one listens */
  struct connection *connections[CONNECTIONS + 1];
  nfds_t open;
  struct arrival *arrivals;
  size_t arrived, room;
  int64_t *accepted; /* a ring of the times of the last COUNT */
  uint64_t accepted_count;
};

static volatile sig_atomic_t ended;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int fits(const struct judge *judge, int64_t at_us) {
  if (judge->accepted_count < (uint64_t)judge->count) return 1;
  int64_t oldest_us = judge->accepted[judge->accepted_count % (uint64_t)judge->count];
  if (strcmp(judge->algorithm, "fixed") == 0)
    return oldest_us / judge->window_us != at_us / judge->window_us;
  return at_us - oldest_us >= judge->window_us;
}

static int decide(struct judge *judge, int64_t at_us) {
  if (strcmp(judge->algorithm, "fail") == 0) return judge->fail_status;
  if (!fits(judge, at_us)) return 429;
  judge->accepted[judge->accepted_count++ % (uint64_t)judge->count] = at_us;
  return 200;
}

static void note(struct judge *judge, int64_t at_us, int status) {
  if (judge->arrived == judge->room) {
    judge->room = judge->room ? judge->room * 2 : 4096;
    judge->arrivals = realloc(judge->arrivals, judge->room * sizeof(*judge->arrivals));
    if (!judge->arrivals) abort();
  }
  judge->arrivals[judge->arrived++] = (struct arrival){at_us, status};
}

static void answer(struct judge *judge, int socket) {
  char text[160];
  int64_t at_us = now_us();
  int status = decide(judge, at_us);
  note(judge, at_us, status);
  int size = snprintf(text, sizeof(text),
                      "HTTP/1.1 %d Judged\r\nContent-Type: application/json\r\n"
                      "Content-Length: 2\r\n\r\n{}",
                      status);
  if (write(socket, text, (size_t)size) != size) shutdown(socket, SHUT_RDWR);
}

/* Requests have no body here. */
static int serve(struct judge *judge, int socket, struct connection *connection) {
  ssize_t got = read(socket, connection->bytes + connection->size, REQUEST_MAX - connection->size);
  if (got <= 0) return 0;
  connection->size += (size_t)got;
  connection->bytes[connection->size] = '\0';
  char *end;
  while ((end = strstr(connection->bytes, "\r\n\r\n"))) {
    size_t used = (size_t)(end + 4 - connection->bytes);
    answer(judge, socket);
    memmove(connection->bytes, end + 4, connection->size - used + 1);
    connection->size -= used;
  }
  return connection->size < REQUEST_MAX;
}

static void accept_one(struct judge *judge) {
  int socket = accept(judge->polls[0].fd, NULL, NULL), on = 1;
  if (socket < 0) return;
  if (judge->open > CONNECTIONS) {
    close(socket);
    return;
  }
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  judge->polls[judge->open] = (struct pollfd){.fd = socket, .events = POLLIN};
  judge->connections[judge->open++] = calloc(1, sizeof(struct connection));
}

static void drop(struct judge *judge, nfds_t place) {
  close(judge->polls[place].fd);
  free(judge->connections[place]);
  judge->open--;
  judge->polls[place] = judge->polls[judge->open];
  judge->connections[place] = judge->connections[judge->open];
}

static int listen_on_loopback(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
      listen(listener, 1024) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    return -1;
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return listener;
}

static int write_log(const struct judge *judge, const char *path) {
  FILE *log = fopen(path, "w");
  if (!log) return 1;
  for (size_t i = 0; i < judge->arrived; i++)
    fprintf(log, "%lld %d\n", (long long)judge->arrivals[i].at_us, judge->arrivals[i].status);
  return fclose(log) != 0;
}

int main(int count, char **words) {
  static struct judge judge;
  if (count < 5) return 2;
  judge.algorithm = words[1];
  judge.count = strtoll(words[2], NULL, 10);
  judge.window_us = strtoll(words[3], NULL, 10) * 1000;
  judge.fail_status = count > 5 ? (int)strtol(words[5], NULL, 10) : 503;
  judge.accepted = calloc((size_t)judge.count, sizeof(int64_t));
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  judge.polls[0] = (struct pollfd){.fd = listen_on_loopback(), .events = POLLIN};
  judge.open = 1;
  while (!ended && judge.polls[0].fd >= 0) {
    if (poll(judge.polls, judge.open, 1000) < 0 && errno != EINTR) break;
    for (nfds_t i = judge.open; i-- > 1 && !ended;)
      if (judge.polls[i].revents && !serve(&judge, judge.polls[i].fd, judge.connections[i]))
        drop(&judge, i);
    if (judge.polls[0].revents & POLLIN) accept_one(&judge);
  }
  return write_log(&judge, words[4]);
}
