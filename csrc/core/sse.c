/*
** Lines first, then fields. What a dispatched event points to stays in the
** buffers, whose size alone is set to 0: the next call writes over it.
*/
#include "sse.h"

#include <string.h>

#include "ascii.h"
#include "clock.h"

#define RETRY_MAX_MS (MR_NEVER / MR_MILLISECOND) /* so that its microseconds still fit */

void mr_sse_init(struct mr_sse *parser) {
  *parser = (struct mr_sse){.retry_ms = -1};
  mr_buffer_init(&parser->line, MR_SSE_MAX);
  mr_buffer_init(&parser->data, MR_SSE_MAX);
  mr_buffer_init(&parser->event, MR_SSE_MAX);
  mr_buffer_init(&parser->id, MR_SSE_MAX);
}

void mr_sse_free(struct mr_sse *parser) {
  mr_buffer_free(&parser->line);
  mr_buffer_free(&parser->data);
  mr_buffer_free(&parser->event);
  mr_buffer_free(&parser->id);
  mr_sse_init(parser);
}

static bool is_name(const char *name, size_t size, const char *expected) {
  return size == strlen(expected) && memcmp(name, expected, size) == 0;
}

/* {====== Fields ====== */

static enum mr_kind replace(struct mr_buffer *buffer, const char *value, size_t size) {
  enum mr_kind kind = mr_buffer_reserve(buffer, size);
  if (kind != MR_NONE) return kind;
  mr_buffer_clear(buffer);
  return mr_buffer_append(buffer, value, size);
}

static enum mr_kind add_data(struct mr_sse *parser, const char *value, size_t size) {
  enum mr_kind kind = mr_buffer_reserve(&parser->data, size + 1);
  if (kind != MR_NONE) return kind;
  if (parser->has_data)
    mr_buffer_byte(&parser->data, '\n');
  else
    mr_buffer_clear(&parser->data);
  parser->has_data = true;
  return mr_buffer_append(&parser->data, value, size);
}

static void set_retry(struct mr_sse *parser, const char *value, size_t size) {
  int64_t retry_ms = 0;
  for (size_t i = 0; i < size; i++) {
    if (!mr_ascii_is_digit(value[i])) return;
    if (retry_ms < RETRY_MAX_MS)
      retry_ms = retry_ms < RETRY_MAX_MS / 10 ? retry_ms * 10 + (value[i] - '0') : RETRY_MAX_MS;
  }
  if (size > 0) parser->retry_ms = retry_ms;
}

static enum mr_kind set_field(struct mr_sse *parser, const char *name, size_t name_size,
                              const char *value, size_t size) {
  if (is_name(name, name_size, "data")) return add_data(parser, value, size);
  if (is_name(name, name_size, "event")) return replace(&parser->event, value, size);
  if (is_name(name, name_size, "id"))
    return memchr(value, '\0', size) ? MR_NONE : replace(&parser->id, value, size);
  if (is_name(name, name_size, "retry")) set_retry(parser, value, size);
  return MR_NONE;
}

/* A line that is not empty. Without a colon it is all name; a leading one makes a comment. */
static enum mr_kind read_line(struct mr_sse *parser, const char *line, size_t size) {
  const char *end = line + size;
  const char *colon = memchr(line, ':', size);
  if (colon == line) return MR_NONE;
  const char *value = colon ? colon + 1 : end;
  if (value < end && *value == ' ') value++;
  return set_field(parser, line, (size_t)((colon ? colon : end) - line), value,
                   (size_t)(end - value));
}

/* }====== */

/* {====== Lines ====== */

/* An event without data is none, and takes its name with it. Its retry stays for the next one:
** else nobody would learn of it. */
static bool dispatch(struct mr_sse *parser, struct mr_sse_event *event) {
  bool named = parser->event.size > 0;
  parser->event.size = 0;
  if (!parser->has_data) return false;
  *event = (struct mr_sse_event){
      .event = named ? parser->event.data : "message",
      .data = mr_buffer_string(&parser->data),
      .data_size = parser->data.size,
      .id = mr_buffer_string(&parser->id),
      .retry_ms = parser->retry_ms,
  };
  parser->data.size = 0;
  parser->has_data = false;
  parser->retry_ms = -1;
  return true;
}

/* The stream may begin with a byte order mark, which belongs to no field. */
static size_t byte_order_mark(const struct mr_sse *parser) {
  bool found = !parser->started && parser->line.size >= 3 &&
               memcmp(parser->line.data, "\xEF\xBB\xBF", 3) == 0;
  return found ? 3 : 0;
}

static enum mr_kind end_line(struct mr_sse *parser, struct mr_sse_event *event, bool *found) {
  size_t skipped = byte_order_mark(parser);
  size_t size = parser->line.size - skipped;
  enum mr_kind kind = MR_NONE;
  if (size == 0)
    *found = dispatch(parser, event);
  else
    kind = read_line(parser, parser->line.data + skipped, size);
  if (kind == MR_NONE) {
    parser->started = true;
    mr_buffer_clear(&parser->line);
  }
  return kind;
}

static size_t held(const struct mr_sse *parser) {
  return parser->line.size + parser->data.size + parser->event.size + parser->id.size;
}

static const char *find_line_end(const char *at, const char *end) {
  while (at < end && *at != '\r' && *at != '\n')
    at++;
  return at;
}

enum mr_kind mr_sse_feed(struct mr_sse *parser, const char *bytes, size_t size, size_t *used,
                         struct mr_sse_event *event, bool *found) {
  *found = false;
  *used = 0;
  if (size == 0) return MR_NONE;
  const char *at = bytes, *end = bytes + size;
  while (at < end && !*found) {
    if (parser->after_cr && *at == '\n') at++;
    parser->after_cr = false;
    const char *line_end = find_line_end(at, end);
    size_t piece = (size_t)(line_end - at);
    if (piece > MR_SSE_MAX - held(parser)) return MR_TOO_LARGE;
    enum mr_kind kind = mr_buffer_append(&parser->line, at, piece);
    at = line_end;
    if (kind == MR_NONE && at < end) {
      parser->after_cr = *at++ == '\r';
      kind = end_line(parser, event, found);
    }
    if (kind != MR_NONE) return kind;
  }
  *used = (size_t)(at - bytes);
  return MR_NONE;
}

/* }====== */
