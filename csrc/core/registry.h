/*
** What the engines of a process share: the limiter and the retry budget, behind one lock, opened when first asked for
** and kept until the process ends.
*/
#ifndef MR_REGISTRY_H
#define MR_REGISTRY_H

#include <stdbool.h>

#include "error.h"
#include "limiter.h"
#include "memory.h"
#include "retry.h"

/* The hook of memory.h for hosts: false, and without effect, once the registry is sealed. */
bool mr_registry_set_allocator(mr_allocator allocator, void *context);
/* Memory is about to be used, and will be freed by whom it came from. */
void mr_registry_seal(void);

/* Its buckets are shared between all processes of the user unless mr_limiter_share says otherwise before the first
** one. NULL and 'error' when there is no memory; a later call tries again. */
struct mr_limiter *mr_registry_limiter(struct mr_error *error);
struct mr_retry_budget *mr_registry_budget(struct mr_error *error);

#endif
