/*
** A road with a length: `delay PORT MILLISECONDS JITTER` forwards TCP connections to 127.0.0.1:PORT, and every chunk
** of bytes, in both directions, arrives that much later, give or take the jitter (even, seeded); never before the chunk
** that left before it. The port to connect to is printed first. Ends on SIGTERM.
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

#define SOCKETS 512

struct chunk {
  struct chunk *next;
  int64_t due_us;
  size_t size; /* 0: the end */
  char bytes[];
};

struct side {
  int socket, other;          /* place of the opposite one */
  int ended;                  /* nothing more comes from here */
  struct chunk *first, *last; /* under way to this one */
};

static struct side sides[SOCKETS];
static struct pollfd polls[SOCKETS + 1];
static int side_count;
static int64_t delay_us, jitter_us;
static uint64_t randomness = 88172645463325252U;

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t some_delay_us(void) {
  randomness ^= randomness << 13;
  randomness ^= randomness >> 7;
  randomness ^= randomness << 17;
  int64_t width_us = 2 * jitter_us + 1;
  return delay_us - jitter_us + (int64_t)(randomness % (uint64_t)width_us);
}

static void enqueue(struct side *to, const char *bytes, size_t size) {
  struct chunk *chunk = malloc(sizeof(*chunk) + size);
  if (!chunk) abort();
  *chunk = (struct chunk){.due_us = now_us() + some_delay_us(), .size = size};
  memcpy(chunk->bytes, bytes, size);
  if (to->last && chunk->due_us < to->last->due_us) chunk->due_us = to->last->due_us;
  if (to->last)
    to->last->next = chunk;
  else
    to->first = chunk;
  to->last = chunk;
}

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)port)};
  int made = socket(AF_INET, SOCK_STREAM, 0);
  if (made >= 0 && connect(made, (struct sockaddr *)&address, sizeof(address)) == 0) return made;
  if (made >= 0) close(made);
  return -1;
}

static void accept_one(int listener, int port) {
  int on = 1, near = accept(listener, NULL, NULL);
  int far = near >= 0 && side_count + 2 <= SOCKETS ? connect_to(port) : -1;
  if (far < 0) {
    if (near >= 0) close(near);
    return;
  }
  setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sides[side_count] = (struct side){.socket = near, .other = side_count + 1};
  sides[side_count + 1] = (struct side){.socket = far, .other = side_count};
  side_count += 2;
}

static void receive(struct side *side) {
  char bytes[65536];
  ssize_t got = read(side->socket, bytes, sizeof(bytes));
  if (got < 0 && errno == EINTR) return;
  enqueue(&sides[side->other], bytes, got > 0 ? (size_t)got : 0);
  side->ended = got <= 0;
}

/* Returns when the next chunk is due. */
static int64_t deliver(struct side *side, int64_t at_us) {
  while (side->first && side->first->due_us <= at_us) {
    struct chunk *chunk = side->first;
    side->first = chunk->next;
    if (!side->first) side->last = NULL;
    if (chunk->size == 0)
      shutdown(side->socket, SHUT_WR);
    else if (write(side->socket, chunk->bytes, chunk->size) != (ssize_t)chunk->size)
      shutdown(side->socket, SHUT_RDWR);
    free(chunk);
  }
  return side->first ? side->first->due_us : INT64_MAX;
}

static int64_t deliver_all(void) {
  int64_t next_us = INT64_MAX, at_us = now_us();
  for (int i = 0; i < side_count; i++) {
    int64_t due_us = deliver(&sides[i], at_us);
    if (due_us < next_us) next_us = due_us;
  }
  return next_us;
}

static int wait_until(int64_t next_us) {
  struct timespec patience = {.tv_sec = 1};
  int64_t left_us = next_us - now_us();
  if (left_us < 0) left_us = 0;
  if (left_us < 1000000) patience = (struct timespec){.tv_nsec = left_us * 1000};
  for (int i = 0; i < side_count; i++)
    polls[i + 1] = (struct pollfd){.fd = sides[i].ended ? -1 : sides[i].socket, .events = POLLIN};
  return ppoll(polls, (nfds_t)side_count + 1, &patience, NULL);
}

int main(int count, char **words) {
  if (count < 4) return 2;
  int port = (int)strtol(words[1], NULL, 10);
  delay_us = strtoll(words[2], NULL, 10) * 1000;
  jitter_us = strtoll(words[3], NULL, 10) * 1000;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 128) != 0)
    return 1;
  if (getsockname(listener, (struct sockaddr *)&address, &size) != 0) return 1;
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  signal(SIGPIPE, SIG_IGN);
  polls[0] = (struct pollfd){.fd = listener, .events = POLLIN};
  for (;;) {
    if (wait_until(deliver_all()) < 0) continue;
    int known = side_count;
    if (polls[0].revents & POLLIN) accept_one(listener, port);
    for (int i = 0; i < known; i++)
      if (polls[i + 1].revents) receive(&sides[i]);
  }
}
