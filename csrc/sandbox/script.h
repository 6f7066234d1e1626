/*
** The Lua half of the server: its own lua_State, the application in it, and
** the calls that threads make into it. Everything here but open and close
** wants the server's lock held. No Lua error leaves these functions.
**
** The application is a table of functions:
**   dispatch(id, method, uri, headers, body) -> nil to break the connection, or
**       status, headers, body, cut, size, sleep
**     headers, both ways: a flat list { name, value, name, value, ... }
**     body: a string, or true for a stream whose parts 'pull' brings
**     cut: break the connection after so many bytes; size: announced length of a stream
**     sleep: keep the answer back until native.resume(id)
**   pull(id) -> text | nil at the end | false: nothing yet, sleep until native.resume(id)
**   closed(id): the receiver of a stream has gone, or has it all
**   tick() -> seconds until it wants to be called again, or nil
**   delivered(id, answer | nil, message): what came of native.post
**   call(name, text) -> text: a command of the program that started the server
** and is made by the module's function from (options, native); native has
** resume(id), wake(), post(id, address, port, bytes), monotonic(), wall().
*/
#ifndef MR_SANDBOX_SCRIPT_H
#define MR_SANDBOX_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/buffer.h"
#include "sandbox/exchange.h"
#include "sandbox/server.h"

/* Results of mr_script_pull besides a number of bytes. */
#define MR_PULL_SLEEP  (-1)
#define MR_PULL_END    (-2)
#define MR_PULL_FAILED (-3)

bool mr_script_open(struct mr_sandbox *server, const struct mr_sandbox_options *options,
                    char *message, size_t message_size);
void mr_script_close(struct mr_sandbox *server);

/* Makes exchange->response, status, cut, drop, sleep, streaming. A failing handler makes a 500. */
void mr_script_dispatch(struct mr_exchange *exchange, const char *method);

/* Copies the next bytes of a stream, at most 'size'; what does not fit stays in exchange->chunk. */
ssize_t mr_script_pull(struct mr_exchange *exchange, char *bytes, size_t size);

void mr_script_closed(struct mr_exchange *exchange);

/* Seconds until the next tick; negative: none is wanted. */
double mr_script_tick(struct mr_sandbox *server);

/* 'answer' NULL: it failed with 'message'. */
void mr_script_delivered(struct mr_sandbox *server, long long id, const struct mr_buffer *answer,
                         const char *message);

/* Appends the reply, or the error's text with false. */
bool mr_script_call(struct mr_sandbox *server, const char *name, const char *text, size_t size,
                    struct mr_buffer *reply);

#endif
