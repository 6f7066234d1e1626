/*
** Numbers of RFC 8259 section 6, both ways. Independent of the locale.
*/
#ifndef MR_JSON_NUMBER_H
#define MR_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest number read, in bytes: more than any double needs to be told from its neighbours. */
#define MR_JSON_NUMBER_MAX 2048

/* Room for any number written: the largest double has 309 digits. */
#define MR_JSON_NUMBER_ROOM 320

enum mr_json_number_kind {
  MR_JSON_NUMBER_INTEGER,
  MR_JSON_NUMBER_FLOAT, /* a fraction, an exponent, or the -0 that an integer cannot hold */
  MR_JSON_NUMBER_BIG,   /* an integer beyond 64 bits: 'real' is the nearest double */
  MR_JSON_NUMBER_STARVED,
  MR_JSON_NUMBER_BAD
};

struct mr_json_number {
  union {
    int64_t integer;
    double real; /* may be infinite */
  } value;
  const char *stop;    /* behind the number; where it went wrong if bad */
  const char *problem; /* why it is bad: a static text */
};

/* Reads the number that begins at 'text' < 'end' with a digit or a minus. With 'more' a number
** that touches 'end' is MR_JSON_NUMBER_STARVED, as its next byte is not known yet. */
enum mr_json_number_kind mr_json_read_number(const char *text, const char *end, bool more,
                                             struct mr_json_number *number);

/* Both write without a final zero byte into MR_JSON_NUMBER_ROOM bytes and return the length. */
size_t mr_json_write_integer(char *out, int64_t value);

/* The shortest text that reads back as 'value', which must be finite. A whole value has neither
** point nor exponent: servers that want an integer get one. */
size_t mr_json_write_double(char *out, double value);

#endif
