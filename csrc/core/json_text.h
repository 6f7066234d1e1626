/*
** Strings of RFC 8259 section 7 and their UTF-8 (RFC 3629): found, checked and
** turned from escaped to plain and back.
*/
#ifndef MR_JSON_TEXT_H
#define MR_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "buffer.h"

/* A string between its quotes, while it is being scanned. */
struct mr_json_string {
  const char *at;      /* CLOSED: the final quote; STARVED: go on here; BAD: the wrong byte */
  size_t saved;        /* bytes by which the plain text is shorter than the escaped one so far */
  const char *problem; /* a static text, if BAD */
};

enum mr_json_string_state { MR_JSON_STRING_CLOSED, MR_JSON_STRING_STARVED, MR_JSON_STRING_BAD };

/* Goes on at 'at' until the closing quote. A string that is cut off at 'end' can be scanned on
** from 'at' when there is more. */
enum mr_json_string_state mr_json_scan_string(struct mr_json_string *string, const char *end);

/* Turns the escaped text of a CLOSED string into plain text, and returns its length, which is
** never above 'size'. */
size_t mr_json_unescape(char *out, const char *text, size_t size);

/* Appends the text with quotes and escapes. MR_DECODE: it is not valid UTF-8. A failure may
** leave a part of the string behind. */
enum mr_kind mr_json_write_string(struct mr_buffer *out, const char *text, size_t size);

/* The length of the UTF-8 sequence at 'text' < 'end', 0 if it is invalid, -1 if it is valid as
** far as it goes but cut off at 'end'. */
int mr_utf8_length(const char *text, const char *end);

/* True for a byte that ends a run of plain text: quote, backslash, control, or not ASCII. */
static inline bool mr_json_is_special(char byte) {
  return (unsigned char)(byte - 0x20) >= 0x60 || byte == '"' || byte == '\\';
}

#ifdef __SSE2__
/* A bit for each special byte of sixteen. Compared signed, bytes above 127 are below the space. */
static inline unsigned mr_json_special_mask(__m128i bytes) {
  __m128i outside = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  return (unsigned)_mm_movemask_epi8(_mm_or_si128(outside, _mm_or_si128(quote, backslash)));
}
#endif

/* The first special byte from 'text' on, or 'end'. Inline: most strings end within 16 bytes. */
static inline const char *mr_json_plain_end(const char *text, const char *end) {
#ifdef __SSE2__
  for (; end - text >= 16; text += 16) {
    unsigned mask = mr_json_special_mask(_mm_loadu_si128((const __m128i *)text));
    if (mask) return text + __builtin_ctz(mask);
  }
#endif
  while (text < end && !mr_json_is_special(*text))
    text++;
  return text;
}

#endif
