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

/* The same, by the short way for the two and three bytes that most text beyond ASCII is made of. */
static inline int length_of(const char *text, const char *end) {
  const unsigned char *bytes = (const unsigned char *)text;
  if (end - text >= 3 && (bytes[1] & 0xc0) == 0x80) {
    if (is_between(bytes[0], 0xc2, 0xdf)) return 2;
    bool is_whole_row = bytes[0] > 0xe0 && bytes[0] < 0xf0 && bytes[0] != 0xed;
    if (is_whole_row && (bytes[2] & 0xc0) == 0x80) return 3;
  }
  return mr_utf8_length(text, end);
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

/* What the letter after a backslash means; 0 if it means nothing by itself. */
static const char plain_letters[256] = {
    ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
    ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
};

/* The value of four hex digits at 'text', -1 if one of them is none, -2 if they are cut off at 'end'. */
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
  if (!plain_letters[(unsigned char)letter])
    return bad(string, "unknown escape after the backslash");
  string->at += 2;
  string->saved += 1;
  return MR_JSON_STRING_CLOSED;
}

static enum mr_json_string_state scan_sequence(struct mr_json_string *string, const char *end) {
  int length = length_of(string->at, end);
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

/* '*text' stands behind the backslash, and is moved behind the escape. */
static size_t unescape_one(char *out, const char **text) {
  const char *p = *text;
  if (*p != 'u') {
    *out = plain_letters[(unsigned char)*p];
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

/* The escape of a special ASCII byte, and its length. */
static size_t escape_of(unsigned char byte, char escape[6]) {
  static const char letters[] = "btn?fr"; /* from 8 to 13; 11 has none */
  escape[0] = '\\';
  escape[1] = (char)byte;
  if (byte == '"' || byte == '\\') return 2;
  if (byte >= '\b' && byte <= '\r' && byte != '\v') {
    escape[1] = letters[byte - '\b'];
    return 2;
  }
  escape[1] = 'u';
  escape[2] = escape[3] = '0';
  escape[4] = lower_hex[byte >> 4];
  escape[5] = lower_hex[byte & 15];
  return 6;
}

/* The rest of the text and the final quote always have room: each byte makes at least one. */
static enum mr_kind write_escape(struct mr_buffer *out, unsigned char byte, size_t rest) {
  char escape[6];
  size_t size = escape_of(byte, escape), needed = size + rest + 1;
  if (out->capacity - out->size <= needed) {
    enum mr_kind kind = mr_buffer_reserve(out, needed);
    if (kind != MR_NONE) return kind;
  }
  memcpy(out->data + out->size, escape, size);
  out->size += size;
  return MR_NONE;
}

/* Copies what is beyond ASCII and returns where that ends, NULL if it is invalid. */
static const char *write_sequences(struct mr_buffer *out, const char *text, const char *end) {
  do {
    int length = length_of(text, end);
    if (length <= 0) return NULL;
    for (; length > 0; length--)
      out->data[out->size++] = *text++;
  } while (text < end && (unsigned char)*text >= 0x80);
  return text;
}

static const char *write_plain(struct mr_buffer *out, const char *text, const char *end) {
  const char *stop = copy_plain(out->data + out->size, text, end);
  out->size += (size_t)(stop - text);
  return stop;
}

/* 'text' stands on a special byte. */
static enum mr_kind write_rest(struct mr_buffer *out, const char *text, const char *end) {
  while (text < end) {
    if ((unsigned char)*text >= 0x80) {
      text = write_sequences(out, text, end);
      if (!text) return MR_DECODE;
    } else {
      enum mr_kind kind = write_escape(out, (unsigned char)*text, (size_t)(end - text - 1));
      if (kind != MR_NONE) return kind;
      text++;
    }
    text = write_plain(out, text, end);
  }
  return MR_NONE;
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
  if (text < end) {
    enum mr_kind kind = write_rest(out, text, end);
    if (kind != MR_NONE) return kind;
  }
  out->data[out->size++] = '"';
  out->data[out->size] = '\0';
  return MR_NONE;
}

/* }====== */
