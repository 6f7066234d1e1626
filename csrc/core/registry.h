/*
** The one piece of mutable state that a process shares: the limiter and the retry budget, behind one
** lock, opened when first asked for and kept until the process ends.
*/
#ifndef MR_REGISTRY_H
#define MR_REGISTRY_H

#include "error.h"
#include "limiter.h"
#include "retry.h"

/* NULL and 'error' when there is no memory; a later call tries again. */
struct mr_limiter *mr_registry_limiter(struct mr_error *error);
struct mr_retry_budget *mr_registry_budget(struct mr_error *error);

#endif
