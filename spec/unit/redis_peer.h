/*
** A Redis that does what a test tells it, on a loopback port of its own: it reads
** commands, and says whatever bytes the test gives. Nothing in it blocks; 'pump'
** lets it do what is possible now.
*/
#ifndef REDIS_PEER_H
#define REDIS_PEER_H

#include <stdbool.h>
#include <stddef.h>

#define REDIS_PEER_WORDS 64

struct redis_peer {
  int listener, connection; /* -1: none */
  int port;
  int accepted; /* connections so far */
  bool is_deaf; /* accepts nothing */
  char *heard;  /* bytes that no command was made of yet */
  size_t heard_size;
};

struct redis_peer_command {
  int count;
  char *words[REDIS_PEER_WORDS]; /* end with a zero byte */
  char *block;                   /* what they point into */
};

void redis_peer_open(struct redis_peer *peer);
void redis_peer_close(struct redis_peer *peer);
void redis_peer_hang_up(struct redis_peer *peer); /* the connection; the port stays open */
void redis_peer_pump(struct redis_peer *peer);

/* The next whole command; false: none yet. */
bool redis_peer_next(struct redis_peer *peer, struct redis_peer_command *command);
void redis_peer_forget(struct redis_peer_command *command);

void redis_peer_say(struct redis_peer *peer, const char *bytes);

#endif
