/*
** Content-Encoding (RFC 9110 section 8.4), undone here and not by libcurl: libcurl reports a compressed body
** that ends too early as a success, takes one gzip member only, and holds up to 64 MiB of output while an
** exchange is paused. Here at most one window of output waits.
**
** gzip is always there, br and zstd where they were built in. deflate is understood but never offered: some
** servers mean RFC 1950 by it and some RFC 1951.
*/
#ifndef MR_CURL_DECODER_H
#define MR_CURL_DECODER_H

#include <stdbool.h>
#include <stddef.h>

#include "transport.h"

struct mr_coding;
struct mr_decoder;

/* The codings of this build for Accept-Encoding, first what costs least to undo for a small answer. A server that
** can choose is left to choose: all are welcome alike. */
#ifdef MOONREST_WITH_BROTLI
#define MR_DECODER_BROTLI "br, "
#else
#define MR_DECODER_BROTLI ""
#endif
#ifdef MOONREST_WITH_ZSTD
#define MR_DECODER_ZSTD ", zstd"
#else
#define MR_DECODER_ZSTD ""
#endif
#define MR_DECODER_OFFER MR_DECODER_BROTLI "gzip" MR_DECODER_ZSTD
#define MR_DECODER_KNOWN MR_DECODER_OFFER ", deflate"

/* Of the value of a Content-Encoding field; NULL: unknown, or more than one. */
const struct mr_coding *mr_decoder_find(const char *value, size_t size);

/* Takes a piece of output; PAUSE means that it wants the same again. */
typedef enum mr_flow (*mr_decoder_output)(void *context, const char *bytes, size_t size);

enum mr_decoder_status {
  MR_DECODER_ON,      /* all input is taken */
  MR_DECODER_PAUSED,  /* give the same input again, or more that begins with it */
  MR_DECODER_STOPPED, /* by the output */
  MR_DECODER_FAILED   /* the input is not of this coding, damaged, or memory ran out */
};

struct mr_decoder *mr_decoder_open(const struct mr_coding *coding); /* NULL: no memory */
void mr_decoder_close(struct mr_decoder *decoder);                  /* NULL is fine */

enum mr_decoder_status mr_decoder_feed(struct mr_decoder *decoder, const char *bytes, size_t size,
                                       mr_decoder_output output, void *context);
/* At an end that the coding marks, or nothing came. */
bool mr_decoder_is_complete(const struct mr_decoder *decoder);
const char *mr_decoder_reason(const struct mr_decoder *decoder); /* why it failed; static */

#endif
