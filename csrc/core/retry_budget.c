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
  size_t size;
  int64_t used_us;
  struct minute calls, retries;
};

struct mr_retry_budget {
  pthread_mutex_t lock;
  size_t host_count;
  struct host hosts[MR_RETRY_HOSTS]; /* what is not used is not even touched */
};

struct mr_retry_budget *mr_retry_budget_open(void) {
  struct mr_retry_budget *budget = mr_alloc(sizeof(*budget));
  if (!budget) return NULL;
  budget->host_count = 0;
  if (pthread_mutex_init(&budget->lock, NULL) == 0) return budget;
  mr_free(budget);
  return NULL;
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

/* A free place, else that of the host that was not used for longest. */
static struct host *take_place(struct mr_retry_budget *budget) {
  struct host *oldest = &budget->hosts[0];
  if (budget->host_count < MR_RETRY_HOSTS) return &budget->hosts[budget->host_count++];
  for (size_t i = 1; i < MR_RETRY_HOSTS; i++)
    if (budget->hosts[i].used_us < oldest->used_us) oldest = &budget->hosts[i];
  return oldest;
}

/* A host name is at most 253 bytes; what is longer shares the budget of its first part. */
static struct host *find(struct mr_retry_budget *budget, struct mr_slice name, int64_t now_us) {
  size_t size = name.size < HOST_SIZE ? name.size : HOST_SIZE;
  struct host *host = NULL;
  for (size_t i = 0; !host && i < budget->host_count; i++)
    if (budget->hosts[i].size == size && memcmp(budget->hosts[i].name, name.data, size) == 0)
      host = &budget->hosts[i];
  if (!host) {
    host = take_place(budget);
    memset(host, 0, sizeof(*host));
    memcpy(host->name, name.data, size);
    host->size = size;
  }
  host->used_us = now_us;
  return host;
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
