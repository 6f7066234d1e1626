#include "registry.h"

#include <pthread.h>

static struct {
  pthread_mutex_t lock;
  struct mr_limiter *limiter;
  struct mr_retry_budget *budget;
  bool is_sealed;
  bool is_ready_to_fork;
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* {====== A fork while another thread is in here: the limiter looks after itself ====== */

static void before_fork(void) {
  pthread_mutex_lock(&registry.lock);
  if (registry.budget) mr_retry_budget_freeze(registry.budget);
}

static void after_fork(void) {
  if (registry.budget) mr_retry_budget_thaw(registry.budget);
  pthread_mutex_unlock(&registry.lock);
}

static void enter(void) {
  pthread_mutex_lock(&registry.lock);
  if (!registry.is_ready_to_fork)
    registry.is_ready_to_fork = pthread_atfork(before_fork, after_fork, after_fork) == 0;
}

/* }====== */

bool mr_registry_set_allocator(mr_allocator allocator, void *context) {
  pthread_mutex_lock(&registry.lock);
  bool open = !registry.is_sealed;
  if (open) mr_memory_hook(allocator, context);
  pthread_mutex_unlock(&registry.lock);
  return open;
}

void mr_registry_seal(void) {
  pthread_mutex_lock(&registry.lock);
  registry.is_sealed = true;
  pthread_mutex_unlock(&registry.lock);
}

struct mr_limiter *mr_registry_limiter(struct mr_error *error) {
  enter();
  if (!registry.limiter) {
    registry.limiter = mr_limiter_open(&mr_clock_system, error);
    if (registry.limiter) mr_limiter_share(registry.limiter, MR_SHARING_USER, NULL);
  }
  struct mr_limiter *limiter = registry.limiter;
  pthread_mutex_unlock(&registry.lock);
  return limiter;
}

struct mr_retry_budget *mr_registry_budget(struct mr_error *error) {
  enter();
  if (!registry.budget) registry.budget = mr_retry_budget_open();
  struct mr_retry_budget *budget = registry.budget;
  pthread_mutex_unlock(&registry.lock);
  if (!budget) mr_fail(error, MR_LIMIT, "out of memory for the retry budget");
  return budget;
}
