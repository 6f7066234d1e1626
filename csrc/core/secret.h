/*
** Credentials. The bytes live here and in the header list of a request while
** it is sent, and nowhere else; they are wiped when the last holder lets go.
** Shared between lua_States: reference counted with atomics, immutable but for
** mr_secret_refresh, which takes the lock.
*/
#ifndef MR_SECRET_H
#define MR_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "clock.h"
#include "error.h"

#define MR_SECRET_MAX        65536            /* bytes: a service-account key file fits */
#define MR_SECRET_COMMAND_US (30 * MR_SECOND) /* what a command may take */

enum mr_secret_source { MR_SECRET_LITERAL, MR_SECRET_ENV, MR_SECRET_FILE, MR_SECRET_COMMAND };

struct mr_secret;

/* What the wait for a command asks every now and then: true kills it (MR_CANCELLED). */
struct mr_secret_watch {
  bool (*is_over)(void *context);
  void *context;
};

/* 'origin' is the literal, the variable's name, the path or the command line (run by /bin/sh -c, at most 30 s,
** stdin closed). One final newline (LF or CRLF) of a file's or command's value is dropped, and so is one of a variable's.
** Refused with a message that names the source and never the value: missing, empty, unreadable, over
** MR_SECRET_MAX, with control characters other than those of a JSON text when 'multiline', else none at all.
** The file must not be readable by others (mode & 077 but for root-owned system secrets): MR_AUTH says chmod 600. */
enum mr_kind mr_secret_open(enum mr_secret_source source, const char *origin, size_t size,
                            bool multiline, struct mr_secret **out, struct mr_error *error);
/* The same with somebody who may end the wait. */
enum mr_kind mr_secret_open_watched(enum mr_secret_source source, const char *origin, size_t size,
                                    bool multiline, const struct mr_secret_watch *watch,
                                    struct mr_secret **out, struct mr_error *error);
struct mr_secret *mr_secret_hold(struct mr_secret *secret);
void mr_secret_release(struct mr_secret *secret); /* NULL is fine */

/* Reads a file again, or runs a command and waits for it. *changed tells whether the bytes differ. Literals and
** variables: unchanged. */
enum mr_kind mr_secret_refresh(struct mr_secret *secret, bool *changed, struct mr_error *error);

/* The same in two halves, for who does not wait: a buffer for what the source holds, and taking over what was read
** into it, which is freed in any case. */
void mr_secret_value_init(struct mr_buffer *value);
enum mr_kind mr_secret_take(struct mr_secret *secret, struct mr_buffer *value, bool *changed,
                            struct mr_error *error);
/* Another one with each value. */
uint32_t mr_secret_version(const struct mr_secret *secret);

enum mr_secret_source mr_secret_source_of(const struct mr_secret *secret);
/* For messages; "literal" for a literal. */
const char *mr_secret_origin(const struct mr_secret *secret);

/* Appends prefix (only if the value does not begin with it, ASCII case ignored) and value. 'out' becomes secret. */
enum mr_kind mr_secret_append(struct mr_secret *secret, const char *prefix, struct mr_buffer *out);

/* Refusals: three 401s in a row close the credential until it changes (Capgo blocks the address after 20). */
#define MR_SECRET_REFUSALS 3
void mr_secret_accepted(struct mr_secret *secret);
int mr_secret_refused(struct mr_secret *secret); /* the count after this one */
bool mr_secret_is_closed(const struct mr_secret *secret);

#endif
