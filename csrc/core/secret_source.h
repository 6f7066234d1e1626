/*
** Where the bytes of a credential come from: the literal, the environment, a
** file or a command. What depends on the system stands behind this header.
*/
#ifndef MR_SECRET_SOURCE_H
#define MR_SECRET_SOURCE_H

#include <stdint.h>

#include "buffer.h"
#include "error.h"
#include "secret.h"

/* "environment variable", "file", "command"; "literal" */
const char *mr_secret_source_name(enum mr_secret_source source);

/* All append what the source holds now, as it is, and stop at out->limit: a full buffer may not
** hold all of it. MR_AUTH, or MR_LIMIT without memory. */
enum mr_kind mr_secret_read_env(const char *name, struct mr_buffer *out, struct mr_error *error);
enum mr_kind mr_secret_read_file(const char *path, struct mr_buffer *out, struct mr_error *error);

/* Reads once. *more is false at the end and when the buffer is full. MR_IO leaves errno. */
enum mr_kind mr_secret_read_some(int descriptor, struct mr_buffer *out, bool *more);

/* Waits for its end, whoever else has its output open. Runs /bin/sh -c in a process group of its own, which is killed
** when the time is up or 'watch' (may be NULL) says so. */
enum mr_kind mr_secret_read_command(const char *line, int64_t timeout_us,
                                    const struct mr_secret_watch *watch, struct mr_buffer *out,
                                    struct mr_error *error);

#endif
