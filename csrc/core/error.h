/*
** What can go wrong in the world, as a closed list. Ring 2 turns it into the
** `err` table that users see; the words are the same there.
*/
#ifndef MR_ERROR_H
#define MR_ERROR_H

#include <stddef.h>

enum mr_kind {
  MR_NONE, /* no error */
  MR_HTTP,
  MR_PARTIAL,
  MR_NETWORK,
  MR_TIMEOUT,
  MR_THROTTLED,
  MR_AUTH,
  MR_DECODE,
  MR_TOO_LARGE,
  MR_TRUNCATED,
  MR_REDIRECT,
  MR_CANCELLED,
  MR_LIMIT, /* a bound of ours: queue, memory, retries */
  MR_IO     /* a file of the user's */
};

#define MR_MESSAGE_SIZE 240

struct mr_error {
  enum mr_kind kind;
  char message[MR_MESSAGE_SIZE]; /* what happened, to what, what to do; never a secret */
};

const char *mr_kind_name(enum mr_kind kind); /* "network", "too_large", ... */

/* Fills 'error' (may be NULL) and returns 'kind', so that callers can write `return mr_fail(...)`.
** A longer message is cut at a character boundary. */
enum mr_kind mr_fail(struct mr_error *error, enum mr_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
