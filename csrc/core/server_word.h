/*
** What response headers say about limits, in one form for all dialects:
** X-RateLimit-*, X-Rate-Limit-*, RateLimit-* (Limit, Remaining, Reset), the IETF
** fields RateLimit and RateLimit-Policy in both drafts, Retry-After.
** Values that make no sense are as good as absent.
*/
#ifndef MR_SERVER_WORD_H
#define MR_SERVER_WORD_H

#include <stdint.h>

#include "clock.h"
#include "header.h"
#include "limiter.h"

#define MR_SERVER_WORDS 8 /* more are ignored */

struct mr_server_word {
  int64_t limit;     /* units; -1: not said, as in all others */
  int64_t remaining; /* units */
  int64_t reset_us;  /* a delay from now; 0: it is over already */
  int64_t window_us; /* the period */
};

struct mr_server_words {
  struct mr_server_word items[MR_SERVER_WORDS];
  uint32_t count;
  int64_t retry_after_us;      /* a delay from now */
  char garbage[MR_FIELD_NAME]; /* a field whose value makes no sense; "": there is none */
};

/* 'clock' tells our time; where the response has a Date, that is taken instead. */
void mr_server_words_read(struct mr_server_words *words, const struct mr_headers *headers,
                          const struct mr_clock *clock);

/* Retry-After, or the finer retry-after-ms; -1 when there is none that makes sense. */
int64_t mr_server_retry_after(const struct mr_headers *headers, int64_t wall_us);

#endif
