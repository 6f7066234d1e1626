/*
** Sends webhooks, one after the other, from a thread of its own, so that a
** slow receiver holds up neither an answer nor the program. Only loopback
** addresses are ever connected to.
*/
#ifndef MR_SANDBOX_SENDER_H
#define MR_SANDBOX_SENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sandbox/server.h"

#define MR_DELIVERIES_MAX      1000  /* queued at once; a script that floods learns of it */
#define MR_DELIVERY_TIMEOUT_MS 10000 /* connect, send and receive together */
#define MR_DELIVERY_ANSWER_MAX ((size_t)64 * 1024) /* bytes of an answer that are read */

/*
** Locked. Queues 'bytes', a whole HTTP request, for a numeric address. Returns
** NULL, or the reason why it was refused (a constant).
*/
const char *mr_sender_post(struct mr_sandbox *server, long long id, const char *address,
                           uint16_t port, const char *bytes, size_t size);

/* The thread; 'context' is the server. */
void *mr_sender_run(void *context);

/* Frees what was never sent. */
void mr_sender_clear(struct mr_sandbox *server);

#endif
