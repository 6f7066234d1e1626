/*
** Where in a text something is, for messages that people read.
*/
#ifndef MR_JSON_PLACE_H
#define MR_JSON_PLACE_H

#include <stddef.h>

/* Room for any message of mr_json_describe. */
#define MR_JSON_MESSAGE_ROOM 384

/* All count from 0 here and from 1 in messages. */
struct mr_json_place {
  size_t line;
  size_t column; /* characters since the line began, not bytes */
  size_t offset; /* bytes since the text began */
};

/* Moves the place over these bytes. */
void mr_json_place_advance(struct mr_json_place *place, const char *text, size_t size);

/* Writes "problem at line L, column C (byte B): before >>> after" for the byte at 'at' <= 'size'.
** 'start' is the place of data[0]. */
void mr_json_describe(char out[MR_JSON_MESSAGE_ROOM], const char *problem,
                      struct mr_json_place start, const char *data, size_t size, size_t at);

/* Characters that a byte may become in a message. */
#define MR_JSON_ESCAPED 4

/* Copies the text as it may stand in a message, and returns the length, at most MR_JSON_ESCAPED times
** 'size': control characters and broken UTF-8 appear as "\x1B", line ends and tabs as spaces. */
size_t mr_json_printable(char *out, const char *text, size_t size);

#endif
