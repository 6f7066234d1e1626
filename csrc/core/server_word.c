#include "server_word.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"

#define DELAY_MAX_US (INT64_C(366) * 24 * 3600 * MR_SECOND)
/* Of a delay with decimals: what is longer was cut, so it was no number. */
#define DECIMAL_MAX_US (INT64_C(364) * 24 * 3600 * MR_SECOND)
/* From here on a number is a time: 2001 in seconds, 1973 in milliseconds. */
#define EPOCH_SECONDS   INT64_C(1000000000)
#define EPOCH_MILLIS    INT64_C(100000000000)
#define EPOCH_TOO_LARGE INT64_C(100000000000000)

/* Whether any field could be one of ours: [X-]Ra..., [X-]Re... Most answers have none, and a dozen look-ups by
** name in each of them would cost more than reading its JSON. */
static bool may_speak(const struct mr_headers *headers) {
  for (uint32_t i = 0; i < headers->count; i++) {
    struct mr_slice name = mr_headers_name(headers, i);
    const char *at = name.data;
    if (name.size < 6) continue;
    if ((at[0] | 32) == 'x' && at[1] == '-') at += 2;
    if ((at[0] | 32) == 'r' && ((at[1] | 32) == 'a' || (at[1] | 32) == 'e')) return true;
  }
  return false;
}

static int64_t server_wall_us(const struct mr_headers *headers, int64_t wall_us) {
  mr_header_date(mr_headers_get(headers, "Date"), &wall_us);
  return wall_us;
}

static int64_t delay_until(int64_t at_us, int64_t wall_us) {
  if (at_us <= wall_us) return 0;
  return at_us - wall_us <= DELAY_MAX_US ? at_us - wall_us : -1;
}

/* Servers differ in whether Reset is a delay or a time, whatever the field's name promises; the size tells. */
static int64_t read_reset(struct mr_slice value, int64_t wall_us) {
  int64_t number, delay_us;
  if (!value.data) return -1;
  if (!mr_header_count(value, &number)) {
    bool good = mr_header_retry_after(value, wall_us, &delay_us) && delay_us <= DECIMAL_MAX_US;
    return good ? delay_us : -1;
  }
  if (number < DELAY_MAX_US / MR_SECOND) return number * MR_SECOND;
  if (number < EPOCH_SECONDS || number >= EPOCH_TOO_LARGE) return -1;
  return delay_until(number * (number < EPOCH_MILLIS ? MR_SECOND : MR_MILLISECOND), wall_us);
}

/* The first number of a value such as "100, 100;w=60". */
static int64_t read_count(struct mr_slice value) {
  size_t size = 0;
  int64_t count;
  while (size < value.size && value.data[size] != ',' && value.data[size] != ';')
    size++;
  while (size > 0 && value.data[size - 1] == ' ')
    size--;
  return value.data && mr_header_count((struct mr_slice){value.data, size}, &count) ? count : -1;
}

static struct mr_slice get(const struct mr_headers *headers, const char *family,
                           const char *suffix) {
  char name[32];
  size_t family_size = strlen(family), suffix_size = strlen(suffix);
  memcpy(name, family, family_size);
  memcpy(name + family_size, suffix, suffix_size);
  name[family_size + suffix_size] = '\0';
  return mr_headers_get(headers, name);
}

/* The first one is enough to tell. */
static void suspect(struct mr_server_words *words, const char *name) {
  if (words->garbage[0] == '\0') snprintf(words->garbage, sizeof(words->garbage), "%s", name);
}

static void suspect_part(struct mr_server_words *words, const struct mr_headers *headers,
                         const char *family, const char *suffix, int64_t value) {
  char name[MR_FIELD_NAME];
  if (value >= 0 || !get(headers, family, suffix).data) return;
  snprintf(name, sizeof(name), "%s%s", family, suffix);
  suspect(words, name);
}

static void add(struct mr_server_words *words, const struct mr_server_word *word) {
  if (word->remaining < 0 && word->reset_us < 0) return;
  if (words->count < MR_SERVER_WORDS) words->items[words->count++] = *word;
}

static void read_family(struct mr_server_words *words, const struct mr_headers *headers,
                        const char *family, int64_t wall_us) {
  struct mr_server_word word = {.limit = read_count(get(headers, family, "Limit")),
                                .remaining = read_count(get(headers, family, "Remaining")),
                                .reset_us = read_reset(get(headers, family, "Reset"), wall_us),
                                .window_us = -1};
  suspect_part(words, headers, family, "Limit", word.limit);
  suspect_part(words, headers, family, "Remaining", word.remaining);
  suspect_part(words, headers, family, "Reset", word.reset_us);
  add(words, &word);
}

/*
** {======================================================
** RateLimit and RateLimit-Policy
** =======================================================
*/

struct policies {
  struct mr_rate_item items[MR_SERVER_WORDS];
  uint32_t count;
  struct mr_server_words *words;
};

static void visit_policy(void *context, const struct mr_rate_item *item) {
  struct policies *policies = context;
  if (policies->count < MR_SERVER_WORDS) policies->items[policies->count++] = *item;
}

static bool same_name(struct mr_slice a, struct mr_slice b) {
  return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static int64_t sane_delay(int64_t delay_us) {
  return delay_us <= DELAY_MAX_US ? delay_us : -1;
}

static void visit_limit(void *context, const struct mr_rate_item *item) {
  struct policies *policies = context;
  struct mr_server_word word = {.limit = item->quota,
                                .remaining = item->remaining,
                                .reset_us = sane_delay(item->reset_us),
                                .window_us = item->window_us};
  for (uint32_t i = 0; i < policies->count; i++) {
    const struct mr_rate_item *policy = &policies->items[i];
    if (!same_name(policy->name, item->name)) continue;
    if (word.limit < 0) word.limit = policy->quota;
    if (word.window_us < 0) word.window_us = policy->window_us;
  }
  add(policies->words, &word);
}

static void read_ietf(struct mr_server_words *words, const struct mr_headers *headers) {
  struct policies policies = {.words = words};
  struct mr_slice value;
  uint32_t at = 0;
  while (mr_headers_next(headers, "RateLimit-Policy", &at, &value))
    if (!mr_header_rate_items(value, visit_policy, &policies)) suspect(words, "RateLimit-Policy");
  at = 0;
  while (mr_headers_next(headers, "RateLimit", &at, &value))
    if (!mr_header_rate_items(value, visit_limit, &policies)) suspect(words, "RateLimit");
}

/* }====================================================== */

int64_t mr_server_retry_after(const struct mr_headers *headers, int64_t wall_us) {
  int64_t number, delay_us;
  if (!may_speak(headers)) return -1;
  if (mr_header_count(mr_headers_get(headers, "retry-after-ms"), &number) &&
      number <= DELAY_MAX_US / MR_MILLISECOND)
    return number * MR_MILLISECOND;
  struct mr_slice value = mr_headers_get(headers, "Retry-After");
  if (!value.data) return -1;
  return mr_header_retry_after(value, server_wall_us(headers, wall_us), &delay_us) ? delay_us : -1;
}

void mr_server_words_read(struct mr_server_words *words, const struct mr_headers *headers,
                          const struct mr_clock *clock) {
  words->count = 0;
  words->garbage[0] = '\0';
  words->retry_after_us = -1;
  if (!may_speak(headers)) return;
  int64_t wall_us = mr_clock_wall(clock);
  words->retry_after_us = mr_server_retry_after(headers, wall_us);
  if (words->retry_after_us < 0 && mr_headers_get(headers, "Retry-After").data)
    suspect(words, "Retry-After");
  wall_us = server_wall_us(headers, wall_us);
  read_family(words, headers, "X-RateLimit-", wall_us);
  read_family(words, headers, "X-Rate-Limit-", wall_us);
  read_family(words, headers, "RateLimit-", wall_us);
  read_ietf(words, headers);
}
