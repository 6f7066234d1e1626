#include "retry.h"

#include "ascii.h"
#include "server_word.h"

const struct mr_retry_policy mr_retry_default = {.attempts = 3,
                                                 .base_us = 500 * MR_MILLISECOND,
                                                 .cap_us = 20 * MR_SECOND,
                                                 .statuses = {408, 429, 500, 502, 503, 504},
                                                 .status_count = 6};

/* What the server thinks of a retry: x-should-retry. */
enum wish { WISH_NONE, WISH_YES, WISH_NO };

static enum wish server_wish(const struct mr_headers *headers) {
  if (!headers) return WISH_NONE;
  struct mr_slice value = mr_headers_get(headers, "x-should-retry");
  if (mr_ascii_same(value.data, value.size, "true", 4)) return WISH_YES;
  return mr_ascii_same(value.data, value.size, "false", 5) ? WISH_NO : WISH_NONE;
}

static const char *status_reason(int status) {
  static const struct {
    int status;
    const char *reason;
  } known[] = {{408, "status 408"}, {409, "status 409"}, {425, "status 425"}, {429, "status 429"},
               {500, "status 500"}, {502, "status 502"}, {503, "status 503"}, {504, "status 504"}};
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (known[i].status == status) return known[i].reason;
  return status >= 500 ? "status 5xx" : status >= 400 ? "status 4xx" : "status";
}

static const char *network_reason(const struct mr_exchange_result *result) {
  if (result->unread) return "refused unread";
  if (result->stale) return "stale connection";
  if (result->kind == MR_TRUNCATED) return "truncated";
  if (result->kind == MR_TIMEOUT)
    return result->phase <= MR_PHASE_CONNECT ? "connect timeout" : "timeout";
  switch (result->phase) {
  case MR_PHASE_NONE:
  case MR_PHASE_RESOLVE:
    return "resolve";
  case MR_PHASE_CONNECT:
    return "connect";
  case MR_PHASE_SEND:
    return "send";
  default:
    return "receive";
  }
}

static bool is_repeatable(const struct mr_attempt *attempt) {
  return attempt->repeat != MR_REPEAT_NEVER || attempt->has_key;
}

static bool is_network(enum mr_kind kind) {
  return kind == MR_NETWORK || kind == MR_TIMEOUT || kind == MR_TRUNCATED;
}

static bool is_listed(const struct mr_retry_policy *policy, int status) {
  for (uint32_t i = 0; i < policy->status_count; i++)
    if (policy->statuses[i] == status) return true;
  return false;
}

/* The longer of what header and body say. */
static int64_t asked_wait(const struct mr_attempt *attempt) {
  int64_t wait_us =
      attempt->headers ? mr_server_retry_after(attempt->headers, attempt->wall_us) : -1;
  return attempt->body_retry_after_us > wait_us ? attempt->body_retry_after_us : wait_us;
}

/* Nothing left in the phases up to CONNECT; a later failure may have been executed, unless the server says otherwise. */
static bool network_allows(const struct mr_attempt *attempt) {
  const struct mr_exchange_result *result = attempt->result;
  return result->phase <= MR_PHASE_CONNECT || result->unread || is_repeatable(attempt);
}

/* A refusal was not executed, so even a write may be tried again. */
static bool is_refusal(int status, int64_t retry_after_us) {
  return status == 429 || (status == 503 && retry_after_us >= 0);
}

/* NULL: may be tried again as far as the attempt itself goes; else why not. */
static const char *objection(const struct mr_retry_policy *policy, const struct mr_attempt *attempt,
                             int64_t retry_after_us) {
  const struct mr_exchange_result *result = attempt->result;
  if (attempt->final || result->lasting) return "final";
  if (result->kind != MR_NONE) {
    if (!is_network(result->kind)) return "no network failure";
    return network_allows(attempt) ? NULL : "not repeatable";
  }
  enum wish wish = server_wish(attempt->headers);
  if (result->status < 400) return "no failure";
  if (wish == WISH_NO) return "server says no";
  if (wish != WISH_YES && !is_listed(policy, result->status)) return "status not retried";
  if (is_refusal(result->status, retry_after_us) || is_repeatable(attempt)) return NULL;
  return "not repeatable";
}

/* Full jitter, but never less than the server asks for. */
static int64_t wait_before(const struct mr_retry_policy *policy, uint32_t number,
                           int64_t retry_after_us, struct mr_random *random) {
  int64_t bound_us = policy->base_us;
  for (uint32_t i = 1; i < number && bound_us < policy->cap_us; i++)
    bound_us = mr_time_after(bound_us, bound_us);
  if (bound_us > policy->cap_us) bound_us = policy->cap_us;
  int64_t wait_us = mr_random_below(random, bound_us);
  return retry_after_us > wait_us ? retry_after_us : wait_us;
}

static struct mr_verdict refuse(struct mr_verdict verdict, const char *reason) {
  verdict.reason = reason;
  return verdict;
}

/* Such a connection died while it was idle: the server is well, and no budget is needed to go to it once more. */
static bool is_stale(const struct mr_attempt *attempt) {
  return attempt->result->kind != MR_NONE && attempt->result->stale && !attempt->final &&
         network_allows(attempt) && attempt->remaining_us > 0;
}

static const char *reason_of(const struct mr_exchange_result *result) {
  return result->kind == MR_NONE ? status_reason(result->status) : network_reason(result);
}

struct mr_verdict mr_retry_decide(const struct mr_retry_policy *policy,
                                  const struct mr_attempt *attempt, struct mr_retry_budget *budget,
                                  struct mr_slice host, int64_t now_us, struct mr_random *random) {
  struct mr_verdict verdict = {.retry_after_us = asked_wait(attempt)};
  if (is_stale(attempt)) {
    verdict.retry = verdict.at_once = true;
    return refuse(verdict, network_reason(attempt->result));
  }
  const char *why_not = objection(policy, attempt, verdict.retry_after_us);
  if (why_not) return refuse(verdict, why_not);
  if (attempt->number >= policy->attempts) return refuse(verdict, "attempts used up");
  int64_t wait_us = wait_before(policy, attempt->number, verdict.retry_after_us, random);
  if (attempt->remaining_us != MR_NEVER && wait_us >= attempt->remaining_us)
    return refuse(verdict, "deadline");
  if (!attempt->result->unread && budget && !mr_retry_budget_spend(budget, host, now_us))
    return refuse(verdict, "no budget"); /* what it has not looked at cost the server nothing */
  verdict.retry = true;
  verdict.wait_us = wait_us;
  verdict.reason = reason_of(attempt->result);
  return verdict;
}
