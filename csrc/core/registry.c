#include "registry.h"

#include <pthread.h>

static struct {
  pthread_mutex_t lock;
  struct mr_limiter *limiter;
  struct mr_retry_budget *budget;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct mr_limiter *mr_registry_limiter(struct mr_error *error) {
  pthread_mutex_lock(&registry.lock);
  if (!registry.limiter) registry.limiter = mr_limiter_open(&mr_clock_system, error);
  struct mr_limiter *limiter = registry.limiter;
  pthread_mutex_unlock(&registry.lock);
  return limiter;
}

struct mr_retry_budget *mr_registry_budget(struct mr_error *error) {
  pthread_mutex_lock(&registry.lock);
  if (!registry.budget) registry.budget = mr_retry_budget_open();
  struct mr_retry_budget *budget = registry.budget;
  pthread_mutex_unlock(&registry.lock);
  if (!budget) mr_fail(error, MR_LIMIT, "out of memory for the retry budget");
  return budget;
}
