/*
** The value lives in a secret buffer, guarded by the lock; nothing else is
** ever changed after opening but the counters.
*/
#include "secret.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "ascii.h"
#include "memory.h"
#include "secret_source.h"

/* Room for a final CRLF, and for one byte that tells "too long" from "just fits". */
#define READ_MAX (MR_SECRET_MAX + 3)

struct mr_secret {
  atomic_uint holders;
  atomic_int refusals;
  atomic_uint version;
  enum mr_secret_source source;
  bool multiline;
  char *origin; /* NULL for a literal */
  pthread_mutex_t lock;
  struct mr_buffer value;
};

void mr_secret_value_init(struct mr_buffer *value) {
  mr_buffer_init(value, READ_MAX);
  value->secret = true;
}

/* {====== Reading ====== */

static void drop_final_newline(struct mr_buffer *value) {
  size_t size = value->size;
  if (size > 0 && value->data[size - 1] == '\n')
    size -= size > 1 && value->data[size - 2] == '\r' ? 2 : 1;
  value->size = size;
  if (value->data) value->data[size] = '\0';
}

static bool is_allowed(char c, bool multiline) {
  return !mr_ascii_is_control(c) || (multiline && (c == '\t' || c == '\n' || c == '\r'));
}

/* From outside the program white space alone is what a template or a script that failed has left. */
static bool is_empty(const struct mr_secret *secret, const struct mr_buffer *value) {
  size_t at = 0;
  while (secret->source != MR_SECRET_LITERAL && at < value->size && value->data[at] == ' ')
    at++;
  return at == value->size;
}

static enum mr_kind check_value(const struct mr_secret *secret, const struct mr_buffer *value,
                                struct mr_error *error) {
  const char *kind_name = mr_secret_source_name(secret->source);
  const char *origin = secret->origin ? secret->origin : "in the program";
  if (is_empty(secret, value))
    return mr_fail(error, MR_AUTH, "the credential is empty; check the %s %s", kind_name, origin);
  if (value->size > MR_SECRET_MAX)
    return mr_fail(error, MR_AUTH, "the credential has more than %d bytes; check the %s %s",
                   MR_SECRET_MAX, kind_name, origin);
  for (size_t i = 0; i < value->size; i++)
    if (!is_allowed(value->data[i], secret->multiline))
      return mr_fail(error, MR_AUTH,
                     "the credential has a control character%s at byte %zu; check the %s %s",
                     secret->multiline ? "" : " or line break", i + 1, kind_name, origin);
  return MR_NONE;
}

static enum mr_kind accept(const struct mr_secret *secret, struct mr_buffer *value,
                           struct mr_error *error) {
  drop_final_newline(value);
  return check_value(secret, value, error);
}

/* Fills an empty 'value'; on failure the caller frees it all the same. */
static enum mr_kind load(const struct mr_secret *secret, const struct mr_secret_watch *watch,
                         struct mr_buffer *value, struct mr_error *error) {
  enum mr_kind kind = MR_NONE;
  if (secret->source == MR_SECRET_ENV)
    kind = mr_secret_read_env(secret->origin, value, error);
  else if (secret->source == MR_SECRET_FILE)
    kind = mr_secret_read_file(secret->origin, value, error);
  else
    kind = mr_secret_read_command(secret->origin, MR_SECRET_COMMAND_US, watch, value, error);
  return kind == MR_NONE ? accept(secret, value, error) : kind;
}

static enum mr_kind load_literal(struct mr_secret *secret, const char *text, size_t size,
                                 struct mr_error *error) {
  if (mr_buffer_append(&secret->value, text, size < READ_MAX ? size : READ_MAX) != MR_NONE)
    return mr_fail(error, MR_LIMIT, "no memory for a credential");
  return check_value(secret, &secret->value, error);
}

static enum mr_kind load_from(struct mr_secret *secret, const char *origin, size_t size,
                              const struct mr_secret_watch *watch, struct mr_error *error) {
  if (size > 0 && memchr(origin, '\0', size))
    return mr_fail(error, MR_AUTH, "the name of a credential's %s holds a zero byte",
                   mr_secret_source_name(secret->source));
  secret->origin = mr_duplicate(origin, size);
  if (!secret->origin) return mr_fail(error, MR_LIMIT, "no memory for a credential");
  return load(secret, watch, &secret->value, error);
}

/* }====== */

/* {====== Life ====== */

static struct mr_secret *create(enum mr_secret_source source, bool multiline) {
  struct mr_secret *secret = mr_alloc_zero(1, sizeof(*secret));
  if (!secret) return NULL;
  if (pthread_mutex_init(&secret->lock, NULL) != 0) {
    mr_free(secret);
    return NULL;
  }
  atomic_init(&secret->holders, 1);
  atomic_init(&secret->refusals, 0);
  atomic_init(&secret->version, 0);
  secret->source = source;
  secret->multiline = multiline;
  mr_secret_value_init(&secret->value);
  return secret;
}

enum mr_kind mr_secret_open_watched(enum mr_secret_source source, const char *origin, size_t size,
                                    bool multiline, const struct mr_secret_watch *watch,
                                    struct mr_secret **out, struct mr_error *error) {
  struct mr_secret *secret = create(source, multiline);
  if (!secret) return mr_fail(error, MR_LIMIT, "no memory for a credential");
  enum mr_kind kind = source == MR_SECRET_LITERAL ? load_literal(secret, origin, size, error)
                                                  : load_from(secret, origin, size, watch, error);
  if (kind != MR_NONE)
    mr_secret_release(secret);
  else
    *out = secret;
  return kind;
}

enum mr_kind mr_secret_open(enum mr_secret_source source, const char *origin, size_t size,
                            bool multiline, struct mr_secret **out, struct mr_error *error) {
  return mr_secret_open_watched(source, origin, size, multiline, NULL, out, error);
}

struct mr_secret *mr_secret_hold(struct mr_secret *secret) {
  atomic_fetch_add_explicit(&secret->holders, 1, memory_order_relaxed);
  return secret;
}

void mr_secret_release(struct mr_secret *secret) {
  if (!secret || atomic_fetch_sub_explicit(&secret->holders, 1, memory_order_acq_rel) > 1) return;
  mr_buffer_free(&secret->value);
  pthread_mutex_destroy(&secret->lock);
  mr_free(secret->origin);
  mr_free(secret);
}

static bool exchange_value(struct mr_secret *secret, struct mr_buffer *fresh) {
  pthread_mutex_lock(&secret->lock);
  struct mr_buffer old = secret->value;
  bool changed = old.size != fresh->size || memcmp(old.data, fresh->data, old.size) != 0;
  if (changed) {
    secret->value = *fresh;
    *fresh = old;
    atomic_store(&secret->refusals, 0);
    atomic_fetch_add(&secret->version, 1);
  }
  pthread_mutex_unlock(&secret->lock);
  return changed;
}

enum mr_kind mr_secret_take(struct mr_secret *secret, struct mr_buffer *value, bool *changed,
                            struct mr_error *error) {
  *changed = false;
  enum mr_kind kind = accept(secret, value, error);
  if (kind == MR_NONE) *changed = exchange_value(secret, value);
  mr_buffer_free(value);
  return kind;
}

/* Reads without the lock: requests go on with the old value. */
enum mr_kind mr_secret_refresh(struct mr_secret *secret, bool *changed, struct mr_error *error) {
  *changed = false;
  if (secret->source == MR_SECRET_LITERAL || secret->source == MR_SECRET_ENV) return MR_NONE;
  struct mr_buffer fresh;
  mr_secret_value_init(&fresh);
  enum mr_kind kind = load(secret, NULL, &fresh, error);
  if (kind == MR_NONE) *changed = exchange_value(secret, &fresh);
  mr_buffer_free(&fresh);
  return kind;
}

uint32_t mr_secret_version(const struct mr_secret *secret) {
  return atomic_load(&secret->version);
}

/* }====== */

/* {====== Use ====== */

enum mr_secret_source mr_secret_source_of(const struct mr_secret *secret) {
  return secret->source;
}

const char *mr_secret_origin(const struct mr_secret *secret) {
  return secret->origin ? secret->origin : "literal";
}

static enum mr_kind append_value(const struct mr_buffer *value, const char *prefix,
                                 struct mr_buffer *out) {
  size_t size = strlen(prefix);
  if (value->size >= size && mr_ascii_same(value->data, size, prefix, size)) size = 0;
  enum mr_kind kind = mr_buffer_reserve(out, size + value->size);
  if (kind != MR_NONE) return kind;
  mr_buffer_append(out, prefix, size);
  return mr_buffer_append(out, value->data, value->size);
}

enum mr_kind mr_secret_append(struct mr_secret *secret, const char *prefix, struct mr_buffer *out) {
  out->secret = true;
  pthread_mutex_lock(&secret->lock);
  enum mr_kind kind = append_value(&secret->value, prefix ? prefix : "", out);
  pthread_mutex_unlock(&secret->lock);
  return kind;
}

void mr_secret_accepted(struct mr_secret *secret) {
  atomic_store(&secret->refusals, 0);
}

int mr_secret_refused(struct mr_secret *secret) {
  return atomic_fetch_add(&secret->refusals, 1) + 1;
}

bool mr_secret_is_closed(const struct mr_secret *secret) {
  return atomic_load(&secret->refusals) >= MR_SECRET_REFUSALS;
}

/* }====== */
