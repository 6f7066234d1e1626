/* What stays of a finished request, and the request that is made of it again. */
#include "core/record.h"

#include "failing_allocator.h"

struct scene {
  struct mr_route route;
  struct mr_endpoint *endpoint;
  struct mr_request *request;
};

static void answer(struct mr_request *request) {
  request->state = MR_STATE_DONE;
  request->status = 201;
  request->started_us = 10;
  request->first_sent_us = 12;
  request->finished_us = 90;
  request->expected = 5;
  request->received = 5;
  request->timings = (struct mr_timings){-1, 1, -1, 2, 60, 80};
  mr_request_note(request, 90, NULL, 0);
  assert_int_equal(mr_buffer_text(&request->url, "https://api.example/things/1"), MR_NONE);
  assert_int_equal(mr_buffer_text(&request->answer, "[1,2]"), MR_NONE);
  assert_int_equal(mr_headers_add(&request->headers, "Content-Type: text/plain", 24), MR_NONE);
  assert_int_equal(mr_headers_add(&request->headers, "Empty:", 6), MR_NONE);
  assert_int_equal(mr_headers_add(&request->headers, "Folded: a", 9), MR_NONE);
  assert_int_equal(mr_headers_add(&request->headers, "  b", 3), MR_NONE);
}

static int set_up(void **state) {
  struct scene *scene = calloc(1, sizeof *scene);
  struct mr_error error = {0};
  scene->endpoint = mr_endpoint_new();
  scene->endpoint->route = &scene->route;
  assert_int_equal(mr_endpoint_target(scene->endpoint, "GET", "https://api.example", 19, &error),
                   MR_NONE);
  scene->request = mr_request_new(scene->endpoint);
  answer(scene->request);
  *state = scene;
  return 0;
}

static int tear_down(void **state) {
  struct scene *scene = *state;
  mr_request_free(scene->request);
  mr_endpoint_release(scene->endpoint);
  free(scene);
  return 0;
}

static void assert_slice(struct mr_slice slice, const char *text) {
  assert_int_equal(slice.size, strlen(text));
  assert_memory_equal(slice.data, text, slice.size);
}

static struct mr_record *record_of(const struct mr_request *request) {
  size_t size = mr_record_size(request);
  assert_true(size > 0);
  struct mr_record *record = malloc(size); /* exactly: the sanitizer sees a byte too many */
  mr_record_fill(record, request);
  return record;
}

static void recalls_all_that_can_be_asked(void **state) {
  struct scene *scene = *state;
  struct mr_record *record = record_of(scene->request);
  mr_request_free(scene->request);
  scene->request = mr_request_new(scene->endpoint);
  assert_true(mr_record_recall(record, scene->request));
  free(record);
  const struct mr_request *again = scene->request;
  assert_true(mr_request_is_finished(again));
  assert_int_equal(again->status, 201);
  assert_int_equal(again->finished_us - again->started_us, 80);
  assert_int_equal(again->first_sent_us, 12);
  assert_int_equal(again->timings.first_byte_us, 60);
  assert_int_equal(again->expected, 5);
  assert_int_equal(again->received, 5);
  assert_int_equal(again->note_count, 1);
  assert_int_equal(again->notes[0].status, 201);
  assert_string_equal(mr_buffer_string(&again->url), "https://api.example/things/1");
  assert_string_equal(mr_buffer_string(&again->answer), "[1,2]");
  assert_int_equal(again->headers.count, 3);
  assert_slice(mr_headers_get(&again->headers, "content-type"), "text/plain");
  assert_slice(mr_headers_get(&again->headers, "empty"), "");
  assert_slice(mr_headers_get(&again->headers, "folded"), "a b");
}

static void survives_every_want_of_memory(void **state) {
  struct scene *scene = *state;
  struct mr_record *record = record_of(scene->request);
  struct failing_allocator memory;
  size_t recalled = 0;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_endpoint *endpoint = mr_endpoint_new();
    struct mr_request *request = endpoint ? mr_request_new(endpoint) : NULL;
    if (request && mr_record_recall(record, request)) recalled++;
    mr_request_free(request);
    mr_endpoint_release(endpoint);
  }
  failing_allocator_remove(&memory);
  free(record);
  assert_int_equal(recalled, 1);
}

static void leaves_alone_what_is_more_than_plain(void **state) {
  struct scene *scene = *state;
  struct mr_request *request = scene->request;
  assert_true(mr_record_size(request) > 0);
  request->url.secret = true;
  assert_int_equal(mr_record_size(request), 0);
  request->url.secret = false;
  request->state = MR_STATE_FAILED;
  assert_int_equal(mr_record_size(request), 0);
  request->state = MR_STATE_DONE;
  request->stream = true;
  assert_int_equal(mr_record_size(request), 0);
  request->stream = false;
  mr_request_note(request, 95, NULL, 0);
  assert_int_equal(mr_record_size(request), 0);
}

static void leaves_large_answers_where_they_are(void **state) {
  struct scene *scene = *state;
  char bytes[2048] = {0};
  assert_int_equal(mr_buffer_append(&scene->request->answer, bytes, sizeof bytes), MR_NONE);
  assert_int_equal(mr_record_size(scene->request), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(recalls_all_that_can_be_asked, set_up, tear_down),
      cmocka_unit_test_setup_teardown(survives_every_want_of_memory, set_up, tear_down),
      cmocka_unit_test_setup_teardown(leaves_alone_what_is_more_than_plain, set_up, tear_down),
      cmocka_unit_test_setup_teardown(leaves_large_answers_where_they_are, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
