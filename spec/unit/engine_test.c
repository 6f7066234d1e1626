/* The life of a request, on virtual time and a scripted network. */
#include <sys/wait.h>
#include <unistd.h>

#include "engine_world.h"
#include "failing_allocator.h"

static void a_get_succeeds(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.headers = "X-A: 1", .body = "{}", .wait_us = 1000});
  struct mr_request *request = perform(&world);
  assert_int_equal(request->state, MR_STATE_DONE);
  assert_int_equal(request->status, 200);
  assert_string_equal(mr_buffer_string(&request->answer), "{}");
  assert_int_equal(mr_headers_get(&request->headers, "x-a").size, 1);
  assert_string_equal(mr_virtual_sent_at(&world.network, 0)->url, "https://api.example.com/v1/x");
  assert_string_equal(mr_virtual_header(mr_virtual_sent_at(&world.network, 0), "authorization"),
                      "Bearer " CANARY);
  assert_int_equal(request->note_count, 1);
  close_all(&world, request);
}

static void a_body_over_its_bound_is_refused(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "0123456789", .pieces = 5});
  for (uint64_t bound = 9; bound <= 10; bound++) {
    struct mr_request *request = prepare(&world);
    request->max_body = bound;
    request->answer.limit = (size_t)bound;
    mr_engine_start(world.engine, request);
    run(&world, request);
    assert_int_equal(request->error.kind, bound == 10 ? MR_NONE : MR_TOO_LARGE);
    mr_request_free(request);
  }
  close_all(&world, NULL);
}

static void limit(struct world *world, int64_t count, int64_t period_us) {
  struct mr_bucket_limits limits = {.windows = {{count, period_us}}, .window_count = 1};
  struct mr_bucket **bucket = &world->endpoint->buckets[0];
  assert_int_equal(mr_limiter_bucket(world->limiter, "key", &limits, bucket, NULL), MR_NONE);
  world->endpoint->bucket_count = 1;
}

static void slots_are_waited_for(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "{}"});
  struct mr_bucket_limits limits = {.windows = {{2, MR_SECOND}}, .window_count = 1, .strict = true};
  assert_int_equal(
      mr_limiter_bucket(world.limiter, "b", &limits, &world.endpoint->buckets[0], NULL), MR_NONE);
  world.endpoint->bucket_count = 1;
  struct mr_request *requests[6];
  for (int i = 0; i < 6; i++) {
    requests[i] = prepare(&world);
    mr_engine_start(world.engine, requests[i]);
  }
  assert_int_equal(requests[5]->state, MR_STATE_THROTTLED);
  struct mr_engine_waits waits = mr_engine_waits(world.engine);
  assert_int_equal(waits.count, 4);
  assert_string_equal(waits.bucket, "b");
  for (int i = 0; i < 6; i++)
    run(&world, requests[i]);
  assert_int_equal(mr_engine_waits(world.engine).count, 0);
  for (size_t i = 2; i < 6; i++)
    assert_true(mr_virtual_sent_at(&world.network, i)->sent_us -
                    mr_virtual_sent_at(&world.network, i - 2)->sent_us >=
                MR_SECOND);
  for (int i = 0; i < 6; i++)
    mr_request_free(requests[i]);
  close_all(&world, NULL);
}

static void a_slot_that_comes_too_late_is_told_at_once(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "{}"});
  limit(&world, 1, 60 * MR_SECOND);
  mr_request_free(perform(&world));
  struct mr_request *request = prepare(&world);
  request->timeout_us = 10 * MR_SECOND;
  mr_engine_start(world.engine, request);
  assert_int_equal(request->error.kind, MR_THROTTLED);
  assert_true(request->retry_after_us > 50 * MR_SECOND);
  assert_int_equal(world.served, 1);
  close_all(&world, request);
}

/* A server's clock that is set gives slots to those that wait already, not only to those that come later. */
static void time_that_is_said_to_pass_frees_who_waits(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "{}"});
  struct mr_error error = {0};
  limit(&world, 1, 60 * MR_SECOND);
  struct mr_bucket *bucket = world.endpoint->buckets[0];
  mr_request_free(perform(&world));
  struct mr_request *request = prepare(&world);
  mr_engine_start(world.engine, request);
  assert_int_equal(request->state, MR_STATE_THROTTLED);
  mr_engine_pass(world.engine, bucket, 30 * MR_SECOND);
  assert_true(mr_engine_step(world.engine, 0, &error) >= 0);
  assert_int_equal(request->state, MR_STATE_THROTTLED);
  int64_t began_us = world.clock.now_us;
  mr_engine_pass(world.engine, bucket, 31 * MR_SECOND);
  run(&world, request);
  assert_int_equal(request->status, 200);
  assert_true(world.clock.now_us - began_us < MR_SECOND);
  close_all(&world, request);
}

static int64_t bound_us;

static void note_bound(struct mr_transport *transport, int64_t spend_us) {
  (void)transport;
  bound_us = spend_us;
}

static void a_bound_holds_for_a_transport_that_comes_later(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "{}"});
  struct mr_transport_type type = mr_transport_virtual;
  type.bound = note_bound;
  struct mr_engine_config config = {.clock = &world.clock.clock, .limiter = world.limiter};
  struct mr_engine *engine = mr_engine_open(&config, NULL);
  assert_non_null(engine);
  bound_us = -1;
  mr_engine_bound(engine, 5 * MR_MILLISECOND);
  assert_int_equal(mr_engine_transport(engine, &type, NULL), MR_NONE);
  assert_int_equal(bound_us, 5 * MR_MILLISECOND);
  mr_engine_close(engine);
  close_all(&world, NULL);
}

/* In every state: nothing stays behind, and the slots come back. */
static void cancel_releases_everything(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 503, .headers = "Retry-After: 3", .wait_us = MR_SECOND});
  struct mr_error error = {0};
  for (int64_t after_us = 0; after_us < 6 * MR_SECOND; after_us += 500 * MR_MILLISECOND) {
    struct mr_request *request = prepare(&world);
    mr_engine_start(world.engine, request);
    int64_t end_us = world.clock.now_us + after_us;
    while (world.clock.now_us < end_us && !mr_request_is_finished(request))
      mr_engine_step(world.engine, end_us - world.clock.now_us, &error);
    mr_engine_cancel(world.engine, request);
    assert_int_equal(request->error.kind, MR_CANCELLED);
    assert_int_equal(world.network.in_flight, 0);
    mr_request_free(request);
  }
  close_all(&world, NULL);
}

/* The allowance has it back, and others may take it. */
static void the_next_attempt_does_not_hold_the_memory_of_the_last(void **state) {
  static const char large[200000];
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 503, .body = large, .body_size = sizeof large},
       {.body = "{}", .wait_us = MR_SECOND});
  struct mr_allowance allowance = {.limit = 300000};
  struct mr_error error = {0};
  struct mr_request *request = prepare(&world);
  request->allowance = &allowance;
  mr_engine_start(world.engine, request);
  while (world.served < 2 && !mr_request_is_finished(request))
    assert_true(mr_engine_step(world.engine, 100 * MR_SECOND, &error) >= 0);
  assert_int_equal(allowance.used, 0);
  assert_in_range(request->answer.capacity, 0, 65536);
  run(&world, request);
  assert_int_equal(request->status, 200);
  close_all(&world, request);
}

static void closing_the_engine_cancels(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.silent = true});
  struct mr_request *request = prepare(&world);
  mr_engine_start(world.engine, request);
  mr_engine_close(world.engine);
  world.engine = NULL;
  assert_int_equal(request->state, MR_STATE_CANCELLED);
  mr_request_free(request);
  close_world(&world);
}

static void a_download_is_whole_or_not_there(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "half", .kind = MR_TRUNCATED, .phase = MR_PHASE_RECEIVE},
       {.body = "whole"}, {.status = 404, .body = "{}"});
  char path[] = "/tmp/moonrest-engine-XXXXXX";
  close(mkstemp(path));
  unlink(path);
  for (int round = 0; round < 2; round++) {
    struct mr_request *request = prepare(&world);
    request->to_file = true;
    assert_int_equal(mr_sink_init(&request->sink, path, NULL), MR_NONE);
    mr_engine_start(world.engine, request);
    run(&world, request);
    assert_int_equal(request->status, round == 0 ? 200 : 404);
    assert_int_equal(access(path, F_OK), round == 0 ? 0 : -1);
    mr_request_free(request);
    if (round > 0) break;
    char text[16] = {0};
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(text, 1, sizeof text, file), 5);
    fclose(file);
    assert_string_equal(text, "whole");
    unlink(path);
  }
  close_all(&world, NULL);
}

static void a_stream_waits_for_its_reader(void **state) {
  (void)state;
  static char big[MR_STREAM_WINDOW * 4];
  memset(big, 'x', sizeof big);
  OPEN("GET", MR_REPEAT_SAFE, {.body = big, .body_size = sizeof big, .pieces = 64});
  struct mr_error error = {0};
  struct mr_request *request = prepare(&world);
  request->stream = true;
  request->answer.limit = SIZE_MAX / 4;
  size_t read = 0;
  mr_engine_start(world.engine, request);
  for (int i = 0; i < 10000 && read < sizeof big; i++) {
    mr_engine_step(world.engine, MR_SECOND, &error);
    assert_true(request->answer.size <= MR_STREAM_WINDOW + sizeof big / 64);
    if (!request->paused && !mr_request_is_finished(request)) continue;
    read += request->answer.size;
    mr_buffer_clear(&request->answer);
    mr_engine_resume(world.engine, request);
  }
  run(&world, request);
  assert_int_equal(read + request->answer.size, sizeof big);
  close_all(&world, request);
}

static void tags_tell_of_what_comes_for_a_stream(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "some bytes"});
  struct mr_request *request = prepare(&world);
  request->stream = true;
  request->tag = 7;
  mr_engine_start(world.engine, request);
  run(&world, request);
  assert_int_equal(mr_engine_next_told(world.engine), 7); /* once, however much came */
  assert_int_equal(mr_engine_next_told(world.engine), 0);
  close_all(&world, request);
}

static void tags_tell_who_is_finished(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "{}"});
  struct mr_request *request = prepare(&world);
  request->tag = 42;
  mr_engine_start(world.engine, request);
  run(&world, request);
  assert_int_equal(mr_engine_next_told(world.engine), 42);
  assert_int_equal(mr_engine_next_told(world.engine), 0);
  close_all(&world, request);
}

/* The n-th allocation fails, for every n: a result or an error that says why, never a crash, never a leak, never a
** secret left. */
static void every_allocation_may_fail(void **state) {
  (void)state;
  static const struct mr_virtual_answer script[] = {
      {.status = 503, .headers = "A: b"},
      {.status = 302, .headers = "Location: /y"},
      {.headers = "A: b", .body = "{}", .pieces = 2},
  };
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.needle = CANARY;
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct world world;
    if (open_world(&world, "GET", MR_REPEAT_SAFE, script, 3)) {
      struct mr_request *request = prepare(&world);
      if (request) {
        mr_engine_start(world.engine, request);
        run(&world, request);
        if (request->state == MR_STATE_FAILED && memory.calls >= n)
          assert_non_null(strstr(request->error.message, "memory"));
        mr_request_free(request);
      }
    }
    close_world(&world);
  }
  failing_allocator_remove(&memory);
}

/* One is sent, one waits for a slot, one to try again; what goes by another route is somebody else's. */
static void a_route_is_cancelled_as_a_whole(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.status = 503, .headers = "Retry-After: 50\r\n"},
       {.wait_us = MR_SECOND});
  struct mr_route other_route = {0};
  struct mr_request *requests[4];
  for (int i = 0; i < 4; i++) {
    if (i == 2) limit(&world, 1, MR_SECOND);
    requests[i] = prepare(&world);
    mr_engine_start(world.engine, requests[i]);
    while (i == 0 && requests[0]->state != MR_STATE_WAITING)
      assert_true(mr_engine_step(world.engine, MR_SECOND, NULL) >= 0);
  }
  assert_int_equal(requests[1]->state, MR_STATE_SENDING);
  assert_int_equal(requests[3]->state, MR_STATE_THROTTLED);
  mr_engine_cancel_route(world.engine, &other_route, "closed");
  assert_int_equal(mr_engine_pending(world.engine), 4);
  mr_engine_cancel_route(world.engine, &world.route, "closed");
  assert_int_equal(mr_engine_pending(world.engine), 0);
  assert_string_equal(requests[0]->error.message, "closed while waiting");
  assert_string_equal(requests[1]->error.message, "closed while sending");
  assert_string_equal(requests[3]->error.message, "closed while throttled");
  for (int i = 0; i < 4; i++) {
    assert_int_equal(requests[i]->error.kind, MR_CANCELLED);
    if (i > 0) mr_request_free(requests[i]);
  }
  close_all(&world, requests[0]);
}

static struct mr_event expect_event(struct world *world, enum mr_event_kind kind) {
  struct mr_event event;
  do {
    assert_true(mr_engine_next_event(world->engine, &event));
  } while (event.kind != kind);
  return event;
}

static void refusals_are_told(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE,
       {.status = 429, .headers = "X-RateLimit-Limit: 5\nX-RateLimit-Remaining: 0\nRetry-After: 2"},
       {.headers = "X-RateLimit-Limit: no"});
  limit(&world, 10, MR_SECOND);
  struct mr_request *request = perform(&world);
  assert_int_equal(request->status, 200);
  struct mr_event event = expect_event(&world, MR_EVENT_THROTTLE);
  assert_int_equal(event.status, 429);
  assert_string_equal(event.bucket, "key");
  event = expect_event(&world, MR_EVENT_LIMIT);
  assert_int_equal(event.limit, 10);
  assert_int_equal(event.server_limit, 5);
  assert_int_equal(expect_event(&world, MR_EVENT_PAUSE).wait_us, 2 * MR_SECOND);
  assert_int_equal(expect_event(&world, MR_EVENT_RETRY).status, 429);
  assert_string_equal(expect_event(&world, MR_EVENT_LIMIT).field, "X-RateLimit-Limit");
  close_all(&world, request);
}

/* The child touches neither the parent's connections nor its slots; the parent goes on. */
static void a_fork_begins_afresh(void **state) {
  (void)state;
  OPEN("GET", MR_REPEAT_SAFE, {.body = "{}", .wait_us = MR_SECOND});
  limit(&world, 1, MR_SECOND);
  struct mr_request *sent = prepare(&world), *queued = prepare(&world);
  mr_engine_start(world.engine, sent);
  mr_engine_start(world.engine, queued);
  assert_int_equal(sent->state, MR_STATE_SENDING);
  pid_t child = fork();
  if (child == 0) {
    bool good = mr_engine_step(world.engine, 0, NULL) == 0;
    good = good && sent->state == MR_STATE_CANCELLED && queued->state == MR_STATE_CANCELLED;
    good = good && sent->error.kind == MR_CANCELLED && world.network.in_flight == 1;
    mr_engine_cancel(world.engine, sent);
    good = good && mr_engine_pending(world.engine) == 0;
    mr_request_free(sent);
    mr_request_free(queued);
    _exit(good ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  run(&world, sent);
  run(&world, queued);
  assert_int_equal(queued->status, 200);
  mr_request_free(sent);
  close_all(&world, queued);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_get_succeeds),
      cmocka_unit_test(a_body_over_its_bound_is_refused),
      cmocka_unit_test(slots_are_waited_for),
      cmocka_unit_test(a_slot_that_comes_too_late_is_told_at_once),
      cmocka_unit_test(cancel_releases_everything),
      cmocka_unit_test(a_route_is_cancelled_as_a_whole),
      cmocka_unit_test(the_next_attempt_does_not_hold_the_memory_of_the_last),
      cmocka_unit_test(closing_the_engine_cancels),
      cmocka_unit_test(a_download_is_whole_or_not_there),
      cmocka_unit_test(a_stream_waits_for_its_reader),
      cmocka_unit_test(tags_tell_of_what_comes_for_a_stream),
      cmocka_unit_test(tags_tell_who_is_finished),
      cmocka_unit_test(refusals_are_told),
      cmocka_unit_test(time_that_is_said_to_pass_frees_who_waits),
      cmocka_unit_test(a_bound_holds_for_a_transport_that_comes_later),
      cmocka_unit_test(a_fork_begins_afresh),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
