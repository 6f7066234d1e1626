/*
** Names of the kinds, and messages of a fixed size.
*/
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [MR_NONE] = "none",           [MR_HTTP] = "http",
    [MR_PARTIAL] = "partial",     [MR_NETWORK] = "network",
    [MR_TIMEOUT] = "timeout",     [MR_THROTTLED] = "throttled",
    [MR_AUTH] = "auth",           [MR_DECODE] = "decode",
    [MR_TOO_LARGE] = "too_large", [MR_TRUNCATED] = "truncated",
    [MR_REDIRECT] = "redirect",   [MR_CANCELLED] = "cancelled",
    [MR_LIMIT] = "limit",         [MR_IO] = "io",
};

const char *mr_kind_name(enum mr_kind kind) {
  size_t count = sizeof(kind_names) / sizeof(kind_names[0]);
  return (size_t)kind < count ? kind_names[kind] : "unknown";
}

/* Bytes of the UTF-8 sequence that begins with 'lead'; 1 for what begins none. */
static size_t sequence_size(unsigned char lead) {
  if (lead >= 0xF0) return 4;
  if (lead >= 0xE0) return 3;
  return lead >= 0xC0 ? 2 : 1;
}

/* The size of 'text' without a last character of which bytes were cut off. */
static size_t whole_characters(const char *text, size_t size) {
  size_t start = size;
  while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
    start--;
  if (start == 0) return size;
  start--;
  return start + sequence_size((unsigned char)text[start]) > size ? start : size;
}

/* Formats aside first: an argument may be the message that is being replaced. */
enum mr_kind mr_fail(struct mr_error *error, enum mr_kind kind, const char *format, ...) {
  if (!error) return kind;
  char message[MR_MESSAGE_SIZE];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  size_t size = length < 0 ? 0 : (size_t)length;
  if (size >= sizeof(message)) size = whole_characters(message, sizeof(message) - 1);
  memcpy(error->message, message, size);
  error->message[size] = '\0';
  error->kind = kind;
  return kind;
}
