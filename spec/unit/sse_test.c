#include "failing_allocator.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/sse.h"

/* A stream and, written down in one text, the events that come of it. */
struct reading {
  struct mr_sse parser;
  struct mr_buffer seen;
};

static void reading_init(struct reading *reading) {
  mr_sse_init(&reading->parser);
  mr_buffer_init(&reading->seen, 100000);
}

static void reading_free(struct reading *reading) {
  mr_sse_free(&reading->parser);
  mr_buffer_free(&reading->seen);
}

static void note(struct reading *reading, const struct mr_sse_event *event) {
  mr_buffer_format(&reading->seen, "[%s|", event->event);
  assert_int_equal(event->data[event->data_size], '\0');
  for (size_t i = 0; i < event->data_size; i++)
    mr_buffer_byte(&reading->seen, event->data[i] == '\n' ? '/' : event->data[i]);
  mr_buffer_format(&reading->seen, "|%s|%lld]", event->id, (long long)event->retry_ms);
}

/* The bytes are copied to the heap, so that ASan sees a read behind them. */
static void feed(struct reading *reading, const char *bytes, size_t size) {
  char *copy = malloc(size ? size : 1);
  memcpy(copy, bytes, size);
  size_t at = 0;
  while (at < size) {
    struct mr_sse_event event;
    bool found;
    size_t used;
    assert_int_equal(mr_sse_feed(&reading->parser, copy + at, size - at, &used, &event, &found),
                     MR_NONE);
    assert_true(used > 0 && used <= size - at);
    assert_true(found || used == size - at);
    if (found) note(reading, &event);
    at += used;
  }
  free(copy);
}

static void assert_stream(const char *stream, size_t size, const char *expected) {
  struct reading reading;
  reading_init(&reading);
  feed(&reading, stream, size);
  assert_string_equal(mr_buffer_string(&reading.seen), expected);
  reading_free(&reading);
}

static void assert_text(const char *stream, const char *expected) {
  assert_stream(stream, strlen(stream), expected);
}

static void test_data(void **state) {
  (void)state;
  assert_text("data: one\n\n", "[message|one||-1]");
  assert_text("data:one\n\ndata:  two\n\n", "[message|one||-1][message| two||-1]");
  assert_text("data: one\ndata: two\ndata:\n\n", "[message|one/two/||-1]");
  assert_text("data\n\n", "[message|||-1]");
  assert_text("data\ndata\n\n", "[message|/||-1]");
  assert_text("data: a:b: c\n\n", "[message|a:b: c||-1]");
  assert_text("data: long text\n\ndata\n\n", "[message|long text||-1][message|||-1]");
}

static void test_data_with_a_zero_byte(void **state) {
  (void)state;
  struct reading reading;
  reading_init(&reading);
  feed(&reading, "data: a\0b\n\n", 11);
  assert_memory_equal(reading.seen.data, "[message|a\0b||-1]", 18);
  reading_free(&reading);
}

static void test_lines_end_three_ways(void **state) {
  (void)state;
  assert_text("data: a\rdata: b\r\r", "[message|a/b||-1]");
  assert_text("data: a\r\ndata: b\r\n\r\n", "[message|a/b||-1]");
  assert_text("data: a\ndata: b\r\n\rdata: c\r\n\n", "[message|a/b||-1][message|c||-1]");
  assert_text("data: a\r\r\ndata: b\n\n", "[message|a||-1][message|b||-1]");
  assert_text("data: a\n\rdata: b\n\n", "[message|a||-1][message|b||-1]");
}

static void test_event_names(void **state) {
  (void)state;
  assert_text("event: add\ndata: 1\n\ndata: 2\n\n", "[add|1||-1][message|2||-1]");
  assert_text("event: add\nevent: remove\ndata: 1\n\n", "[remove|1||-1]");
  assert_text("event: add\nevent\ndata: 1\n\n", "[message|1||-1]");
  assert_text("event: add\n\ndata: 1\n\n", "[message|1||-1]");
  assert_text("Event: add\ndata: 1\n\n", "[message|1||-1]");
  assert_text(" event: add\ndatax: 1\ndata : 2\ndata: 3\n\n", "[message|3||-1]");
}

static void test_ids_stay(void **state) {
  (void)state;
  assert_text("id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
              "[message|a|7|-1][message|b|7|-1][message|c||-1]");
  assert_text("id: 7\n\ndata: a\n\n", "[message|a|7|-1]");
  assert_stream("id: 7\nid: 8\0x\ndata: a\n\n", 23, "[message|a|7|-1]");
}

static void test_retry(void **state) {
  (void)state;
  assert_text("retry: 3000\ndata: a\n\ndata: b\n\n", "[message|a||3000][message|b||-1]");
  assert_text("retry: 3000\n\ndata: a\n\n", "[message|a||3000]");
  assert_text("retry: 0\ndata: a\n\n", "[message|a||0]");
  assert_text("retry: 3s\nretry: -1\nretry: 1.5\nretry:\nretry\nretry:  1\ndata: a\n\n",
              "[message|a||-1]");
  assert_text("retry: 5\nretry: x\ndata: a\n\n", "[message|a||5]");
  char expected[64];
  snprintf(expected, sizeof(expected), "[message|a||%lld]", (long long)(MR_NEVER / 1000));
  assert_text("retry: 99999999999999999999999999\ndata: a\n\n", expected);
  assert_text("retry: 9223372036854775\ndata: a\n\n", expected);
  assert_text("retry: 9223372036854776\ndata: a\n\n", expected);
}

static void test_comments_and_unknown_fields(void **state) {
  (void)state;
  assert_text(":\n\n: heartbeat\n\n:data: no\n\n", "");
  assert_text("data: a\n: in between\nother: x\nnothing\ndata: b\n\n", "[message|a/b||-1]");
}

static void test_byte_order_mark(void **state) {
  (void)state;
  assert_text("\xEF\xBB\xBF"
              "data: a\n\n",
              "[message|a||-1]");
  assert_text("\xEF\xBB\xBF\n\xEF\xBB\xBF"
              "data: a\n\n",
              "");
  assert_text("\xEF\xBB\xBF\xEF\xBB\xBF"
              "data: a\n\n",
              "");
  assert_text("\xEF\xBB"
              "data: a\n\n",
              "");
  assert_text("data: \xEF\xBB\xBF\n\n", "[message|\xEF\xBB\xBF||-1]");
  assert_text("\n\xEF\xBB\xBF"
              "data: a\n\n",
              "");
}

static const char sample[] = "\xEF\xBB\xBF: hello\r\n"
                             "retry: 1500\r"
                             "id: 41\n"
                             "event: start\r\n"
                             "data: {\"a\": 1}\r\n"
                             "\r\n"
                             ":\n"
                             "data: one\r\r"
                             "id: bad\0id\n"
                             "data\n"
                             "data:two\n\n\n"
                             "event: dropped\n\r\n"
                             "id\rdata: \xE2\x82\xAC\r\n\r"
                             "data: unfinished\n";

static const char sample_events[] = "[start|{\"a\": 1}|41|1500]"
                                    "[message|one|41|-1]"
                                    "[message|/two|41|-1]"
                                    "[message|\xE2\x82\xAC||-1]";

static void test_every_pair_of_splits(void **state) {
  (void)state;
  const size_t size = sizeof(sample) - 1;
  for (size_t first = 0; first <= size; first++)
    for (size_t second = first; second <= size; second++) {
      struct reading reading;
      reading_init(&reading);
      feed(&reading, sample, first);
      feed(&reading, sample + first, second - first);
      feed(&reading, sample + second, size - second);
      assert_string_equal(mr_buffer_string(&reading.seen), sample_events);
      reading_free(&reading);
    }
}

static void test_byte_for_byte(void **state) {
  (void)state;
  struct reading reading;
  reading_init(&reading);
  for (size_t i = 0; i < sizeof(sample) - 1; i++)
    feed(&reading, sample + i, 1);
  assert_string_equal(mr_buffer_string(&reading.seen), sample_events);
  reading_free(&reading);
}

static void test_event_comes_with_its_last_byte(void **state) {
  (void)state;
  struct mr_sse parser;
  struct mr_sse_event event;
  mr_sse_init(&parser);
  size_t used;
  bool found;
  assert_int_equal(mr_sse_feed(&parser, "data: a\r\r\ndata: b", 17, &used, &event, &found),
                   MR_NONE);
  assert_true(found);
  assert_int_equal(used, 9);
  assert_int_equal(mr_sse_feed(&parser, "\n", 1, &used, &event, &found), MR_NONE);
  assert_false(found);
  assert_int_equal(used, 1);
  assert_int_equal(mr_sse_feed(&parser, NULL, 0, &used, &event, &found), MR_NONE);
  assert_false(found);
  assert_int_equal(used, 0);
  mr_sse_free(&parser);
}

#define MARK "\xEF\xBB\xBF"

/* One line "data:xxx...", fed in two pieces, that fills all the room there is. */
static void test_largest_block(void **state) {
  (void)state;
  struct mr_sse parser;
  struct mr_sse_event event;
  size_t used;
  bool found;
  char *line = malloc(MR_SSE_MAX);
  memset(line, 'x', MR_SSE_MAX);
  memcpy(line, "data:", 5);
  mr_sse_init(&parser);
  assert_int_equal(mr_sse_feed(&parser, line, MR_SSE_MAX, &used, &event, &found), MR_NONE);
  assert_int_equal(used, MR_SSE_MAX);
  assert_int_equal(mr_sse_feed(&parser, "x", 1, &used, &event, &found), MR_TOO_LARGE);
  assert_int_equal(mr_sse_feed(&parser, "\n\n", 2, &used, &event, &found), MR_NONE);
  assert_true(found);
  assert_int_equal(event.data_size, MR_SSE_MAX - 5);
  mr_sse_free(&parser);

  mr_sse_init(&parser);
  size_t most = MR_SSE_MAX / 2;
  assert_int_equal(mr_sse_feed(&parser, line, most, &used, &event, &found), MR_NONE);
  assert_int_equal(mr_sse_feed(&parser, "\n", 1, &used, &event, &found), MR_NONE);
  assert_int_equal(mr_sse_feed(&parser, line, most + 5, &used, &event, &found), MR_NONE);
  assert_int_equal(mr_sse_feed(&parser, "x", 1, &used, &event, &found), MR_TOO_LARGE);
  assert_int_equal(mr_sse_feed(&parser, "\n\n", 2, &used, &event, &found), MR_NONE);
  assert_true(found);
  assert_int_equal(event.data_size, MR_SSE_MAX - 4);
  mr_sse_free(&parser);
  free(line);
}

static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  static const char stream[] = "id: 1\nevent: a-name\ndata: some data\ndata: more\n\n";
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_sse parser;
    struct mr_sse_event event;
    size_t used;
    bool found;
    mr_sse_init(&parser);
    enum mr_kind kind = mr_sse_feed(&parser, stream, sizeof(stream) - 1, &used, &event, &found);
    assert_int_equal(kind, memory.calls >= n ? MR_LIMIT : MR_NONE);
    assert_int_equal(found, kind == MR_NONE);
    mr_sse_free(&parser);
  }
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_data),
      cmocka_unit_test(test_data_with_a_zero_byte),
      cmocka_unit_test(test_lines_end_three_ways),
      cmocka_unit_test(test_event_names),
      cmocka_unit_test(test_ids_stay),
      cmocka_unit_test(test_retry),
      cmocka_unit_test(test_comments_and_unknown_fields),
      cmocka_unit_test(test_byte_order_mark),
      cmocka_unit_test(test_every_pair_of_splits),
      cmocka_unit_test(test_byte_for_byte),
      cmocka_unit_test(test_event_comes_with_its_last_byte),
      cmocka_unit_test(test_largest_block),
      cmocka_unit_test(test_every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
