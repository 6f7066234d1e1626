#include "limiter_parts.h"

#include <string.h>

#include "memory.h"

#define KEY_MAX     1024
#define FIRST_PURGE 64
#define PASS_MAX_US (366 * 86400 * MR_SECOND) /* no window is so long */

/* Takes limiter->lock; in a child of fork the limiter becomes the child's first. */
static void enter(struct mr_limiter *limiter);

struct mr_limiter *mr_limiter_open(const struct mr_clock *clock, struct mr_error *error) {
  struct mr_limiter *limiter = mr_alloc_zero(1, sizeof(*limiter));
  if (!limiter || pthread_mutex_init(&limiter->lock, NULL) != 0) {
    mr_free(limiter);
    mr_fail(error, MR_LIMIT, "out of memory for a limiter");
    return NULL;
  }
  limiter->clock = *clock;
  limiter->references = 1;
  limiter->purge_at = FIRST_PURGE;
  mr_fork_mark_set(&limiter->mark);
  atomic_init(&limiter->queues, 0);
  return limiter;
}

/* From now on nothing is changed about who shares the buckets. */
static void settle(struct mr_limiter *limiter, const char *path, struct mr_error *error) {
  const struct mr_bucket_limits one_at_a_time = {.concurrent = 1};
  limiter->settled = true;
  if (limiter->sharing != MR_SHARING_USER) return;
  limiter->shared = mr_shared_open(&limiter->clock, path, error);
  mr_bucket_state_init(&limiter->stand_in, &one_at_a_time);
}

struct mr_limiter *mr_limiter_open_shared(const struct mr_clock *clock, const char *path,
                                          struct mr_error *error) {
  if (error) *error = (struct mr_error){.kind = MR_NONE};
  struct mr_limiter *limiter = mr_limiter_open(clock, error);
  if (!limiter) return NULL;
  limiter->sharing = MR_SHARING_USER;
  settle(limiter, path, error);
  return limiter;
}

static enum mr_kind too_late(struct mr_error *error) {
  return mr_fail(error, MR_LIMIT,
                 "how limits are shared cannot change any more: calls were made already; choose it "
                 "before the first one");
}

enum mr_kind mr_limiter_share_by(struct mr_limiter *limiter, const struct mr_keeper_type *type,
                                 const char *url, struct mr_error *error) {
  struct mr_remote *remote = NULL;
  enum mr_kind kind = mr_remote_open(type, &limiter->clock, url, &remote, error);
  if (kind) return kind;
  enter(limiter);
  bool late = limiter->settled;
  if (!late) {
    struct mr_remote *before = limiter->remote;
    limiter->remote = remote;
    limiter->sharing = MR_SHARING_FLEET;
    remote = before;
  }
  pthread_mutex_unlock(&limiter->lock);
  mr_remote_close(remote);
  return late ? too_late(error) : MR_NONE;
}

enum mr_kind mr_limiter_share(struct mr_limiter *limiter, enum mr_sharing sharing,
                              struct mr_error *error) {
  enter(limiter);
  bool late = limiter->settled && limiter->sharing != sharing;
  struct mr_remote *before = NULL;
  if (!late) {
    before = limiter->remote;
    limiter->remote = NULL;
    limiter->sharing = sharing;
  }
  pthread_mutex_unlock(&limiter->lock);
  mr_remote_close(before);
  return late ? too_late(error) : MR_NONE;
}

static void free_bucket(struct mr_bucket *bucket) {
  mr_free(bucket->own);
  mr_free(bucket);
}

static void free_visited(void *context, struct mr_hash_link *link) {
  (void)context;
  free_bucket((struct mr_bucket *)link);
}

static void free_limiter(struct mr_limiter *limiter) {
  mr_hash_table_each(&limiter->buckets, free_visited, NULL);
  mr_hash_table_free(&limiter->buckets);
  mr_shared_close(limiter->shared);
  mr_remote_close(limiter->remote);
  mr_fork_mark_free(&limiter->mark);
  pthread_mutex_destroy(&limiter->lock);
  mr_free(limiter);
}

void mr_limiter_close(struct mr_limiter *limiter) {
  if (!limiter) return;
  enter(limiter);
  bool last = --limiter->references == 0;
  pthread_mutex_unlock(&limiter->lock);
  if (last) free_limiter(limiter);
}

void mr_limiter_retain(struct mr_limiter *limiter) {
  enter(limiter);
  limiter->references++;
  pthread_mutex_unlock(&limiter->lock);
}

/*
** {======================================================
** The two locks
** =======================================================
*/

static struct mr_bucket_state *make_state(const struct mr_bucket_limits *limits) {
  struct mr_bucket_state *state = mr_alloc_zero(1, mr_bucket_state_size(limits));
  if (state) mr_bucket_state_init(state, limits);
  return state;
}

/* What of these limits a process has when the file is lost: as much, evenly, as each of those that had the bucket open.
** Where that is less than one, one in a period that is so much longer. */
static struct mr_bucket_limits own_part(const struct mr_bucket *bucket,
                                        const struct mr_bucket_limits *limits) {
  struct mr_bucket_limits part = *limits;
  int64_t users = bucket->entry ? mr_shared_users(bucket->entry) : 1;
  if (users <= 1) return part;
  for (uint32_t i = 0; i < part.window_count; i++) {
    struct mr_window_limit *window = &part.windows[i];
    if (window->count < users)
      window->period_us = (window->period_us * users + window->count - 1) / window->count;
    window->count = window->count < users ? 1 : window->count / users;
  }
  if (part.concurrent > 0)
    part.concurrent = part.concurrent > users ? part.concurrent / (uint32_t)users : 1;
  return part;
}

static struct mr_bucket_state *make_own_state(const struct mr_bucket *bucket,
                                              const struct mr_bucket_limits *limits) {
  struct mr_bucket_limits part = own_part(bucket, limits);
  return make_state(&part);
}

/* The file is lost, and with it what others have used: the bucket begins anew as if it were used up. */
static struct mr_bucket_state *own_state(struct mr_bucket *bucket) {
  struct mr_limiter *limiter = bucket->limiter;
  if (bucket->own) return bucket->own;
  bucket->own = make_own_state(bucket, &bucket->limits);
  if (!bucket->own) return &limiter->stand_in;
  mr_bucket_fill(bucket->own, mr_clock_now(&limiter->clock));
  return bucket->own;
}

static bool is_shared(const struct mr_limiter *limiter) {
  return limiter->shared && !mr_shared_is_broken(limiter->shared);
}

/*
** What the parent has under way is taken to have been sent just now; what it shares is shared by the
** child in its own name, through a descriptor of its own.
*/
static void inherit_bucket(void *context, struct mr_hash_link *link) {
  struct mr_limiter *limiter = context;
  struct mr_bucket *bucket = (struct mr_bucket *)link;
  struct mr_bucket_state *own = bucket->own;
  if (own)
    mr_bucket_abandon(own, own->pending, own->unsent, own->running, mr_clock_now(&limiter->clock));
  if (bucket->entry)
    bucket->entry = mr_shared_bucket(limiter->shared, bucket->key, &bucket->limits);
}

static void forget_entry(void *context, struct mr_hash_link *link) {
  (void)context;
  ((struct mr_bucket *)link)->entry = NULL;
}

static void inherit(struct mr_limiter *limiter) {
  struct mr_shared *parents = limiter->shared;
  pthread_mutex_init(&limiter->lock, NULL); /* whoever held it is not in this process */
  mr_fork_mark_set(&limiter->mark);
  if (limiter->remote) mr_remote_forked(limiter->remote);
  if (parents) limiter->shared = mr_shared_open_again(parents, &limiter->trouble);
  bool locked = limiter->shared && mr_shared_lock(limiter->shared, &limiter->trouble);
  if (!locked) mr_hash_table_each(&limiter->buckets, forget_entry, NULL);
  mr_hash_table_each(&limiter->buckets, inherit_bucket, limiter);
  if (locked) mr_shared_unlock(limiter->shared);
  mr_shared_close(parents);
}

static void enter(struct mr_limiter *limiter) {
  if (mr_fork_mark_is_child(&limiter->mark)) inherit(limiter);
  pthread_mutex_lock(&limiter->lock);
}

/* true: the file is locked as well, and unlock() will release both. */
static bool lock(struct mr_limiter *limiter) {
  enter(limiter);
  return is_shared(limiter) && mr_shared_lock(limiter->shared, &limiter->trouble);
}

static void unlock(struct mr_limiter *limiter) {
  if (is_shared(limiter)) mr_shared_unlock(limiter->shared);
  pthread_mutex_unlock(&limiter->lock);
}

void mr_limiter_begin(struct mr_limiter *limiter, struct mr_bucket *const *buckets,
                      uint32_t bucket_count) {
  bool shared = lock(limiter);
  for (uint32_t i = 0; i < bucket_count; i++) {
    struct mr_bucket *bucket = buckets[i];
    bucket->state = shared && bucket->entry ? mr_shared_change(limiter->shared, bucket->entry)
                                            : own_state(bucket);
  }
}

void mr_limiter_end(struct mr_limiter *limiter) {
  if (is_shared(limiter)) mr_shared_commit(limiter->shared);
  unlock(limiter);
}

bool mr_limiter_trouble(struct mr_limiter *limiter, struct mr_error *error) {
  enter(limiter);
  bool any = limiter->trouble.kind != MR_NONE;
  if (any) *error = limiter->trouble;
  limiter->trouble.kind = MR_NONE;
  pthread_mutex_unlock(&limiter->lock);
  return any;
}

/* }====================================================== */

/*
** {======================================================
** Buckets by their keys
** =======================================================
*/

static struct mr_bucket *find(const struct mr_limiter *limiter, const char *key, uint64_t hash) {
  struct mr_hash_link *link = mr_hash_table_find(&limiter->buckets, hash);
  while (link && strcmp(((struct mr_bucket *)link)->key, key) != 0)
    link = mr_hash_table_next(link);
  return (struct mr_bucket *)link;
}

struct purge {
  struct mr_limiter *limiter;
  int64_t now_us;
};

static void purge_visited(void *context, struct mr_hash_link *link) {
  struct purge *purge = context;
  struct mr_bucket *bucket = (struct mr_bucket *)link;
  if (bucket->references > 0) return;
  if (bucket->own && !mr_bucket_is_idle(bucket->own, purge->now_us)) return;
  if (bucket->entry && is_shared(purge->limiter))
    mr_shared_drop(purge->limiter->shared, bucket->entry);
  mr_hash_table_remove(&purge->limiter->buckets, link);
  free_bucket(bucket);
}

/* Buckets that nobody uses are kept as long as they remember something; the file remembers its own. */
static void purge(struct mr_limiter *limiter) {
  if (limiter->buckets.size < limiter->purge_at) return;
  struct purge context = {.limiter = limiter, .now_us = mr_clock_now(&limiter->clock)};
  mr_hash_table_each(&limiter->buckets, purge_visited, &context);
  limiter->purge_at = limiter->buckets.size * 2 + FIRST_PURGE;
}

/* A bucket that has no room in the file lives in this process alone. */
static bool settle_new(struct mr_bucket *bucket) {
  struct mr_limiter *limiter = bucket->limiter;
  if (is_shared(limiter)) {
    bucket->entry = mr_shared_bucket(limiter->shared, bucket->key, &bucket->limits);
    if (bucket->entry) return true;
    mr_fail(&limiter->trouble, MR_IO,
            "no room for %s in the shared limits file; its limits are kept by this process alone",
            bucket->key);
  }
  bucket->own = make_state(&bucket->limits);
  return bucket->own != NULL;
}

static struct mr_bucket *make(struct mr_limiter *limiter, const char *key, uint64_t hash,
                              const struct mr_bucket_limits *limits) {
  size_t size = strlen(key) + 1;
  struct mr_bucket *bucket = mr_alloc_zero(1, sizeof(*bucket) + size);
  if (!bucket) return NULL;
  memcpy(bucket->key, key, size);
  bucket->limiter = limiter;
  bucket->limits = *limits;
  atomic_init(&bucket->queued, 0);
  bucket->told_limit = -1;
  if (!mr_hash_table_add(&limiter->buckets, &bucket->link, hash)) {
    mr_free(bucket);
    return NULL;
  }
  if (settle_new(bucket)) return bucket;
  mr_hash_table_remove(&limiter->buckets, &bucket->link);
  free_bucket(bucket);
  return NULL;
}

static bool relimit(struct mr_bucket *bucket, const struct mr_bucket_limits *limits) {
  struct mr_limiter *limiter = bucket->limiter;
  if (bucket->entry && is_shared(limiter)) {
    if (!mr_shared_set_limits(limiter->shared, bucket->entry, limits)) return false;
    bucket->limits = *limits;
    return true;
  }
  if (mr_bucket_same_limits(&bucket->limits, limits)) return true;
  struct mr_bucket_state *state = make_own_state(bucket, limits);
  if (!state) return false;
  mr_bucket_state_adopt(state, own_state(bucket));
  mr_free(bucket->own);
  bucket->own = state;
  bucket->limits = *limits;
  return true;
}

static struct mr_bucket *find_or_make(struct mr_limiter *limiter, const char *key,
                                      const struct mr_bucket_limits *limits) {
  uint64_t hash = mr_hash_bytes(0, key, strlen(key));
  struct mr_bucket *bucket = find(limiter, key, hash);
  if (bucket) return relimit(bucket, limits) ? bucket : NULL;
  purge(limiter);
  return make(limiter, key, hash, limits);
}

enum mr_kind mr_limiter_bucket(struct mr_limiter *limiter, const char *key,
                               const struct mr_bucket_limits *limits, struct mr_bucket **out,
                               struct mr_error *error) {
  enum mr_kind kind = mr_bucket_check(limits, key, error);
  if (kind) return kind;
  if (strlen(key) > KEY_MAX)
    return mr_fail(error, MR_LIMIT, "the name of a bucket is longer than %d bytes", KEY_MAX);
  enter(limiter);
  if (!limiter->settled) settle(limiter, NULL, &limiter->trouble);
  pthread_mutex_unlock(&limiter->lock);
  lock(limiter);
  struct mr_bucket *bucket = find_or_make(limiter, key, limits);
  if (bucket && bucket->references++ == 0) limiter->references++;
  unlock(limiter);
  if (!bucket) return mr_fail(error, MR_LIMIT, "out of memory for the bucket %s", key);
  *out = bucket;
  return MR_NONE;
}

struct mr_bucket *mr_bucket_hold(struct mr_bucket *bucket) {
  enter(bucket->limiter);
  bucket->references++;
  pthread_mutex_unlock(&bucket->limiter->lock);
  return bucket;
}

const char *mr_bucket_key(const struct mr_bucket *bucket) {
  return bucket->key;
}

void mr_bucket_release(struct mr_bucket *bucket) {
  if (!bucket) return;
  struct mr_limiter *limiter = bucket->limiter;
  enter(limiter);
  bool unused = --bucket->references == 0;
  pthread_mutex_unlock(&limiter->lock);
  if (unused) mr_limiter_close(limiter);
}

/* }====================================================== */

bool mr_limiter_is_shared(const struct mr_limiter *limiter) {
  return is_shared(limiter) || atomic_load_explicit(&limiter->queues, memory_order_relaxed) > 1;
}

static int64_t ready_of_all(const struct mr_ticket *ticket, int64_t now_us, uint32_t *blocker) {
  int64_t units = mr_ticket_units(ticket), ready_us = now_us;
  for (uint32_t i = 0; i < ticket->bucket_count; i++) {
    int64_t this_us = mr_bucket_ready(ticket->buckets[i]->state, units, now_us);
    if (this_us <= ready_us) continue;
    ready_us = this_us;
    *blocker = i;
  }
  return ready_us;
}

/* Other machines are asked only when nothing here is in the way. */
static int64_t ready_elsewhere(struct mr_limiter *limiter, const struct mr_ticket *ticket,
                               int64_t now_us) {
  if (!limiter->remote || ticket->bucket_count == 0) return now_us;
  int64_t queued = atomic_load_explicit(&ticket->buckets[0]->queued, memory_order_relaxed);
  if (ticket->state != MR_TICKET_QUEUED) queued++;
  return mr_remote_ready(limiter->remote, ticket, queued * mr_ticket_units(ticket), now_us,
                         &limiter->trouble);
}

static void take_all(struct mr_ticket *ticket, int64_t now_us) {
  int64_t units = mr_ticket_units(ticket), waited_us = now_us - ticket->entered_us;
  for (uint32_t i = 0; i < ticket->bucket_count; i++) {
    struct mr_bucket_state *state = ticket->buckets[i]->state;
    mr_bucket_take(state, units, now_us);
    state->waited_us += waited_us;
    ticket->slots[i] = 0;
  }
  ticket->granted_us = now_us;
  ticket->state = MR_TICKET_GRANTED;
}

bool mr_limiter_take(struct mr_limiter *limiter, struct mr_ticket *ticket, int64_t now_us,
                     uint32_t *blocker, int64_t *ready_us) {
  mr_limiter_begin(limiter, ticket->buckets, ticket->bucket_count);
  *ready_us = ready_of_all(ticket, now_us, blocker);
  if (*ready_us <= now_us) *ready_us = ready_elsewhere(limiter, ticket, now_us);
  bool taken = *ready_us <= now_us;
  if (taken) take_all(ticket, now_us);
  if (taken && limiter->remote) mr_remote_take(limiter->remote, ticket, now_us);
  if (is_shared(limiter)) {
    mr_shared_commit(limiter->shared);
    mr_shared_tick(limiter->shared, now_us);
  }
  unlock(limiter);
  return taken;
}

int64_t mr_limiter_estimate(struct mr_limiter *limiter, const struct mr_ticket *ticket,
                            int64_t ahead, int64_t now_us) {
  int64_t units = mr_ticket_units(ticket), estimate_us = now_us;
  mr_limiter_begin(limiter, ticket->buckets, ticket->bucket_count);
  for (uint32_t i = 0; i < ticket->bucket_count; i++) {
    int64_t this_us = mr_bucket_estimate(ticket->buckets[i]->state, ahead, units, now_us);
    if (this_us > estimate_us) estimate_us = this_us;
  }
  mr_limiter_end(limiter);
  return estimate_us;
}

bool mr_limiter_look_elsewhere(struct mr_limiter *limiter, const struct mr_ticket *ticket,
                               struct mr_remote_view *view) {
  enter(limiter);
  bool found = limiter->remote && ticket->bucket_count > 0;
  if (found) mr_remote_look(limiter->remote, ticket, view);
  pthread_mutex_unlock(&limiter->lock);
  return found;
}

void mr_bucket_look(struct mr_bucket *bucket, struct mr_bucket_view *view) {
  struct mr_limiter *limiter = bucket->limiter;
  mr_limiter_begin(limiter, &bucket, 1);
  mr_bucket_describe(bucket->state, mr_clock_now(&limiter->clock), view);
  mr_limiter_end(limiter);
  view->queued = atomic_load(&bucket->queued);
}

void mr_bucket_pass(struct mr_bucket *bucket, int64_t time_us) {
  struct mr_limiter *limiter = bucket->limiter;
  mr_limiter_begin(limiter, &bucket, 1);
  mr_bucket_shift(bucket->state, -(time_us < PASS_MAX_US ? time_us : PASS_MAX_US));
  mr_bucket_release_all(bucket->state, mr_clock_now(&limiter->clock));
  for (uint32_t i = 0; i < bucket->state->limits.window_count; i++)
    mr_window_refresh(&bucket->state->windows[i]);
  mr_limiter_end(limiter);
}
