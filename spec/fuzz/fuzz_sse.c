/*
** The stream is fed whole, byte for byte, and in pieces as long as the first
** byte says: the events must be the same.
*/
#include <stdlib.h>
#include <string.h>

#include "core/sse.h"

static void check(bool holds) {
  if (!holds) abort();
}

static void note(struct mr_buffer *seen, const struct mr_sse_event *event) {
  check(event->data[event->data_size] == '\0');
  check(event->retry_ms >= -1);
  check(mr_buffer_format(seen, "%s\n%s\n%lld\n%zu\n", event->event, event->id,
                         (long long)event->retry_ms, event->data_size) == MR_NONE);
  check(mr_buffer_append(seen, event->data, event->data_size) == MR_NONE);
}

/* Appends what was seen, and whether the end was in the middle of an event. */
static void read_stream(const char *bytes, size_t size, size_t piece, struct mr_buffer *seen) {
  struct mr_sse parser;
  mr_sse_init(&parser);
  for (size_t at = 0; at < size;) {
    struct mr_sse_event event;
    bool found;
    size_t used, given = size - at < piece ? size - at : piece;
    check(mr_sse_feed(&parser, bytes + at, given, &used, &event, &found) == MR_NONE);
    check(used > 0 && used <= given && (found || used == given));
    if (found) note(seen, &event);
    at += used;
  }
  mr_sse_free(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const char *bytes = (const char *)data + 1;
  const size_t pieces[] = {size, 1, (size_t)data[0] + 1};
  struct mr_buffer seen[3];
  for (int i = 0; i < 3; i++) {
    mr_buffer_init(&seen[i], SIZE_MAX);
    read_stream(bytes, size - 1, pieces[i], &seen[i]);
    check(seen[i].size == seen[0].size && memcmp(seen[i].data, seen[0].data, seen[0].size) == 0);
  }
  for (int i = 0; i < 3; i++)
    mr_buffer_free(&seen[i]);
  return 0;
}
