/*
** Content-Encoding: gzip (RFC 1952), undone here and not by libcurl: libcurl reports a compressed body
** that ends too early as a success, takes one member only, and holds up to 64 MiB of output while an
** exchange is paused. Here at most one window of output waits.
*/
#ifndef MR_CURL_GUNZIP_H
#define MR_CURL_GUNZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "transport.h"

struct mr_gunzip;

/* Takes a piece of output; PAUSE means that it wants the same again. */
typedef enum mr_flow (*mr_gunzip_output)(void *context, const char *bytes, size_t size);

enum mr_gunzip_status {
  MR_GUNZIP_ON,      /* all input is taken */
  MR_GUNZIP_PAUSED,  /* give the same input again, or more that begins with it */
  MR_GUNZIP_STOPPED, /* by the output */
  MR_GUNZIP_FAILED   /* the input is not gzip, damaged, or memory ran out */
};

struct mr_gunzip *mr_gunzip_open(void);         /* NULL: no memory */
void mr_gunzip_close(struct mr_gunzip *gunzip); /* NULL is fine */

enum mr_gunzip_status mr_gunzip_feed(struct mr_gunzip *gunzip, const char *bytes, size_t size,
                                     mr_gunzip_output output, void *context);
bool mr_gunzip_is_complete(
    const struct mr_gunzip *gunzip); /* at the end of a member, or nothing came */
const char *mr_gunzip_reason(const struct mr_gunzip *gunzip); /* why it failed */

#endif
