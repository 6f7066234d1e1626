#include "json_place.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "json_text.h"

/* Bytes of the text shown on either side of the place: enough to recognise it, too few to spill
** a document into a log. */
#define SNIPPET_SIDE 24

static bool is_continuation(char byte) {
  return ((unsigned char)byte & 0xc0) == 0x80;
}

static size_t count_characters(const char *text, const char *end) {
  size_t count = 0;
  for (; text < end; text++)
    if (!is_continuation(*text)) count++;
  return count;
}

void mr_json_place_advance(struct mr_json_place *place, const char *text, size_t size) {
  const char *end = text + size;
  const char *newline;
  place->offset += size;
  while (text < end && (newline = memchr(text, '\n', (size_t)(end - text)))) {
    place->line++;
    place->column = 0;
    text = newline + 1;
  }
  place->column += count_characters(text, end);
}

static char *escape(char *out, unsigned char byte) {
  static const char hex[] = "0123456789ABCDEF";
  *out++ = '\\';
  *out++ = 'x';
  *out++ = hex[byte >> 4];
  *out++ = hex[byte & 15];
  return out;
}

static bool is_space(char byte) {
  return byte == '\n' || byte == '\t' || byte == '\r' || byte == ' ';
}

size_t mr_json_printable(char *out, const char *text, size_t size) {
  const char *end = text + size;
  char *start = out;
  while (text < end) {
    int length = mr_utf8_length(text, end);
    if (length < 0) break; /* cut off by the size of the snippet */
    if (is_space(*text)) {
      *out++ = ' ';
      text++;
    } else if (length == 0 || (unsigned char)*text < 0x20 || *text == 0x7f) {
      out = escape(out, (unsigned char)*text++);
    } else {
      memcpy(out, text, (size_t)length);
      out += length;
      text += length;
    }
  }
  return (size_t)(out - start);
}

static void write_snippet(char *out, const char *data, size_t size, size_t at) {
  size_t before = at < SNIPPET_SIDE ? at : SNIPPET_SIDE;
  size_t after = size - at < SNIPPET_SIDE ? size - at : SNIPPET_SIDE;
  const char *text = data + at - before;
  while (before < at && before > 0 && is_continuation(*text)) {
    text++;
    before--;
  }
  out += mr_json_printable(out, text, before);
  memcpy(out, " >>> ", 5);
  out += 5;
  out += mr_json_printable(out, data + at, after);
  *out = '\0';
}

void mr_json_describe(char out[MR_JSON_MESSAGE_ROOM], const char *problem,
                      struct mr_json_place start, const char *data, size_t size, size_t at) {
  char snippet[2 * SNIPPET_SIDE * MR_JSON_ESCAPED + 8];
  mr_json_place_advance(&start, data, at);
  write_snippet(snippet, data, size, at);
  snprintf(out, MR_JSON_MESSAGE_ROOM, "%s at line %zu, column %zu (byte %zu): %s", problem,
           start.line + 1, start.column + 1, start.offset + 1, snippet);
}
