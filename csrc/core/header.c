/*
** Storage: one text buffer holds names and values back to back, without
** separators; fields are offsets into it, so that it may move.
*/
#include "header.h"

#include <string.h>

#include "ascii.h"
#include "memory.h"

#define FIRST_FIELDS 16

void mr_headers_init(struct mr_headers *headers) {
  *headers = (struct mr_headers){0};
  mr_buffer_init(&headers->text, MR_HEADERS_MAX_BYTES);
}

void mr_headers_clear(struct mr_headers *headers) {
  mr_buffer_clear(&headers->text);
  headers->count = 0;
  headers->names = 0;
}

void mr_headers_free(struct mr_headers *headers) {
  mr_buffer_free(&headers->text);
  mr_free(headers->fields);
  headers->fields = NULL;
  headers->count = headers->capacity = 0;
  headers->names = 0;
}

/* Most look-ups are for fields that are not there, and end with this bit. Names are not empty. */
static uint64_t bit_of(struct mr_slice name) {
  unsigned first = (unsigned char)name.data[0] | 32,
           last = (unsigned char)name.data[name.size - 1] | 32;
  return UINT64_C(1) << ((name.size * 5 + first + last * 3) & 63);
}

/* {====== Adding ====== */

/* RFC 9110 section 5.6.2. */
static const bool token_bytes[256] = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
    ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['0'] = true, ['1'] = true,
    ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true,
    ['8'] = true, ['9'] = true, ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true,
    ['E'] = true, ['F'] = true, ['G'] = true, ['H'] = true, ['I'] = true, ['J'] = true,
    ['K'] = true, ['L'] = true, ['M'] = true, ['N'] = true, ['O'] = true, ['P'] = true,
    ['Q'] = true, ['R'] = true, ['S'] = true, ['T'] = true, ['U'] = true, ['V'] = true,
    ['W'] = true, ['X'] = true, ['Y'] = true, ['Z'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['a'] = true, ['b'] = true, ['c'] = true, ['d'] = true, ['e'] = true,
    ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true,
    ['l'] = true, ['m'] = true, ['n'] = true, ['o'] = true, ['p'] = true, ['q'] = true,
    ['r'] = true, ['s'] = true, ['t'] = true, ['u'] = true, ['v'] = true, ['w'] = true,
    ['x'] = true, ['y'] = true, ['z'] = true, ['|'] = true, ['~'] = true,
};

static bool is_token_byte(char c) {
  return token_bytes[(unsigned char)c];
}

bool mr_header_name_ok(const char *name, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (!is_token_byte(name[i])) return false;
  return size > 0;
}

bool mr_header_value_ok(const char *value, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (mr_ascii_is_control(value[i]) && value[i] != '\t') return false;
  return true;
}

bool mr_header_line_ok(const char *line, size_t size) {
  const char *colon = memchr(line, ':', size);
  if (!colon) return false;
  size_t name_size = (size_t)(colon - line);
  return mr_header_name_ok(line, name_size) && mr_header_value_ok(colon + 1, size - name_size - 1);
}

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/* Has its highest bit in some byte when any of the eight is below 16. */
static uint64_t low_bytes(const char *text) {
  uint64_t word;
  memcpy(&word, text, sizeof word);
  return (word - UINT64_C(0x1010101010101010)) & ~word & UINT64_C(0x8080808080808080);
}

/* All that breaks lines is below 16, and of what is usual in a line the tab alone. Eight bytes at a time, the last ones
** overlapping, take a third of the time of three searches by vectors for so short a text. */
static bool has_low_byte(const char *text, size_t size) {
  uint64_t low = 0;
  if (size < 8) {
    for (size_t i = 0; i < size; i++)
      low |= (unsigned char)text[i] < 16;
    return low != 0;
  }
  for (size_t i = 0; i + 8 <= size; i += 8)
    low |= low_bytes(text + i);
  return (low | low_bytes(text + size - 8)) != 0;
}

/* What comes in may be kept with other control characters in it: section 5.5 leaves that to us. */
static bool is_one_line(const char *text, size_t size) {
  if (!has_low_byte(text, size)) return true;
  return !memchr(text, '\r', size) && !memchr(text, '\n', size) && !memchr(text, '\0', size);
}

static struct mr_slice trim(const char *text, size_t size) {
  while (size > 0 && is_blank(text[size - 1]))
    size--;
  while (size > 0 && is_blank(*text)) {
    text++;
    size--;
  }
  return (struct mr_slice){text, size};
}

static size_t without_line_end(const char *line, size_t size) {
  if (size > 0 && line[size - 1] == '\n') size--;
  if (size > 0 && line[size - 1] == '\r') size--;
  return size;
}

static enum mr_kind reserve_field(struct mr_headers *headers) {
  if (headers->count == MR_HEADERS_MAX_COUNT) return MR_TOO_LARGE;
  if (headers->count < headers->capacity) return MR_NONE;
  uint32_t capacity = headers->capacity ? headers->capacity * 2 : FIRST_FIELDS;
  struct mr_field *fields = mr_realloc(headers->fields, capacity * sizeof(*fields));
  if (!fields) return MR_LIMIT;
  headers->fields = fields;
  headers->capacity = capacity;
  return MR_NONE;
}

enum mr_kind mr_headers_put(struct mr_headers *headers, struct mr_slice name,
                            struct mr_slice value) {
  enum mr_kind kind = reserve_field(headers);
  if (kind == MR_NONE) kind = mr_buffer_reserve(&headers->text, name.size + value.size);
  if (kind != MR_NONE) return kind;
  struct mr_field *field = &headers->fields[headers->count++];
  field->name = (uint32_t)headers->text.size;
  field->name_size = (uint32_t)name.size;
  field->value = field->name + field->name_size;
  field->value_size = (uint32_t)value.size;
  char *place = headers->text.data + headers->text.size;
  memcpy(place, name.data, name.size);
  if (value.size > 0) memcpy(place + name.size, value.data, value.size);
  headers->text.size += name.size + value.size;
  headers->text.data[headers->text.size] = '\0';
  headers->names |= bit_of(name);
  return MR_NONE;
}

/* Obsolete line folding (RFC 9112 section 5.2): the last field's value is the end of the text. */
static enum mr_kind fold(struct mr_headers *headers, struct mr_slice piece) {
  if (headers->count == 0) return MR_DECODE;
  struct mr_field *field = &headers->fields[headers->count - 1];
  size_t gap = piece.size > 0 && field->value_size > 0 ? 1 : 0;
  enum mr_kind kind = mr_buffer_reserve(&headers->text, gap + piece.size);
  if (kind != MR_NONE) return kind;
  mr_buffer_append(&headers->text, " ", gap);
  field->value_size += (uint32_t)(gap + piece.size);
  return mr_buffer_append(&headers->text, piece.data, piece.size);
}

static size_t token_size(const char *text, size_t size) {
  size_t end = 0;
  while (end < size && is_token_byte(text[end]))
    end++;
  return end;
}

enum mr_kind mr_headers_add(struct mr_headers *headers, const char *line, size_t size) {
  size = without_line_end(line, size);
  struct mr_slice name = {line, token_size(line, size)};
  size_t from = name.size + 1;
  if (!is_one_line(line + name.size, size - name.size)) return MR_DECODE;
  if (size > 0 && is_blank(line[0])) return fold(headers, trim(line, size));
  if (name.size == 0 || from > size || line[name.size] != ':') return MR_DECODE;
  return mr_headers_put(headers, name, trim(line + from, size - from));
}

/* }====== */

/* {====== Finding ====== */

struct mr_slice mr_headers_name(const struct mr_headers *headers, uint32_t index) {
  if (index >= headers->count) return (struct mr_slice){NULL, 0};
  const struct mr_field *field = &headers->fields[index];
  return (struct mr_slice){headers->text.data + field->name, field->name_size};
}

struct mr_slice mr_headers_value(const struct mr_headers *headers, uint32_t index) {
  if (index >= headers->count) return (struct mr_slice){NULL, 0};
  const struct mr_field *field = &headers->fields[index];
  return (struct mr_slice){headers->text.data + field->value, field->value_size};
}

bool mr_headers_next(const struct mr_headers *headers, const char *name, uint32_t *position,
                     struct mr_slice *value) {
  struct mr_slice wanted = {name, strlen(name)};
  bool maybe = wanted.size > 0 && headers->names & bit_of(wanted);
  for (uint32_t i = *position; maybe && i < headers->count; i++) {
    struct mr_slice found = mr_headers_name(headers, i);
    if (!mr_ascii_same(found.data, found.size, wanted.data, wanted.size)) continue;
    *position = i + 1;
    *value = mr_headers_value(headers, i);
    return true;
  }
  *position = headers->count;
  return false;
}

struct mr_slice mr_headers_get(const struct mr_headers *headers, const char *name) {
  struct mr_slice value = {NULL, 0};
  uint32_t position = 0;
  mr_headers_next(headers, name, &position, &value);
  return value;
}

/* }====== */
