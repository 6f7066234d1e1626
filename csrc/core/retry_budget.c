/*
** The budget of retries: a minute of calls and a minute of retries per host, in
** cells of a second. Calls leave the sum a little early and retries a little
** late, so that the bound holds for every minute.
*/
#include <pthread.h>
#include <string.h>

#include "memory.h"
#include "retry.h"

#define MINUTE_S  60
#define CELLS     (MINUTE_S + 1)
#define LEAST     3  /* retries a minute that every host may have */
#define PART      10 /* else this part of the calls */
#define HOST_SIZE 256

struct minute {
  uint32_t cells[CELLS];
  int64_t newest_s;
};

struct host {
  char name[HOST_SIZE];
  size_t size; /* 0: free */
  int64_t used_us;
  struct minute calls, retries;
};

struct mr_retry_budget {
  pthread_mutex_t lock;
  struct host hosts[MR_RETRY_HOSTS];
};

struct mr_retry_budget *mr_retry_budget_open(void) {
  struct mr_retry_budget *budget = mr_alloc_zero(1, sizeof(*budget));
  if (budget && pthread_mutex_init(&budget->lock, NULL) != 0) {
    mr_free(budget);
    return NULL;
  }
  return budget;
}

void mr_retry_budget_close(struct mr_retry_budget *budget) {
  if (!budget) return;
  pthread_mutex_destroy(&budget->lock);
  mr_free(budget);
}

void mr_retry_budget_freeze(struct mr_retry_budget *budget) {
  pthread_mutex_lock(&budget->lock);
}

void mr_retry_budget_thaw(struct mr_retry_budget *budget) {
  pthread_mutex_unlock(&budget->lock);
}

static int64_t second_of(int64_t now_us) {
  return now_us / MR_SECOND;
}

/* Empties the cells between the last use and now. A clock that goes back counts into the newest cell. */
static void advance(struct minute *minute, int64_t now_s) {
  int64_t steps = now_s - minute->newest_s;
  if (steps <= 0) return;
  if (steps > CELLS) steps = CELLS;
  for (int64_t i = 0; i < steps; i++)
    minute->cells[(now_s - i) % CELLS] = 0;
  minute->newest_s = now_s;
}

static void count(struct minute *minute, int64_t now_s) {
  advance(minute, now_s);
  minute->cells[minute->newest_s % CELLS]++;
}

static uint64_t sum(struct minute *minute, int64_t now_s, int64_t seconds) {
  uint64_t total = 0;
  advance(minute, now_s);
  for (int64_t i = 0; i < seconds; i++)
    total += minute->cells[(minute->newest_s + CELLS - i) % CELLS];
  return total;
}

/* A host name is at most 253 bytes; what is longer shares the budget of its first part. */
static struct host *find(struct mr_retry_budget *budget, struct mr_slice name, int64_t now_us) {
  size_t size = name.size < HOST_SIZE ? name.size : HOST_SIZE;
  struct host *oldest = &budget->hosts[0];
  for (size_t i = 0; i < MR_RETRY_HOSTS; i++) {
    struct host *host = &budget->hosts[i];
    if (host->size == size && memcmp(host->name, name.data, size) == 0) {
      host->used_us = now_us;
      return host;
    }
    if (oldest->size > 0 && (host->size == 0 || host->used_us < oldest->used_us)) oldest = host;
  }
  memset(oldest, 0, sizeof(*oldest));
  memcpy(oldest->name, name.data, size);
  oldest->size = size;
  oldest->used_us = now_us;
  return oldest;
}

void mr_retry_budget_call(struct mr_retry_budget *budget, struct mr_slice host, int64_t now_us) {
  if (host.size == 0) return;
  pthread_mutex_lock(&budget->lock);
  count(&find(budget, host, now_us)->calls, second_of(now_us));
  pthread_mutex_unlock(&budget->lock);
}

bool mr_retry_budget_spend(struct mr_retry_budget *budget, struct mr_slice host, int64_t now_us) {
  if (host.size == 0) return false;
  pthread_mutex_lock(&budget->lock);
  struct host *entry = find(budget, host, now_us);
  uint64_t allowed = sum(&entry->calls, second_of(now_us), MINUTE_S) / PART;
  bool granted =
      sum(&entry->retries, second_of(now_us), CELLS) < (allowed > LEAST ? allowed : LEAST);
  if (granted) count(&entry->retries, second_of(now_us));
  pthread_mutex_unlock(&budget->lock);
  return granted;
}
