/*
** The scanner: JSON text in, tokens out. It checks the whole grammar of RFC
** 8259, needs nothing but a stack of levels, and stops and goes on at any byte.
** Tokens are written to a tape of fixed size, which its user empties between
** two calls; strings stay where they are, in the text.
*/
#ifndef MR_JSON_SCAN_H
#define MR_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mr_json_token_kind {
  MR_JSON_TOKEN_NULL,
  MR_JSON_TOKEN_TRUE,
  MR_JSON_TOKEN_FALSE,
  MR_JSON_TOKEN_INTEGER,
  MR_JSON_TOKEN_FLOAT,
  MR_JSON_TOKEN_STRING,
  MR_JSON_TOKEN_ESCAPED_STRING,
  MR_JSON_TOKEN_KEY,
  MR_JSON_TOKEN_ESCAPED_KEY,
  MR_JSON_TOKEN_ARRAY,
  MR_JSON_TOKEN_OBJECT,
  MR_JSON_TOKEN_END /* of the innermost array or object */
};

struct mr_json_token {
  uint32_t kind;
  /* Strings and keys: bytes in the text, without quotes. Arrays and objects: entries that follow
  ** on this tape, up to their end or the tape's; null fields only with count_nulls. */
  uint32_t size;
  union {
    int64_t integer;
    double real;
    size_t offset; /* strings and keys: where in the text */
  } value;
};

struct mr_json_tape {
  struct mr_json_token *tokens;
  uint32_t capacity;
  uint32_t count;
};

struct mr_json_limits {
  uint32_t max_depth;  /* arrays and objects within each other */
  uint32_t max_string; /* bytes of a string or key, unescaped */
  bool count_nulls;
  bool big_as_string; /* an integer beyond 64 bits is a string token, else a float */
};

enum mr_json_expected {
  MR_JSON_EXPECT_VALUE,
  MR_JSON_EXPECT_FIRST_ELEMENT, /* or ']' */
  MR_JSON_EXPECT_FIRST_KEY,     /* or '}' */
  MR_JSON_EXPECT_KEY,
  MR_JSON_EXPECT_COLON,
  MR_JSON_EXPECT_NEXT, /* ',' or the end of the innermost array or object */
  MR_JSON_EXPECT_NOTHING
};

struct mr_json_level {
  uint32_t slot;  /* its token on the current tape */
  uint32_t count; /* of its entries on the current tape */
  bool is_object;
};

struct mr_json_scanner {
  struct mr_json_limits limits;
  size_t position; /* of the next byte in the text */
  enum mr_json_expected expected;
  struct mr_json_level *levels; /* [0] is the document itself */
  uint32_t capacity;
  uint32_t depth;
  uint32_t floor; /* levels up to here were opened on an earlier tape */
  bool in_string; /* cut off inside a string, which began at string_start */
  size_t string_start;
  size_t string_saved;
  const char *problem; /* what is wrong at 'position', once failed */
};

enum mr_json_scan_state {
  MR_JSON_SCAN_FULL,    /* the tape is; call again with an empty one */
  MR_JSON_SCAN_STARVED, /* call again with more text */
  MR_JSON_SCAN_DONE,
  MR_JSON_SCAN_FAILED,
  MR_JSON_SCAN_NO_MEMORY
};

/* A scanner of zeros is ready to be reset. Resetting keeps the memory, freeing does not. */
void mr_json_scanner_reset(struct mr_json_scanner *scanner, struct mr_json_limits limits);
void mr_json_scanner_free(struct mr_json_scanner *scanner);

/* Fills the tape from its beginning. 'data' is the text from its first byte to what is there of
** it, which may have grown and moved since the last call; 'more' says that it does not end there.
** A number at the very end of a text that goes on is read again from its first digit, so pieces
** must be longer than MR_JSON_NUMBER_MAX to be sure of progress. */
enum mr_json_scan_state mr_json_scan(struct mr_json_scanner *scanner, const char *data, size_t size,
                                     bool more, struct mr_json_tape *tape);

/* The first 'size' bytes of the text are taken away, which must be before 'position' and outside
** a string that is cut off (see mr_json_scanner_needed). */
void mr_json_scanner_drop(struct mr_json_scanner *scanner, size_t size);
/* The first byte still needed. */
size_t mr_json_scanner_needed(const struct mr_json_scanner *scanner);

#endif
