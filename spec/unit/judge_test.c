/* What becomes of an answer: tried again, redirected, asked about or final; on virtual time and a scripted network. */
#include "engine_world.h"

static void a_read_is_tried_again(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 503}, {.kind = MR_NETWORK, .phase = MR_PHASE_RECEIVE},
       {.body = "ok"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->status, 200);
  assert_int_equal(request->note_count, 3);
  assert_int_equal(request->notes[0].status, 503);
  assert_int_equal(request->notes[1].kind, MR_NETWORK);
  assert_true(request->notes[0].wait_us <= 500 * MR_MILLISECOND);
  assert_true(request->notes[1].wait_us <= MR_SECOND);
  assert_int_equal(request->error.kind, MR_NONE);
  close_all(&world, request);
}

static void attempts_are_bounded(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 500, .body = "no"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->state, MR_STATE_DONE);
  assert_int_equal(request->status, 500);
  assert_int_equal(world.served, mr_retry_default.attempts);
  assert_string_equal(mr_buffer_string(&request->answer), "no");
  close_all(&world, request);
}

static void a_write_that_may_have_happened_is_not(void **state) {
  (void)state;
  OPEN("POST", MR_REPEAT_NEVER, {.kind = MR_NETWORK, .phase = MR_PHASE_RECEIVE});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->state, MR_STATE_FAILED);
  assert_int_equal(request->error.kind, MR_NETWORK);
  assert_int_equal(world.served, 1);
  close_all(&world, request);
}

static void a_refused_write_is(void **state) {
  (void)state;
  OPEN("POST", MR_REPEAT_NEVER, {.status = 429, .headers = "Retry-After: 2"}, {.status = 201});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->status, 201);
  assert_true(mr_virtual_sent_at(&world.network, 1)->started_us -
                  mr_virtual_sent_at(&world.network, 0)->started_us >=
              2 * MR_SECOND);
  close_all(&world, request);
}

static void a_wait_that_does_not_fit_ends_at_once(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 429, .headers = "Retry-After: 5"});
  struct mr_request *request = prepare(&world);
  request->timeout_us = MR_SECOND;
  mr_engine_start(world.engine, request);
  run(&world, request);
  assert_int_equal(request->state, MR_STATE_DONE);
  assert_int_equal(request->status, 429);
  assert_int_equal(request->retry_after_us, 5 * MR_SECOND);
  assert_true(request->finished_us - request->started_us < 100 * MR_MILLISECOND);
  close_all(&world, request);
}

static void one_deadline_covers_all_attempts(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.silent = true});
  struct mr_request *request = prepare(&world);
  request->timeout_us = 3 * MR_SECOND;
  mr_engine_start(world.engine, request);
  run(&world, request);
  assert_int_equal(request->error.kind, MR_TIMEOUT);
  assert_true(request->finished_us - request->started_us <= 3 * MR_SECOND + MR_MILLISECOND);
  close_all(&world, request);
}

static void a_stale_connection_is_retried_once_for_reads(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE,
       {.kind = MR_NETWORK, .phase = MR_PHASE_SEND, .stale = true, .reused = true}, {.body = "1"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->status, 200);
  assert_int_equal(world.served, 2);
  assert_int_equal(request->finished_us, request->started_us);
  close_all(&world, request);
}

static void a_stale_connection_does_not_repeat_a_write(void **state) {
  (void)state;
  OPEN("POST", MR_REPEAT_NEVER,
       {.kind = MR_NETWORK, .phase = MR_PHASE_SEND, .stale = true, .reused = true}, {.body = "1"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->state, MR_STATE_FAILED);
  assert_int_equal(world.served, 1);
  close_all(&world, request);
}

/* The first time at once, then as any other failure, also a write. */
static void what_was_not_begun_with_is_sent_again(void **state) {
  (void)state;
  OPEN("POST", MR_REPEAT_NEVER,
       {.kind = MR_NETWORK, .phase = MR_PHASE_SEND, .stale = true, .unread = true},
       {.kind = MR_NETWORK, .phase = MR_PHASE_SEND, .stale = true, .unread = true}, {.body = "1"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->status, 200);
  assert_int_equal(world.served, 3);
  assert_true(request->finished_us > request->started_us);
  assert_true(request->exchange.fresh);
  close_all(&world, request);
}

static void only_the_last_attempt_opens_a_connection(void **state) {
  (void)state;
  OPEN("POST", MR_REPEAT_NEVER,
       {.kind = MR_NETWORK, .phase = MR_PHASE_SEND, .stale = true, .unread = true}, {.body = "1"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->status, 200);
  assert_false(request->exchange.fresh);
  close_all(&world, request);
}

/* The transport is told what is worth more evidence, and what takes its time. */
static void exchanges_say_how_they_travel(void **state) {
  (void)state;
  OPEN("POST", MR_REPEAT_NEVER, {.body = "1"});
  struct mr_request *request = perform(&world);
  assert_true(request->exchange.once);
  assert_false(request->exchange.alone);
  close_all(&world, request);
}

static void credentials_stay_at_home(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 302, .headers = "Location: /y"},
       {.status = 302, .headers = "Location: https://other.example.com/"},
       {.status = 307, .headers = "Location: https://api.example.com/back"}, {.body = "{}"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->status, 200);
  assert_non_null(mr_virtual_header(mr_virtual_sent_at(&world.network, 1), "Authorization"));
  for (size_t hop = 2; hop <= 3; hop++) {
    const struct mr_virtual_sent *sent = mr_virtual_sent_at(&world.network, hop);
    assert_null(mr_virtual_header(sent, "Authorization"));
    assert_null(mr_virtual_header(sent, "X-Tenant"));
    assert_non_null(mr_virtual_header(sent, "Accept"));
    assert_false(sent->has_credential);
  }
  close_all(&world, request);
}

static void https_never_becomes_http(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 302, .headers = "Location: http://api.example.com/v1/x"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->error.kind, MR_REDIRECT);
  assert_int_equal(world.served, 1);
  close_all(&world, request);
}

static void redirects_are_bounded(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 302, .headers = "Location: /v1/x"});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->error.kind, MR_REDIRECT);
  assert_int_equal(world.served, world.endpoint->max_redirects + 1);
  close_all(&world, request);
}

static void a_refusal_is_asked_about(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 429, .body = "{\"error\":\"plan\"}"}, {.body = "{}"});
  struct mr_error error = {0};
  world.endpoint->inspects = true;
  for (int final = 1; final >= 0; final--) {
    world.served = 0;
    struct mr_request *request = prepare(&world);
    mr_engine_start(world.engine, request);
    while (!mr_engine_next_question(world.engine))
      mr_engine_step(world.engine, MR_SECOND, &error);
    assert_ptr_equal(mr_engine_next_question(world.engine), request);
    struct mr_meaning meaning = {.retry_after_us = MR_SECOND, .final = final};
    mr_engine_resolve(world.engine, request, &meaning);
    run(&world, request);
    assert_int_equal(request->status, final ? 429 : 200);
    assert_int_equal(world.served, final ? 1 : 2);
    mr_request_free(request);
  }
  close_all(&world, NULL);
}

static void a_refused_credential_is_kept_back(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 401, .body = "{}"});
  for (int i = 0; i < MR_SECRET_REFUSALS; i++)
    mr_request_free(perform(&world));
  struct mr_request *request = perform(&world);
  assert_int_equal(request->error.kind, MR_AUTH);
  assert_int_equal(world.served, MR_SECRET_REFUSALS);
  close_all(&world, request);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_read_is_tried_again),
      cmocka_unit_test(attempts_are_bounded),
      cmocka_unit_test(a_write_that_may_have_happened_is_not),
      cmocka_unit_test(a_refused_write_is),
      cmocka_unit_test(a_wait_that_does_not_fit_ends_at_once),
      cmocka_unit_test(one_deadline_covers_all_attempts),
      cmocka_unit_test(a_stale_connection_is_retried_once_for_reads),
      cmocka_unit_test(a_stale_connection_does_not_repeat_a_write),
      cmocka_unit_test(what_was_not_begun_with_is_sent_again),
      cmocka_unit_test(only_the_last_attempt_opens_a_connection),
      cmocka_unit_test(exchanges_say_how_they_travel),
      cmocka_unit_test(credentials_stay_at_home),
      cmocka_unit_test(https_never_becomes_http),
      cmocka_unit_test(redirects_are_bounded),
      cmocka_unit_test(a_refusal_is_asked_about),
      cmocka_unit_test(a_refused_credential_is_kept_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
