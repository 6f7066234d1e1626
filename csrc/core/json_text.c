#include "json_text.h"

#include <string.h>

#define HIGH_SURROGATE 0xd800
#define LOW_SURROGATE  0xdc00
#define SURROGATES_END 0xe000

static const char lower_hex[] = "0123456789abcdef";

/* {====== UTF-8 ====== */

static bool is_between(unsigned char byte, unsigned char low, unsigned char high) {
  return byte >= low && byte <= high;
}

/* The second byte carries what the first leaves open: no overlong form, no surrogate, nothing
** beyond U+10FFFF (RFC 3629 section 4). */
static bool is_second_valid(unsigned char first, unsigned char second) {
  switch (first) {
  case 0xe0:
    return is_between(second, 0xa0, 0xbf);
  case 0xed:
    return is_between(second, 0x80, 0x9f);
  case 0xf0:
    return is_between(second, 0x90, 0xbf);
  case 0xf4:
    return is_between(second, 0x80, 0x8f);
  default:
    return is_between(second, 0x80, 0xbf);
  }
}

static int expected_length(unsigned char first) {
  if (first < 0x80) return 1;
  if (is_between(first, 0xc2, 0xdf)) return 2;
  if (is_between(first, 0xe0, 0xef)) return 3;
  return is_between(first, 0xf0, 0xf4) ? 4 : 0;
}

int mr_utf8_length(const char *text, const char *end) {
  const unsigned char *bytes = (const unsigned char *)text;
  int length = expected_length(bytes[0]);
  if (length <= 1) return length;
  int available = end - text < length ? (int)(end - text) : length;
  if (available > 1 && !is_second_valid(bytes[0], bytes[1])) return 0;
  for (int i = 2; i < available; i++)
    if (!is_between(bytes[i], 0x80, 0xbf)) return 0;
  return available < length ? -1 : length;
}

static size_t write_utf8(char *out, uint32_t code) {
  if (code < 0x80) {
    out[0] = (char)code;
    return 1;
  }
  size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  for (size_t i = length - 1; i > 0; i--) {
    out[i] = (char)(0x80 | (code & 0x3f));
    code >>= 6;
  }
  static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
  out[0] = (char)(marks[length] | code);
  return length;
}

/* }====== */

/* {====== Scanning ====== */

static int hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  char lower = (char)(byte | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The value of four hex digits at 'text', -1 if one of them is none, -2 if they are cut off at
 * 'end'. */
static int hex_unit(const char *text, const char *end) {
  int unit = 0;
  for (int i = 0; i < 4; i++) {
    if (text + i >= end) return -2;
    int digit = hex_digit(text[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

/* The same for a whole escape, from its backslash on. */
static int escaped_unit(const char *text, const char *end) {
  static const char mark[] = "\\u";
  for (int i = 0; i < 2; i++) {
    if (text + i >= end) return -2;
    if (text[i] != mark[i]) return -1;
  }
  return hex_unit(text + 2, end);
}

static bool is_surrogate(int unit) {
  return unit >= HIGH_SURROGATE && unit < SURROGATES_END;
}

static enum mr_json_string_state bad(struct mr_json_string *string, const char *problem) {
  string->problem = problem;
  return MR_JSON_STRING_BAD;
}

/* The steps below return CLOSED for "the string goes on". */

static enum mr_json_string_state scan_pair(struct mr_json_string *string, const char *end,
                                           int first) {
  if (first >= LOW_SURROGATE) return bad(string, "a low surrogate stands alone");
  int second = escaped_unit(string->at + 6, end);
  if (second == -2) return MR_JSON_STRING_STARVED;
  if (second < LOW_SURROGATE || second >= SURROGATES_END)
    return bad(string, "a high surrogate stands alone");
  string->at += 12;
  string->saved += 12 - 4;
  return MR_JSON_STRING_CLOSED;
}

static enum mr_json_string_state scan_unicode(struct mr_json_string *string, const char *end) {
  int unit = hex_unit(string->at + 2, end);
  if (unit == -2) return MR_JSON_STRING_STARVED;
  if (unit < 0) return bad(string, "four hex digits must follow \\u");
  if (is_surrogate(unit)) return scan_pair(string, end, unit);
  string->at += 6;
  string->saved += unit < 0x80 ? 5 : unit < 0x800 ? 4 : 3;
  return MR_JSON_STRING_CLOSED;
}

static enum mr_json_string_state scan_escape(struct mr_json_string *string, const char *end) {
  if (end - string->at < 2) return MR_JSON_STRING_STARVED;
  char letter = string->at[1];
  if (letter == 'u') return scan_unicode(string, end);
  if (letter == '\0' || !strchr("\"\\/bfnrt", letter))
    return bad(string, "unknown escape after the backslash");
  string->at += 2;
  string->saved += 1;
  return MR_JSON_STRING_CLOSED;
}

static enum mr_json_string_state scan_sequence(struct mr_json_string *string, const char *end) {
  int length = mr_utf8_length(string->at, end);
  if (length < 0) return MR_JSON_STRING_STARVED;
  if (length == 0) return bad(string, "invalid UTF-8");
  string->at += length;
  return MR_JSON_STRING_CLOSED;
}

enum mr_json_string_state mr_json_scan_string(struct mr_json_string *string, const char *end) {
  for (;;) {
    enum mr_json_string_state state;
    string->at = mr_json_plain_end(string->at, end);
    if (string->at == end) return MR_JSON_STRING_STARVED;
    if (*string->at == '"') return MR_JSON_STRING_CLOSED;
    if (*string->at == '\\')
      state = scan_escape(string, end);
    else if ((unsigned char)*string->at >= 0x80)
      state = scan_sequence(string, end);
    else
      return bad(string, "a control character must be escaped in a string");
    if (state != MR_JSON_STRING_CLOSED) return state;
  }
}

/* }====== */

/* {====== Unescaping ====== */

static char plain_letter(char letter) {
  switch (letter) {
  case 'b':
    return '\b';
  case 'f':
    return '\f';
  case 'n':
    return '\n';
  case 'r':
    return '\r';
  case 't':
    return '\t';
  default:
    return letter;
  }
}

/* '*text' stands behind the backslash, and is moved behind the escape. */
static size_t unescape_one(char *out, const char **text) {
  const char *p = *text;
  if (*p != 'u') {
    *out = plain_letter(*p);
    *text = p + 1;
    return 1;
  }
  uint32_t code = (uint32_t)hex_unit(p + 1, p + 5);
  *text = p + 5;
  if (code >= HIGH_SURROGATE && code < LOW_SURROGATE) {
    uint32_t low = (uint32_t)hex_unit(p + 7, p + 11);
    code = 0x10000 + ((code - HIGH_SURROGATE) << 10) + (low - LOW_SURROGATE);
    *text = p + 11;
  }
  return write_utf8(out, code);
}

size_t mr_json_unescape(char *out, const char *text, size_t size) {
  const char *end = text + size;
  char *start = out;
  while (text < end) {
    const char *backslash = memchr(text, '\\', (size_t)(end - text));
    size_t run = (size_t)((backslash ? backslash : end) - text);
    memcpy(out, text, run);
    out += run;
    text += run;
    if (!backslash) break;
    text++;
    out += unescape_one(out, &text);
  }
  return (size_t)(out - start);
}

/* }====== */

/* {====== Writing ====== */

#define EVERY_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Is any of the eight bytes special? A byte that equals 'c' is the only kind that (x ^ c) - 1 gives
** a new top bit. */
static bool has_special(uint64_t bytes) {
  uint64_t quote = bytes ^ EVERY_BYTE('"');
  uint64_t backslash = bytes ^ EVERY_BYTE('\\');
  uint64_t controls = bytes - EVERY_BYTE(0x20);
  uint64_t quotes = (quote - EVERY_BYTE(1)) & ~quote;
  uint64_t backslashes = (backslash - EVERY_BYTE(1)) & ~backslash;
  return ((bytes | controls | quotes | backslashes) & EVERY_BYTE(0x80)) != 0;
}

/* Copies fewer than 16 bytes, as two pieces that may overlap, if none of them is special. */
static bool copy_short(char *out, const char *text, size_t size) {
  uint64_t first = 0, last = 0;
  if (size >= 8) {
    memcpy(&first, text, 8);
    memcpy(&last, text + size - 8, 8);
    if (has_special(first) || has_special(last)) return false;
    memcpy(out, &first, 8);
    memcpy(out + size - 8, &last, 8);
    return true;
  }
  if (size < 4) return false;
  memcpy(&first, text, 4);
  memcpy(&last, text + size - 4, 4);
  if (has_special(first | last << 32)) return false;
  memcpy(out, &first, 4);
  memcpy(out + size - 4, &last, 4);
  return true;
}

/* Copies plain text to 'out', which has room for all of it, and returns where it stopped. */
static const char *copy_plain(char *out, const char *text, const char *end) {
#ifdef __SSE2__
  for (; end - text >= 16; text += 16, out += 16) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)text);
    _mm_storeu_si128((__m128i *)out, bytes);
    unsigned mask = mr_json_special_mask(bytes);
    if (mask) return text + __builtin_ctz(mask);
  }
#endif
  if (end - text < 16 && copy_short(out, text, (size_t)(end - text))) return end;
  while (text < end && !mr_json_is_special(*text))
    *out++ = *text++;
  return text;
}

static enum mr_kind write_escape(struct mr_buffer *out, char byte) {
  static const char letters[] = "btn?fr"; /* from 8 to 13; 11 has none */
  char escape[6] = {'\\', byte, '0', '0', 0, 0};
  if (byte == '"' || byte == '\\') return mr_buffer_append(out, escape, 2);
  if (byte >= '\b' && byte <= '\r' && byte != '\v') {
    escape[1] = letters[byte - '\b'];
    return mr_buffer_append(out, escape, 2);
  }
  escape[1] = 'u';
  escape[4] = lower_hex[byte >> 4];
  escape[5] = lower_hex[byte & 15];
  return mr_buffer_append(out, escape, sizeof escape);
}

static enum mr_kind write_special(struct mr_buffer *out, const char **text, const char *end) {
  if ((unsigned char)**text < 0x80) return write_escape(out, *(*text)++);
  const char *start = *text;
  do {
    int length = mr_utf8_length(*text, end);
    if (length <= 0) return MR_DECODE;
    *text += length;
  } while (*text < end && (unsigned char)**text >= 0x80);
  return mr_buffer_append(out, start, (size_t)(*text - start));
}

/* 'out' has room for the rest of the text, each of whose bytes makes at least one. */
static const char *write_plain(struct mr_buffer *out, const char *text, const char *end) {
  const char *stop = copy_plain(out->data + out->size, text, end);
  out->size += (size_t)(stop - text);
  return stop;
}

static enum mr_kind write_rest(struct mr_buffer *out, const char *text, const char *end) {
  while (text < end) {
    enum mr_kind kind = write_special(out, &text, end);
    if (kind == MR_NONE) kind = mr_buffer_reserve(out, (size_t)(end - text));
    if (kind != MR_NONE) return kind;
    text = write_plain(out, text, end);
  }
  return mr_buffer_byte(out, '"');
}

enum mr_kind mr_json_write_string(struct mr_buffer *out, const char *text, size_t size) {
  const char *end = text + size;
  if (size > SIZE_MAX - 2) return MR_TOO_LARGE;
  if (out->capacity - out->size <= size + 2) {
    enum mr_kind kind = mr_buffer_reserve(out, size + 2);
    if (kind != MR_NONE) return kind;
  }
  out->data[out->size++] = '"';
  text = write_plain(out, text, end);
  if (text < end) return write_rest(out, text, end);
  out->data[out->size++] = '"';
  out->data[out->size] = '\0';
  return MR_NONE;
}

/* }====== */
