/*
** A growing byte buffer with a hard maximum. The bytes are always followed by
** a zero byte that does not count, so that text can be handed to C.
*/
#ifndef MR_BUFFER_H
#define MR_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct mr_buffer {
  char *data; /* NULL until the first byte */
  size_t size;
  size_t capacity;
  size_t limit; /* size never exceeds it */
  bool secret;  /* wiped before it is freed or moved */
};

void mr_buffer_init(struct mr_buffer *buffer, size_t limit);
void mr_buffer_free(struct mr_buffer *buffer);  /* leaves an empty buffer with the same limit */
void mr_buffer_clear(struct mr_buffer *buffer); /* keeps the memory */
/* Exchanges the bytes and their memory; each keeps its limit. Neither is secret. */
void mr_buffer_swap(struct mr_buffer *one, struct mr_buffer *other);

/* All return MR_NONE, MR_TOO_LARGE (over 'limit') or MR_LIMIT (no memory), and on
** failure leave the buffer as it was. */
/* Reserve, where there is no room. */
enum mr_kind mr_buffer_grow(struct mr_buffer *buffer, size_t more);
static inline enum mr_kind mr_buffer_reserve(struct mr_buffer *buffer, size_t more) {
  bool fits = more < buffer->capacity - buffer->size && more <= buffer->limit - buffer->size;
  return fits && buffer->size <= buffer->limit ? MR_NONE : mr_buffer_grow(buffer, more);
}
enum mr_kind mr_buffer_append(struct mr_buffer *buffer, const void *bytes, size_t size);
enum mr_kind mr_buffer_text(struct mr_buffer *buffer, const char *text);
enum mr_kind mr_buffer_byte(struct mr_buffer *buffer, char byte);
enum mr_kind mr_buffer_format(struct mr_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

const char *mr_buffer_string(const struct mr_buffer *buffer); /* "" when empty, never NULL */

#endif
