#include "limiter_world.h"

#include "core/bucket.h"

struct fixture {
  struct world world;
  struct mr_bucket *bucket;
  struct mr_headers headers;
};

/* For one test, which the teardown ends. */
static struct fixture *open_fixture(void **state, struct mr_bucket_limits limits) {
  struct fixture *f = calloc(1, sizeof(*f));
  assert_non_null(f);
  world_open(&f->world);
  f->bucket = world_bucket(&f->world, "a", &limits);
  mr_headers_init(&f->headers);
  *state = f;
  return f;
}

static int close_fixture(void **state) {
  struct fixture *f = *state;
  mr_headers_free(&f->headers);
  mr_bucket_release(f->bucket);
  world_close(&f->world);
  free(f);
  *state = NULL;
  return 0;
}

static void say(struct fixture *f, const char *const *lines) {
  mr_headers_clear(&f->headers);
  for (; *lines; lines++)
    assert_int_equal(mr_headers_add(&f->headers, *lines, strlen(*lines)), MR_NONE);
}

#define SAY(f, ...) say(f, (const char *const[]){__VA_ARGS__, NULL})

static void send_one(struct fixture *f, struct mr_ticket *ticket) {
  *ticket = ticket_for(f->bucket);
  enter(&f->world, ticket);
  assert_int_equal(ticket->state, MR_TICKET_GRANTED);
  mr_ticket_sent(f->world.queue, ticket);
}

static struct mr_learnt answer(struct fixture *f, struct mr_ticket *ticket, int status,
                               int64_t body_us, bool final) {
  mr_ticket_answered(f->world.queue, ticket);
  struct mr_learnt learnt =
      mr_ticket_learn(f->world.queue, ticket, status, &f->headers, body_us, final);
  mr_ticket_closed(f->world.queue, ticket);
  return learnt;
}

/* One request whose answer has the headers of the last SAY. */
static struct mr_learnt ask(struct fixture *f, int status, int64_t body_us, bool final) {
  struct mr_ticket ticket;
  send_one(f, &ticket);
  return answer(f, &ticket, status, body_us, final);
}

static struct mr_bucket_view look(struct fixture *f) {
  struct mr_bucket_view view;
  mr_bucket_look(f->bucket, &view);
  return view;
}

static void test_remaining_lowers(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  SAY(f, "X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 7", "X-RateLimit-Reset: 1700000030");
  ask(f, 200, -1, false);
  struct mr_bucket_view view = look(f);
  assert_int_equal(view.remaining[0], 7);
  assert_int_equal(view.server_limit, 100);
  assert_int_equal(view.server_remaining, 7);
  assert_int_equal(view.server_reset_us, 30 * MR_SECOND);
  f->world.clock.now_us += 30 * MR_SECOND;
  assert_int_equal(look(f).remaining[0], 99);
}

static void test_remaining_never_raises(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  SAY(f, "X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 1000000");
  for (int i = 0; i < 60; i++)
    ask(f, 200, -1, false);
  assert_int_equal(look(f).remaining[0], 40);
}

/* What left after the answer's own request is not in the server's count yet. */
static void test_requests_under_way_count(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  struct mr_ticket first, second, third = ticket_for(f->bucket);
  send_one(f, &first);
  send_one(f, &second);
  enter(&f->world, &third); /* granted, not sent */
  SAY(f, "X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 10", "X-RateLimit-Reset: 60");
  answer(f, &first, 200, -1, false);
  assert_int_equal(look(f).remaining[0], 8);
  SAY(f, "X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 9", "X-RateLimit-Reset: 60");
  answer(f, &second, 200, -1, false);
  assert_int_equal(look(f).remaining[0], 8);
  mr_ticket_cancel(f->world.queue, &third);
  assert_int_equal(look(f).remaining[0], 9);
}

static void test_one_set_belongs_to_the_window_of_its_limit(void **state) {
  struct mr_bucket_limits limits = limits_of(100, 60 * MR_SECOND);
  limits.windows[limits.window_count++] =
      (struct mr_window_limit){.count = 1000, .period_us = 3600 * MR_SECOND};
  struct fixture *f = open_fixture(state, limits);
  SAY(f, "X-RateLimit-Limit: 1000", "X-RateLimit-Remaining: 50", "X-RateLimit-Reset: 1800");
  ask(f, 200, -1, false);
  struct mr_bucket_view view = look(f);
  assert_int_equal(view.remaining[0], 99);
  assert_int_equal(view.remaining[1], 50);
  SAY(f, "RateLimit: \"m\";r=3;t=20", "RateLimit-Policy: \"m\";q=100;w=60");
  ask(f, 200, -1, false);
  view = look(f);
  assert_int_equal(view.remaining[0], 3);
  assert_int_equal(view.remaining[1], 49);
}

static void test_an_unknown_limit_lowers_too(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  SAY(f, "RateLimit-Limit: 50", "RateLimit-Remaining: 2", "RateLimit-Reset: 600");
  ask(f, 200, -1, false);
  assert_int_equal(look(f).remaining[0], 1); /* ours is free again before theirs */
  f->world.clock.now_us += 599 * MR_SECOND;
  assert_int_equal(look(f).remaining[0], 2);
  f->world.clock.now_us += MR_SECOND;
  assert_int_equal(look(f).remaining[0], 100);
}

/* A limit of another bucket of the same request leaves this one alone. */
static void test_another_bucket_knows_the_limit(void **state) {
  struct mr_bucket_limits account = limits_of(1000, 60 * MR_SECOND);
  struct fixture *f = open_fixture(state, limits_of(40, MR_SECOND));
  struct mr_bucket *other = world_bucket(&f->world, "account", &account);
  struct mr_ticket ticket = ticket_for(f->bucket);
  ticket.buckets[ticket.bucket_count++] = other;
  enter(&f->world, &ticket);
  mr_ticket_sent(f->world.queue, &ticket);
  SAY(f, "X-RateLimit-Limit: 1000", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 20",
      "Retry-After: 20");
  answer(f, &ticket, 429, -1, false);
  assert_int_equal(look(f).paused_us, 0);
  assert_int_equal(look(f).remaining[0], 39);
  struct mr_bucket_view view;
  mr_bucket_look(other, &view);
  assert_int_equal(view.paused_us, 20 * MR_SECOND);
  assert_int_equal(view.remaining[0], 0);
  mr_bucket_release(other);
}

static void test_a_reset_beyond_reason_is_a_period(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  SAY(f, "X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 2000000");
  ask(f, 200, -1, false);
  assert_int_equal(look(f).remaining[0], 0);
  f->world.clock.now_us += 61 * MR_SECOND;
  assert_int_equal(look(f).remaining[0], 100);
}

static int64_t pause_after(struct mr_bucket_limits limits, int status, int64_t body_us,
                           const char *line) {
  void *state;
  struct fixture *f = open_fixture(&state, limits);
  SAY(f, line);
  ask(f, status, body_us, false);
  int64_t pause_us = look(f).paused_us;
  assert_int_equal(look(f).refused_429, status == 429);
  close_fixture(&state);
  return pause_us;
}

static void test_a_429_pauses_the_bucket(void **state) {
  (void)state;
  struct mr_bucket_limits limits = limits_of(40, MR_SECOND);
  assert_int_equal(pause_after(limits, 429, -1, "Retry-After: 30"), 30 * MR_SECOND);
  assert_int_equal(pause_after(limits, 429, 40 * MR_SECOND, "Retry-After: 30"), 40 * MR_SECOND);
  assert_int_equal(pause_after(limits, 429, 3 * MR_SECOND, "A: b"), 3 * MR_SECOND);
  assert_int_equal(pause_after(limits, 429, -1, "X-RateLimit-Reset: 1700000009"), 9 * MR_SECOND);
  assert_int_equal(pause_after(limits, 429, -1, "Retry-After: soon"), MR_SECOND);
  assert_int_equal(pause_after(limits, 429, -1, "Retry-After: -1"), MR_SECOND);
  assert_int_equal(pause_after(limits, 429, -1, "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"),
                   50 * MR_MILLISECOND);
  assert_true(pause_after(limits, 429, -1, "Retry-After: 1e300") <= MR_PAUSE_MAX_US);
  assert_true(pause_after(limits, 429, MR_NEVER, "A: b") == MR_PAUSE_MAX_US);
  assert_int_equal(pause_after(limits, 429, -1, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT"),
                   MR_PAUSE_MAX_US);
  assert_int_equal(pause_after(limits, 503, -1, "Retry-After: 5"), 5 * MR_SECOND);
  assert_int_equal(pause_after(limits, 503, -1, "A: b"), 0);
  assert_int_equal(pause_after(limits, 200, -1, "Retry-After: 5"), 0);
  limits = limits_of(1000, 3600 * MR_SECOND);
  assert_int_equal(pause_after(limits, 429, -1, "A: b"), 60 * MR_SECOND);
  limits.renewing = true;
  assert_int_equal(pause_after(limits, 429, -1, "Retry-After: 1"), 3600 * MR_SECOND);
}

/* A pause runs on the monotonic clock, and a date is seen with the server's own beside it. */
static void test_wall_clocks_that_jump(void **state) {
  struct fixture *f = open_fixture(state, limits_of(40, MR_SECOND));
  const int64_t jumps_us[] = {86400 * MR_SECOND, -86400 * MR_SECOND,
                              INT64_C(-1000000000) * MR_SECOND};
  for (size_t i = 0; i < sizeof(jumps_us) / sizeof(*jumps_us); i++) {
    SAY(f, "Retry-After: 30");
    ask(f, 429, -1, false);
    f->world.clock.wall_offset_us += jumps_us[i];
    assert_int_equal(look(f).paused_us, 30 * MR_SECOND);
    f->world.clock.now_us += 30 * MR_SECOND;
    assert_int_equal(look(f).paused_us, 0);
    SAY(f, "Date: Tue, 14 Nov 2023 22:13:20 GMT", "Retry-After: Tue, 14 Nov 2023 22:14:00 GMT");
    ask(f, 429, -1, false);
    assert_int_equal(look(f).paused_us, 40 * MR_SECOND);
    f->world.clock.now_us += 100 * MR_SECOND;
    SAY(f, "A: b");
    ask(f, 200, -1, false);
    f->world.clock.now_us += 100 * MR_SECOND;
  }
}

static void test_a_final_429_pauses_nothing(void **state) {
  struct fixture *f = open_fixture(state, limits_of(40, MR_SECOND));
  SAY(f, "A: b");
  ask(f, 429, -1, true);
  assert_int_equal(look(f).paused_us, 0);
  assert_int_equal(look(f).refused_429, 1);
}

/* Without a word the pause doubles from refusal to refusal, but those that were under way together are one. */
static void test_refusals_in_a_row(void **state) {
  struct fixture *f = open_fixture(state, limits_of(40, MR_SECOND));
  SAY(f, "A: b");
  struct mr_ticket crowd[10];
  for (int i = 0; i < 10; i++)
    send_one(f, &crowd[i]);
  for (int i = 0; i < 10; i++)
    answer(f, &crowd[i], 429, -1, false);
  assert_int_equal(look(f).paused_us, MR_SECOND);
  for (int i = 1; i <= 5; i++) {
    f->world.clock.now_us += look(f).paused_us;
    ask(f, 429, -1, false);
    assert_int_equal(look(f).paused_us, MR_SECOND << i);
  }
  f->world.clock.now_us += look(f).paused_us;
  ask(f, 200, -1, false);
  f->world.clock.now_us += MR_SECOND;
  ask(f, 429, -1, false);
  assert_int_equal(look(f).paused_us, MR_SECOND);
}

/* A server that goes on refusing what its limit allows is asked more slowly, and as before when it is content. */
static void test_refusals_without_reason_space_the_rest(void **state) {
  struct fixture *f = open_fixture(state, limits_of(10, MR_SECOND));
  SAY(f, "A: b");
  for (int i = 0; i < 3; i++) {
    f->world.clock.now_us += 5 * MR_SECOND;
    ask(f, 200, -1, false);
    f->world.clock.now_us += MR_SECOND;
    ask(f, 429, -1, false);
  }
  f->world.clock.now_us += 5 * MR_SECOND;
  ask(f, 200, -1, false);
  struct mr_ticket ticket = ticket_for(f->bucket);
  int64_t start_us = f->world.clock.now_us;
  enter(&f->world, &ticket);
  assert_ptr_equal(await(&f->world), &ticket);
  assert_int_equal(f->world.clock.now_us - start_us, 150 * MR_MILLISECOND);
  mr_ticket_cancel(f->world.queue, &ticket);
  for (int i = 0; i < 200; i++) {
    f->world.clock.now_us += MR_SECOND;
    ask(f, 200, -1, false);
  }
  f->world.clock.now_us += 5 * MR_SECOND;
  assert_int_equal(drain(&f->world, f->bucket), 10);
}

/* After the pause one goes first; when it was answered the others follow in order, one by one. */
static void test_no_stampede(void **state) {
  struct fixture *f = open_fixture(state, limits_of(40, MR_SECOND));
  SAY(f, "Retry-After: 10");
  ask(f, 429, -1, false);
  int64_t end_us = f->world.clock.now_us + 10 * MR_SECOND;
  struct mr_ticket tickets[10];
  for (int i = 0; i < 10; i++) {
    tickets[i] = ticket_for(f->bucket);
    enter(&f->world, &tickets[i]);
  }
  assert_ptr_equal(await(&f->world), &tickets[0]);
  assert_int_equal(f->world.clock.now_us, end_us);
  mr_ticket_sent(f->world.queue, &tickets[0]);
  f->world.clock.now_us += 100 * MR_MILLISECOND;
  assert_null(next(&f->world));
  SAY(f, "A: b");
  answer(f, &tickets[0], 200, -1, false);
  int64_t last_us = f->world.clock.now_us;
  for (int i = 1; i < 10; i++) {
    assert_ptr_equal(await(&f->world), &tickets[i]);
    if (i > 5) assert_true(f->world.clock.now_us - last_us >= 24 * MR_MILLISECOND);
    last_us = f->world.clock.now_us;
    finish(&f->world, &tickets[i]);
  }
}

static void test_the_first_one_is_not_waited_for_for_ever(void **state) {
  struct fixture *f = open_fixture(state, limits_of(40, MR_SECOND));
  SAY(f, "Retry-After: 10");
  ask(f, 429, -1, false);
  struct mr_ticket tickets[2] = {ticket_for(f->bucket), ticket_for(f->bucket)};
  enter(&f->world, &tickets[0]);
  enter(&f->world, &tickets[1]);
  assert_ptr_equal(await(&f->world), &tickets[0]);
  int64_t first_us = f->world.clock.now_us;
  assert_ptr_equal(await(&f->world), &tickets[1]);
  assert_int_equal(f->world.clock.now_us - first_us, MR_PROBE_US);
  mr_ticket_cancel(f->world.queue, &tickets[0]);
  mr_ticket_cancel(f->world.queue, &tickets[1]);
}

/* Whoever cannot wait for the end of the pause hears it at once, and not at its own deadline. */
static void test_a_pause_beyond_the_deadline(void **state) {
  struct fixture *f = open_fixture(state, limits_of(1, MR_SECOND));
  struct mr_ticket first, patient = ticket_for(f->bucket), hasty = ticket_for(f->bucket);
  send_one(f, &first);
  hasty.deadline_us = f->world.clock.now_us + 30 * MR_SECOND;
  enter(&f->world, &patient);
  enter(&f->world, &hasty);
  SAY(f, "Retry-After: 60");
  answer(f, &first, 429, -1, false);
  int64_t retry_after_us = -1;
  assert_ptr_equal(mr_queue_next(f->world.queue, &retry_after_us), &hasty);
  assert_int_equal(hasty.state, MR_TICKET_IDLE);
  assert_int_equal(retry_after_us, 60 * MR_SECOND);
  assert_ptr_equal(await(&f->world), &patient);
  mr_ticket_cancel(f->world.queue, &patient);
}

static void test_no_windows(void **state) {
  struct fixture *f = open_fixture(state, (struct mr_bucket_limits){.window_count = 0});
  SAY(f, "X-RateLimit-Limit: 50", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 20");
  ask(f, 200, -1, false);
  assert_int_equal(look(f).paused_us, 20 * MR_SECOND);
}

static void test_another_limit_is_told_once(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  SAY(f, "X-RateLimit-Limit: 100", "X-RateLimit-Remaining: 99");
  assert_null(ask(f, 200, -1, false).doubted);
  SAY(f, "X-RateLimit-Limit: 1000", "X-RateLimit-Remaining: 900");
  struct mr_learnt learnt = ask(f, 200, -1, false);
  assert_ptr_equal(learnt.doubted, f->bucket);
  assert_int_equal(learnt.limit, 100);
  assert_int_equal(learnt.server_limit, 1000);
  assert_string_equal(mr_bucket_key(learnt.doubted), "a");
  assert_null(ask(f, 200, -1, false).doubted);
  SAY(f, "X-RateLimit-Limit: 50", "X-RateLimit-Remaining: 40");
  assert_int_equal(ask(f, 200, -1, false).server_limit, 50);
}

static void test_garbage_is_told_once(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  SAY(f, "X-RateLimit-Limit: 100", "X-RateLimit-Remaining: plenty");
  struct mr_learnt learnt = ask(f, 200, -1, false);
  assert_ptr_equal(learnt.garbled, f->bucket);
  assert_string_equal(learnt.field, "X-RateLimit-Remaining");
  assert_int_equal(look(f).remaining[0], 99);
  assert_null(ask(f, 200, -1, false).garbled);
}

static void test_a_pause_is_told(void **state) {
  struct fixture *f = open_fixture(state, limits_of(100, 60 * MR_SECOND));
  struct mr_ticket first, second;
  send_one(f, &first);
  send_one(f, &second);
  SAY(f, "Retry-After: 7");
  struct mr_learnt learnt = answer(f, &first, 429, -1, false);
  assert_true(learnt.refused);
  assert_ptr_equal(learnt.paused, f->bucket);
  assert_int_equal(learnt.pause_us, 7 * MR_SECOND);
  learnt = answer(f, &second, 429, -1, false); /* the same pause */
  assert_true(learnt.refused);
  assert_null(learnt.paused);
}

#define TEST(name) cmocka_unit_test_teardown(name, close_fixture)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_remaining_lowers),
                                     TEST(test_remaining_never_raises),
                                     TEST(test_requests_under_way_count),
                                     TEST(test_one_set_belongs_to_the_window_of_its_limit),
                                     TEST(test_an_unknown_limit_lowers_too),
                                     TEST(test_another_bucket_knows_the_limit),
                                     TEST(test_a_reset_beyond_reason_is_a_period),
                                     cmocka_unit_test(test_a_429_pauses_the_bucket),
                                     TEST(test_wall_clocks_that_jump),
                                     TEST(test_a_final_429_pauses_nothing),
                                     TEST(test_refusals_in_a_row),
                                     TEST(test_refusals_without_reason_space_the_rest),
                                     TEST(test_no_stampede),
                                     TEST(test_the_first_one_is_not_waited_for_for_ever),
                                     TEST(test_a_pause_beyond_the_deadline),
                                     TEST(test_no_windows),
                                     TEST(test_another_limit_is_told_once),
                                     TEST(test_garbage_is_told_once),
                                     TEST(test_a_pause_is_told)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
