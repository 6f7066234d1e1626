/*
** What undoes one content coding, for curl_decoder.c: a library behind four functions.
*/
#ifndef MR_CURL_CODING_H
#define MR_CURL_CODING_H

#include <stdbool.h>
#include <stddef.h>

#include "memory.h"

enum mr_coding_status {
  MR_CODING_ON,  /* wants more input, or more room */
  MR_CODING_END, /* of a member or frame, and nothing of it is left to write */
  MR_CODING_BAD  /* 'reason' is set */
};

/* Both halves move on by what was read and written. */
struct mr_coding_work {
  const unsigned char *input;
  size_t input_size;
  unsigned char *output;
  size_t output_room;
  const char *reason; /* static */
};

struct mr_coding {
  const char *name;    /* as Content-Encoding has it */
  const char *alias;   /* NULL: none */
  bool repeats;        /* behind the end may come another beginning */
  void *(*open)(void); /* NULL: no memory */
  void (*close)(void *state);
  enum mr_coding_status (*decode)(void *state, struct mr_coding_work *work);
};

/* The core's allocator, as these libraries ask for one. */
static inline void *mr_coding_give(void *context, size_t size) {
  (void)context;
  return mr_alloc(size);
}
static inline void mr_coding_take(void *context, void *block) {
  (void)context;
  mr_free(block);
}

extern const struct mr_coding mr_coding_gzip;    /* RFC 1952 */
extern const struct mr_coding mr_coding_deflate; /* RFC 1950, or bare RFC 1951 */
extern const struct mr_coding mr_coding_brotli;  /* RFC 7932; with MOONREST_WITH_BROTLI */
extern const struct mr_coding mr_coding_zstd;    /* RFC 8878; with MOONREST_WITH_ZSTD */

#endif
