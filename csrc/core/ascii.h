/*
** Characters of protocols: ASCII whatever the locale says.
*/
#ifndef MR_ASCII_H
#define MR_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline bool mr_ascii_is_digit(char c) {
  return c >= '0' && c <= '9';
}

static inline char mr_ascii_lower(char c) {
  if (c < 'A' || c > 'Z') return c;
  return (char)(c + ('a' - 'A'));
}

static inline bool mr_ascii_is_alpha(char c) {
  c = mr_ascii_lower(c);
  return c >= 'a' && c <= 'z';
}

static inline bool mr_ascii_is_control(char c) {
  return (unsigned char)c < 0x20 || (unsigned char)c == 0x7F;
}

/* The same text, case ignored. */
static inline bool mr_ascii_same(const char *a, size_t a_size, const char *b, size_t b_size) {
  if (a_size != b_size) return false;
  for (size_t i = 0; i < a_size; i++)
    if (a[i] != b[i] && mr_ascii_lower(a[i]) != mr_ascii_lower(b[i])) return false;
  return true;
}

/* Whether the text, which ends with a zero byte, begins with these bytes, none of them zero; case ignored. */
static inline bool mr_ascii_begins(const char *text, const char *start, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (mr_ascii_lower(text[i]) != mr_ascii_lower(start[i])) return false;
  return true;
}

#endif
