#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/retry.h"

#define HOST    ((struct mr_slice){"api.example.com", 15})
#define WALL_US (INT64_C(1700000000) * MR_SECOND)

struct fixture {
  struct mr_retry_policy policy;
  struct mr_exchange_result result;
  struct mr_attempt attempt;
  struct mr_headers headers;
  struct mr_random random;
};

static int set_up(void **state) {
  static struct fixture f;
  f = (struct fixture){.policy = mr_retry_default};
  mr_headers_init(&f.headers);
  mr_random_seed(&f.random, 5);
  f.attempt = (struct mr_attempt){.number = 1,
                                  .repeat = MR_REPEAT_SAFE,
                                  .result = &f.result,
                                  .headers = &f.headers,
                                  .body_retry_after_us = -1,
                                  .wall_us = WALL_US,
                                  .remaining_us = MR_NEVER};
  f.result.phase = MR_PHASE_DONE;
  *state = &f;
  return 0;
}

static int tear_down(void **state) {
  mr_headers_free(&((struct fixture *)*state)->headers);
  return 0;
}

static struct mr_verdict decide(struct fixture *f) {
  return mr_retry_decide(&f->policy, &f->attempt, NULL, HOST, 0, &f->random);
}

static struct mr_verdict on_status(struct fixture *f, int status, const char *line) {
  f->result.kind = MR_NONE;
  f->result.status = status;
  mr_headers_clear(&f->headers);
  if (line) assert_int_equal(mr_headers_add(&f->headers, line, strlen(line)), MR_NONE);
  return decide(f);
}

static struct mr_verdict on_failure(struct fixture *f, enum mr_kind kind,
                                    enum mr_exchange_phase phase) {
  f->result.kind = kind;
  f->result.status = 0;
  f->result.phase = phase;
  f->attempt.headers = NULL;
  return decide(f);
}

static void test_statuses_of_a_read(void **state) {
  struct fixture *f = *state;
  const int retried[] = {408, 429, 500, 502, 503, 504};
  for (size_t i = 0; i < 6; i++) {
    struct mr_verdict verdict = on_status(f, retried[i], NULL);
    char reason[20];
    snprintf(reason, sizeof(reason), "status %d", retried[i]);
    assert_true(verdict.retry);
    assert_false(verdict.at_once);
    assert_string_equal(verdict.reason, reason);
    assert_in_range(verdict.wait_us, 0, 500000 - 1);
    assert_int_equal(verdict.retry_after_us, -1);
  }
  const int not_retried[] = {200, 204, 304, 400, 401, 403, 404, 409, 410, 418, 501, 505};
  for (size_t i = 0; i < 12; i++)
    assert_false(on_status(f, not_retried[i], NULL).retry);
}

static void test_writes_without_a_key(void **state) {
  struct fixture *f = *state;
  f->attempt.repeat = MR_REPEAT_NEVER;
  assert_true(on_status(f, 429, NULL).retry);
  assert_true(on_status(f, 503, "Retry-After: 2").retry);
  assert_string_equal(on_status(f, 503, NULL).reason, "not repeatable");
  const int maybe_executed[] = {408, 500, 502, 503, 504};
  for (size_t i = 0; i < 5; i++)
    assert_false(on_status(f, maybe_executed[i], NULL).retry);
  assert_false(on_status(f, 500, "x-should-retry: true").retry);
  f->attempt.has_key = true;
  for (size_t i = 0; i < 5; i++)
    assert_true(on_status(f, maybe_executed[i], NULL).retry);
}

static void test_a_lasting_failure_is_final(void **state) {
  struct fixture *f = *state;
  assert_true(on_failure(f, MR_NETWORK, MR_PHASE_CONNECT).retry);
  f->result.lasting = true;
  assert_string_equal(on_failure(f, MR_NETWORK, MR_PHASE_CONNECT).reason, "final");
}

static void test_failures_by_phase(void **state) {
  struct fixture *f = *state;
  for (int repeat = MR_REPEAT_SAFE; repeat <= MR_REPEAT_NEVER; repeat++) {
    for (int key = 0; key <= 1; key++) {
      for (int phase = MR_PHASE_NONE; phase <= MR_PHASE_DONE; phase++) {
        f->attempt.repeat = (enum mr_repeat)repeat;
        f->attempt.has_key = key;
        bool expected = phase <= MR_PHASE_CONNECT || repeat != MR_REPEAT_NEVER || key;
        assert_int_equal(on_failure(f, MR_NETWORK, (enum mr_exchange_phase)phase).retry, expected);
        assert_int_equal(on_failure(f, MR_TIMEOUT, (enum mr_exchange_phase)phase).retry, expected);
        assert_int_equal(on_failure(f, MR_TRUNCATED, (enum mr_exchange_phase)phase).retry,
                         expected);
      }
    }
  }
}

static void test_what_is_no_network_failure(void **state) {
  struct fixture *f = *state;
  const enum mr_kind kinds[] = {MR_AUTH,      MR_DECODE, MR_TOO_LARGE, MR_REDIRECT,
                                MR_CANCELLED, MR_LIMIT,  MR_IO,        MR_THROTTLED};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    assert_false(on_failure(f, kinds[i], MR_PHASE_RECEIVE).retry);
}

static void test_a_stale_connection(void **state) {
  struct fixture *f = *state;
  f->result.stale = true;
  struct mr_verdict verdict = on_failure(f, MR_NETWORK, MR_PHASE_SEND);
  assert_true(verdict.retry && verdict.at_once);
  assert_int_equal(verdict.wait_us, 0);
  f->policy.attempts = 1; /* is no attempt that the policy counts */
  assert_true(decide(f).at_once);
  f->attempt.repeat = MR_REPEAT_NEVER;
  verdict = decide(f);
  assert_false(verdict.retry || verdict.at_once);
  f->attempt.has_key = true;
  assert_true(decide(f).at_once);
  f->attempt.remaining_us = 0;
  assert_false(decide(f).retry);
}

static void test_what_was_not_begun_with(void **state) {
  struct fixture *f = *state;
  f->result.unread = true;
  f->attempt.repeat = MR_REPEAT_NEVER;
  struct mr_verdict verdict = on_failure(f, MR_NETWORK, MR_PHASE_SEND);
  assert_true(verdict.retry && !verdict.at_once);
  assert_string_equal(verdict.reason, "refused unread");
  f->result.stale = true;
  assert_true(decide(f).at_once);
  f->result.stale = false;
  f->policy.attempts = 1;
  assert_false(decide(f).retry);
}

static void test_attempts(void **state) {
  struct fixture *f = *state;
  for (uint32_t number = 1; number <= 4; number++) {
    f->attempt.number = number;
    assert_int_equal(on_status(f, 500, NULL).retry, number < 3);
  }
  assert_string_equal(decide(f).reason, "attempts used up");
  f->policy.attempts = 1;
  f->attempt.number = 1;
  assert_false(on_status(f, 500, NULL).retry);
}

static void test_the_server_says(void **state) {
  struct fixture *f = *state;
  assert_string_equal(on_status(f, 500, "x-should-retry: false").reason, "server says no");
  assert_false(on_status(f, 500, "x-should-retry: false").retry);
  assert_true(on_status(f, 409, "x-should-retry: True").retry);
  assert_false(on_status(f, 409, "x-should-retry: perhaps").retry);
  assert_false(on_status(f, 200, "x-should-retry: true").retry);
  f->attempt.final = true;
  struct mr_verdict verdict = on_status(f, 429, "Retry-After: 9");
  assert_false(verdict.retry);
  assert_string_equal(verdict.reason, "final");
  assert_int_equal(verdict.retry_after_us, 9 * MR_SECOND);
}

static void test_retry_after(void **state) {
  struct fixture *f = *state;
  assert_int_equal(on_status(f, 429, "Retry-After: 7").wait_us, 7 * MR_SECOND);
  assert_int_equal(on_status(f, 429, "Retry-After: 7").retry_after_us, 7 * MR_SECOND);
  assert_int_equal(on_status(f, 429, "retry-after-ms: 1500").wait_us, 1500 * MR_MILLISECOND);
  assert_int_equal(on_status(f, 429, "Retry-After: Tue, 14 Nov 2023 22:13:30 GMT").wait_us,
                   10 * MR_SECOND);
  assert_int_equal(on_status(f, 429, "Retry-After: soon").retry_after_us, -1);
  assert_int_equal(on_status(f, 429, "Retry-After: -1").retry_after_us, -1);
  assert_in_range(on_status(f, 429, "Retry-After: 0").wait_us, 0, 500000);
  f->attempt.body_retry_after_us = 11 * MR_SECOND;
  assert_int_equal(on_status(f, 429, NULL).wait_us, 11 * MR_SECOND);
  assert_int_equal(on_status(f, 429, "Retry-After: 7").wait_us, 11 * MR_SECOND);
  assert_int_equal(on_status(f, 429, "Retry-After: 12").wait_us, 12 * MR_SECOND);
}

static void test_never_past_the_deadline(void **state) {
  struct fixture *f = *state;
  f->attempt.remaining_us = 5 * MR_SECOND;
  struct mr_verdict verdict = on_status(f, 429, "Retry-After: 5");
  assert_false(verdict.retry);
  assert_string_equal(verdict.reason, "deadline");
  assert_int_equal(verdict.retry_after_us, 5 * MR_SECOND);
  assert_true(on_status(f, 429, "Retry-After: 4").retry);
  verdict = on_status(f, 429, "Retry-After: 1e300");
  assert_true(!verdict.retry || verdict.wait_us < 5 * MR_SECOND);
  f->attempt.remaining_us = 0;
  verdict = on_status(f, 500, NULL);
  assert_false(verdict.retry);
  assert_int_equal(verdict.retry_after_us, -1); /* nobody asked for a wait of our own choice */
  for (int i = 0; i < 1000; i++) {
    f->attempt.remaining_us = i * 1000;
    verdict = on_status(f, 500, NULL);
    assert_true(!verdict.retry || verdict.wait_us < f->attempt.remaining_us);
  }
}

/* Uniform below min(cap, base * 2^(n-1)): the mean is half of it, and both ends are reached. */
static void test_full_jitter(void **state) {
  struct fixture *f = *state;
  f->policy.attempts = 200;
  const int64_t bounds[] = {500000, 1000000, 2000000, 4000000, 8000000, 16000000, 20000000};
  for (uint32_t number = 1; number <= 100; number += number < 7 ? 1 : 31) {
    int64_t bound_us = number <= 7 ? bounds[number - 1] : 20000000;
    int64_t sum_us = 0, low_us = MR_NEVER, high_us = 0;
    f->attempt.number = number;
    for (int i = 0; i < 4000; i++) {
      int64_t wait_us = on_status(f, 500, NULL).wait_us;
      sum_us += wait_us;
      if (wait_us < low_us) low_us = wait_us;
      if (wait_us > high_us) high_us = wait_us;
    }
    assert_true(high_us < bound_us && high_us > bound_us * 98 / 100);
    assert_true(low_us < bound_us * 2 / 100);
    assert_true(sum_us / 4000 > bound_us * 47 / 100 && sum_us / 4000 < bound_us * 53 / 100);
  }
}

static void test_budget_is_spent_by_retries_only(void **state) {
  struct fixture *f = *state;
  struct mr_retry_budget *budget = mr_retry_budget_open();
  for (int i = 0; i < 20; i++) {
    on_status(f, 404, NULL);
    assert_false(mr_retry_decide(&f->policy, &f->attempt, budget, HOST, 0, &f->random).retry);
  }
  for (int i = 0; i < 5; i++) {
    on_status(f, 500, NULL);
    struct mr_verdict verdict =
        mr_retry_decide(&f->policy, &f->attempt, budget, HOST, 0, &f->random);
    assert_int_equal(verdict.retry, i < 3);
    if (i >= 3) assert_string_equal(verdict.reason, "no budget");
  }
  mr_retry_budget_close(budget);
}

/* A server that fails for a minute: what reaches it in all. */
static int reach_of(struct fixture *f, int calls) {
  struct mr_retry_budget *budget = mr_retry_budget_open();
  int reached = 0;
  for (int i = 0; i < calls; i++) {
    int64_t now_us = (int64_t)i * 60 * MR_SECOND / calls;
    mr_retry_budget_call(budget, HOST, now_us);
    for (uint32_t number = 1;; number++) {
      reached++;
      f->attempt.number = number;
      f->result.status = 500;
      struct mr_verdict verdict =
          mr_retry_decide(&f->policy, &f->attempt, budget, HOST, now_us, &f->random);
      if (!verdict.retry) break;
      now_us += verdict.wait_us;
    }
  }
  mr_retry_budget_close(budget);
  return reached;
}

static void test_a_dead_server_sees_little_more_than_the_calls(void **state) {
  struct fixture *f = *state;
  int many = reach_of(f, 1000), few = reach_of(f, 20);
  print_message("1,000 failing calls: %d requests; 20: %d\n", many, few);
  assert_true(many > 1000 && many <= 1100);
  assert_true(few > 20 && few <= 23);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_statuses_of_a_read),
                                     TEST(test_writes_without_a_key),
                                     TEST(test_a_lasting_failure_is_final),
                                     TEST(test_failures_by_phase),
                                     TEST(test_what_is_no_network_failure),
                                     TEST(test_a_stale_connection),
                                     TEST(test_what_was_not_begun_with),
                                     TEST(test_attempts),
                                     TEST(test_the_server_says),
                                     TEST(test_retry_after),
                                     TEST(test_never_past_the_deadline),
                                     TEST(test_full_jitter),
                                     TEST(test_budget_is_spent_by_retries_only),
                                     TEST(test_a_dead_server_sees_little_more_than_the_calls)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
