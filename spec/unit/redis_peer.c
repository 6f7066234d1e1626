#include "redis_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

void redis_peer_open(struct redis_peer *peer) {
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(place);
  *peer = (struct redis_peer){.connection = -1};
  peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_true(peer->listener >= 0);
  assert_int_equal(bind(peer->listener, (struct sockaddr *)&place, size), 0);
  assert_int_equal(listen(peer->listener, 16), 0);
  assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&place, &size), 0);
  peer->port = ntohs(place.sin_port);
}

void redis_peer_hang_up(struct redis_peer *peer) {
  if (peer->connection >= 0) close(peer->connection);
  peer->connection = -1;
  free(peer->heard);
  peer->heard = NULL;
  peer->heard_size = 0;
}

void redis_peer_close(struct redis_peer *peer) {
  redis_peer_hang_up(peer);
  if (peer->listener >= 0) close(peer->listener);
  peer->listener = -1;
}

static void welcome(struct redis_peer *peer) {
  if (peer->listener < 0 || peer->is_deaf) return;
  int connection = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (connection < 0) return;
  redis_peer_hang_up(peer);
  peer->connection = connection;
  peer->accepted++;
}

void redis_peer_pump(struct redis_peer *peer) {
  char bytes[4096];
  welcome(peer);
  while (peer->connection >= 0) {
    ssize_t got = recv(peer->connection, bytes, sizeof(bytes), 0);
    if (got <= 0) return;
    peer->heard = realloc(peer->heard, peer->heard_size + (size_t)got + 1);
    assert_non_null(peer->heard);
    memcpy(peer->heard + peer->heard_size, bytes, (size_t)got);
    peer->heard_size += (size_t)got;
    peer->heard[peer->heard_size] = '\0';
  }
}

/* The number in "*3\r\n" or "$12\r\n" at 'at', moved behind it; -1: not whole yet. */
static long number(const struct redis_peer *peer, size_t *at, char kind) {
  const char *start = peer->heard + *at;
  const char *end = *at < peer->heard_size ? strstr(start, "\r\n") : NULL;
  if (!end) return -1;
  assert_int_equal(start[0], kind);
  *at = (size_t)(end + 2 - peer->heard);
  return strtol(start + 1, NULL, 10);
}

bool redis_peer_next(struct redis_peer *peer, struct redis_peer_command *command) {
  size_t at = 0, starts[REDIS_PEER_WORDS], sizes[REDIS_PEER_WORDS];
  long count = number(peer, &at, '*');
  if (count < 0) return false;
  assert_in_range(count, 1, REDIS_PEER_WORDS);
  for (long i = 0; i < count; i++) {
    long size = number(peer, &at, '$');
    if (size < 0 || at + (size_t)size + 2 > peer->heard_size) return false;
    starts[i] = at;
    sizes[i] = (size_t)size;
    at += (size_t)size + 2;
  }
  *command = (struct redis_peer_command){.count = (int)count, .block = malloc(at)};
  assert_non_null(command->block);
  memcpy(command->block, peer->heard, at);
  for (long i = 0; i < count; i++) {
    command->words[i] = command->block + starts[i];
    command->words[i][sizes[i]] = '\0';
  }
  peer->heard_size -= at;
  memmove(peer->heard, peer->heard + at, peer->heard_size + 1);
  return true;
}

void redis_peer_forget(struct redis_peer_command *command) {
  free(command->block);
  command->block = NULL;
}

void redis_peer_say(struct redis_peer *peer, const char *bytes) {
  size_t size = strlen(bytes);
  assert_int_equal(send(peer->connection, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}
