/*
** Growth doubles, and stops at the limit: one block is never larger than the
** limit and its final zero byte. A secret buffer never goes through realloc,
** which would leave the old bytes behind.
*/
#include "buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"

#define FIRST_CAPACITY 64

void mr_buffer_init(struct mr_buffer *buffer, size_t limit) {
  *buffer = (struct mr_buffer){.limit = limit};
}

static void release(struct mr_buffer *buffer) {
  if (buffer->secret) mr_wipe(buffer->data, buffer->capacity);
  mr_free(buffer->data);
}

void mr_buffer_free(struct mr_buffer *buffer) {
  release(buffer);
  buffer->data = NULL;
  buffer->size = buffer->capacity = 0;
}

void mr_buffer_clear(struct mr_buffer *buffer) {
  if (buffer->secret) mr_wipe(buffer->data, buffer->capacity);
  buffer->size = 0;
  if (buffer->data) buffer->data[0] = '\0';
}

void mr_buffer_swap(struct mr_buffer *one, struct mr_buffer *other) {
  struct mr_buffer bytes = *one;
  *one = *other;
  one->limit = bytes.limit;
  bytes.limit = other->limit;
  *other = bytes;
}

/* 'needed' counts the final zero byte and is at most limit + 1. */
static size_t next_capacity(const struct mr_buffer *buffer, size_t needed) {
  size_t capacity = buffer->capacity > SIZE_MAX / 2 ? SIZE_MAX : buffer->capacity * 2;
  if (capacity < FIRST_CAPACITY) capacity = FIRST_CAPACITY;
  if (buffer->limit < capacity) capacity = buffer->limit + 1;
  return capacity < needed ? needed : capacity;
}

static enum mr_kind move(struct mr_buffer *buffer, size_t capacity) {
  char *data = buffer->secret ? mr_alloc(capacity) : mr_realloc(buffer->data, capacity);
  if (!data) return MR_LIMIT;
  if (buffer->secret) {
    if (buffer->size > 0) memcpy(data, buffer->data, buffer->size);
    release(buffer);
  }
  buffer->data = data;
  buffer->capacity = capacity;
  data[buffer->size] = '\0';
  return MR_NONE;
}

enum mr_kind mr_buffer_grow(struct mr_buffer *buffer, size_t more) {
  if (buffer->size > buffer->limit || more > buffer->limit - buffer->size) return MR_TOO_LARGE;
  size_t size = buffer->size + more;
  if (size < buffer->capacity) return MR_NONE;
  return size == SIZE_MAX ? MR_LIMIT : move(buffer, next_capacity(buffer, size + 1));
}

enum mr_kind mr_buffer_append(struct mr_buffer *buffer, const void *bytes, size_t size) {
  if (size == 0) return MR_NONE;
  enum mr_kind kind = mr_buffer_reserve(buffer, size);
  if (kind != MR_NONE) return kind;
  memcpy(buffer->data + buffer->size, bytes, size);
  buffer->size += size;
  buffer->data[buffer->size] = '\0';
  return MR_NONE;
}

enum mr_kind mr_buffer_text(struct mr_buffer *buffer, const char *text) {
  return mr_buffer_append(buffer, text, strlen(text));
}

enum mr_kind mr_buffer_byte(struct mr_buffer *buffer, char byte) {
  return mr_buffer_append(buffer, &byte, 1);
}

/* Measures first: a failed attempt must not touch what stands behind the text. */
enum mr_kind mr_buffer_format(struct mr_buffer *buffer, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  if (length <= 0) return length == 0 ? MR_NONE : MR_LIMIT;
  enum mr_kind kind = mr_buffer_reserve(buffer, (size_t)length);
  if (kind != MR_NONE) return kind;
  va_start(arguments, format);
  vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, arguments);
  va_end(arguments);
  buffer->size += (size_t)length;
  return MR_NONE;
}

const char *mr_buffer_string(const struct mr_buffer *buffer) {
  return buffer->data ? buffer->data : "";
}
