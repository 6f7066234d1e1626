/*
** A record: what stays of a finished request that most programs never look at again, in as little memory as it takes.
** The request itself, ten times as large, serves the next call at once instead of waiting for a collector; when somebody
** does look, the record fills a fresh one.
*/
#ifndef MR_RECORD_H
#define MR_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "request.h"

struct mr_record; /* plain bytes without pointers: whoever has the memory may drop it at any time */

/* The bytes that a record of this request takes; 0 when it cannot be one, because it did not end with a whole answer at
** the first attempt, has a file, a stream or a secret in its URL, or is too large for copying to pay. */
size_t mr_record_size(const struct mr_request *request);

/* 'record' has the memory that mr_record_size asked for, aligned for any type. */
void mr_record_fill(struct mr_record *record, const struct mr_request *request);

/* Makes a new request of the same endpoint what the recorded one was when it ended. False: out of memory. */
bool mr_record_recall(const struct mr_record *record, struct mr_request *request);

#endif
