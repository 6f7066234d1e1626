/*
** Server-sent events (WHATWG HTML section 9.2): bytes in, events out. Holds at
** most one event of MR_SSE_MAX bytes.
*/
#ifndef MR_SSE_H
#define MR_SSE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

#define MR_SSE_MAX 8388608 /* bytes: 8 MiB */

struct mr_sse_event {
  const char *event; /* "message" when the stream names none */
  const char *data;
  size_t data_size;
  const char *id;   /* last event id, "" when none */
  int64_t retry_ms; /* -1 unless this block set it */
};

struct mr_sse {
  struct mr_buffer line, data, event, id;
  int64_t retry_ms;
  bool started, after_cr, has_data;
};

void mr_sse_init(struct mr_sse *parser);
void mr_sse_free(struct mr_sse *parser);

/* Takes bytes up to and including the end of the first whole event: *used says how many, *found whether 'event' is
** filled (valid until the next call). Call again with the rest. MR_TOO_LARGE for a block over MR_SSE_MAX. */
enum mr_kind mr_sse_feed(struct mr_sse *parser, const char *bytes, size_t size, size_t *used,
                         struct mr_sse_event *event, bool *found);

#endif
