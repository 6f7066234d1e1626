#include "failing_allocator.h"

#include <stdio.h>

#include "core/json_number.h"
#include "core/json_scan.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct mr_json_limits limits = {.max_depth = 100, .max_string = 1000};

/* What a scan gave, as text: a letter for each token, and what it holds. */
struct transcript {
  char text[2000];
  size_t size;
};

static void note(struct transcript *out, const char *data, const struct mr_json_token *token) {
  static const char letters[] = "ntfidsSkK[{]";
  char *at = out->text + out->size;
  size_t room = sizeof out->text - out->size;
  int length;
  switch (token->kind) {
  case MR_JSON_TOKEN_INTEGER:
    length = snprintf(at, room, "i%lld ", (long long)token->value.integer);
    break;
  case MR_JSON_TOKEN_FLOAT:
    length = snprintf(at, room, "d%.17g ", token->value.real);
    break;
  case MR_JSON_TOKEN_STRING:
  case MR_JSON_TOKEN_ESCAPED_STRING:
  case MR_JSON_TOKEN_KEY:
  case MR_JSON_TOKEN_ESCAPED_KEY:
    length = snprintf(at, room, "%c<%.*s> ", letters[token->kind], (int)token->size,
                      data + token->value.offset);
    break;
  default:
    length = snprintf(at, room, "%c", letters[token->kind]);
  }
  assert_true((size_t)length < room);
  out->size += (size_t)length;
}

/* Scans on with a tape of 'capacity' until the state is another than FULL. */
static enum mr_json_scan_state scan_some(struct mr_json_scanner *scanner, const char *data,
                                         size_t size, bool more, uint32_t capacity,
                                         struct transcript *out) {
  struct mr_json_tape tape = {calloc(capacity, sizeof *tape.tokens), capacity, 0};
  enum mr_json_scan_state state;
  do {
    state = mr_json_scan(scanner, data, size, more, &tape);
    for (uint32_t i = 0; i < tape.count; i++)
      note(out, data, &tape.tokens[i]);
  } while (state == MR_JSON_SCAN_FULL);
  free(tape.tokens);
  return state;
}

static enum mr_json_scan_state scan_with(struct mr_json_limits these, const char *text,
                                         struct transcript *out) {
  struct mr_json_scanner scanner = {0};
  out->size = 0;
  mr_json_scanner_reset(&scanner, these);
  enum mr_json_scan_state state = scan_some(&scanner, text, strlen(text), false, 64, out);
  out->text[out->size] = '\0';
  mr_json_scanner_free(&scanner);
  return state;
}

static void check(const char *text, const char *expected) {
  struct transcript out;
  assert_int_equal(scan_with(limits, text, &out), MR_JSON_SCAN_DONE);
  assert_string_equal(out.text, expected);
}

static void test_tokens(void **state) {
  (void)state;
  check("null", "n");
  check(" true ", "t");
  check("[]", "[]");
  check("{}", "{]");
  check("-12", "i-12 ");
  check("[1,2.5,\"a\",\"\\n\",false]", "[i1 d2.5 s<a> S<\\n> f]");
  check("{\"a\":1,\"\\u0062\" : [ {} ]\t}\r\n", "{k<a> i1 K<\\u0062> [{]]]");
  check("18446744073709551616", "d1.8446744073709552e+19 ");
}

static void test_a_big_integer_as_a_string(void **state) {
  (void)state;
  struct transcript out;
  struct mr_json_limits these = limits;
  these.big_as_string = true;
  assert_int_equal(scan_with(these, "[18446744073709551616,1e30,-5]", &out), MR_JSON_SCAN_DONE);
  assert_string_equal(out.text, "[s<18446744073709551616> d1e+30 i-5 ]");
}

/* The size of a container's token, on a tape that holds all. */
static uint32_t size_of(const char *text, uint32_t at, bool count_nulls) {
  struct mr_json_token tokens[64];
  struct mr_json_tape tape = {tokens, 64, 0};
  struct mr_json_scanner scanner = {0};
  struct mr_json_limits these = limits;
  these.count_nulls = count_nulls;
  mr_json_scanner_reset(&scanner, these);
  assert_int_equal(mr_json_scan(&scanner, text, strlen(text), false, &tape), MR_JSON_SCAN_DONE);
  mr_json_scanner_free(&scanner);
  return tokens[at].size;
}

static void test_containers_know_their_size(void **state) {
  (void)state;
  assert_int_equal(size_of("[]", 0, false), 0);
  assert_int_equal(size_of("[1,null,[2,3],{}]", 0, false), 4);
  assert_int_equal(size_of("[[2,3],1]", 1, false), 2);
  assert_int_equal(size_of("{\"a\":1,\"b\":null,\"c\":{\"d\":1}}", 0, false), 2);
  assert_int_equal(size_of("{\"a\":1,\"b\":null,\"c\":{\"d\":1}}", 0, true), 3);
}

/* What does not fit on the tape is not counted: the token must never promise too much. */
static void test_the_size_of_what_goes_on_beyond_the_tape(void **state) {
  (void)state;
  struct mr_json_token tokens[4];
  struct mr_json_tape tape = {tokens, 4, 0};
  struct mr_json_scanner scanner = {0};
  const char *text = "[1,2,3,4,5,[6]]";
  mr_json_scanner_reset(&scanner, limits);
  assert_int_equal(mr_json_scan(&scanner, text, strlen(text), false, &tape), MR_JSON_SCAN_FULL);
  assert_int_equal(tape.count, 4);
  assert_int_equal(tokens[0].size, 3);
  assert_int_equal(mr_json_scan(&scanner, text, strlen(text), false, &tape), MR_JSON_SCAN_FULL);
  assert_int_equal(tokens[2].kind, MR_JSON_TOKEN_ARRAY);
  assert_int_equal(tokens[2].size, 1);
  assert_int_equal(mr_json_scan(&scanner, text, strlen(text), false, &tape), MR_JSON_SCAN_DONE);
  assert_int_equal(tape.count, 2);
  mr_json_scanner_free(&scanner);
}

/* A level that was opened on an earlier tape and ends on this one makes room for a new one. */
static void test_the_size_of_what_follows_an_old_level(void **state) {
  (void)state;
  struct mr_json_token tokens[4];
  struct mr_json_tape tape = {tokens, 4, 0};
  struct mr_json_scanner scanner = {0};
  const char *text = "[1,[2],[3,4]]";
  mr_json_scanner_reset(&scanner, limits);
  assert_int_equal(mr_json_scan(&scanner, text, strlen(text), false, &tape), MR_JSON_SCAN_FULL);
  assert_int_equal(tokens[2].size, 1);
  assert_int_equal(mr_json_scan(&scanner, text, strlen(text), false, &tape), MR_JSON_SCAN_FULL);
  assert_int_equal(tokens[0].kind, MR_JSON_TOKEN_END);
  assert_int_equal(tokens[1].kind, MR_JSON_TOKEN_ARRAY);
  assert_int_equal(tokens[1].size, 2);
  mr_json_scanner_free(&scanner);
}

static const char sample[] =
    " {\"name\" : \"caf\xc3\xa9 \\ud83d\\ude00\\n\",\"list\":[1,-2.5e3,true,false,null,"
    "\"\",{},[],[[1]]],\n\"\\u0061\":{\"x\":12345678901234567890}} ";

/* However the text is cut and however short the tape is, the tokens are the same. Each piece stands
** at the end of a block of its own, so that a look beyond it is found. */
static void test_a_text_in_pieces(void **state) {
  (void)state;
  size_t size = sizeof sample - 1;
  struct transcript whole, pieces;
  assert_int_equal(scan_with(limits, sample, &whole), MR_JSON_SCAN_DONE);
  for (uint32_t capacity = 1; capacity < 8; capacity++)
    for (size_t step = 1; step < size; step++) {
      struct mr_json_scanner scanner = {0};
      mr_json_scanner_reset(&scanner, limits);
      pieces.size = 0;
      for (size_t end = step; end < size; end += step) {
        char *piece = malloc(end);
        memcpy(piece, sample, end);
        assert_int_equal(scan_some(&scanner, piece, end, true, capacity, &pieces),
                         MR_JSON_SCAN_STARVED);
        free(piece);
      }
      assert_int_equal(scan_some(&scanner, sample, size, false, capacity, &pieces),
                       MR_JSON_SCAN_DONE);
      assert_int_equal(pieces.size, whole.size);
      assert_memory_equal(pieces.text, whole.text, whole.size);
      mr_json_scanner_free(&scanner);
    }
}

/* What is no longer needed can be taken away at any time. */
static void test_a_text_whose_beginning_goes(void **state) {
  (void)state;
  struct mr_json_scanner scanner = {0};
  struct transcript whole, pieces = {.size = 0};
  const char *data = sample;
  assert_int_equal(scan_with(limits, sample, &whole), MR_JSON_SCAN_DONE);
  mr_json_scanner_reset(&scanner, limits);
  for (const char *end = sample; end < sample + sizeof sample - 1; end++) {
    scan_some(&scanner, data, (size_t)(end - data), true, 8, &pieces);
    size_t used = mr_json_scanner_needed(&scanner);
    mr_json_scanner_drop(&scanner, used);
    data += used;
  }
  size_t left = (size_t)(sample + sizeof sample - 1 - data);
  assert_int_equal(scan_some(&scanner, data, left, false, 8, &pieces), MR_JSON_SCAN_DONE);
  assert_int_equal(pieces.size, whole.size);
  assert_memory_equal(pieces.text, whole.text, whole.size);
  mr_json_scanner_free(&scanner);
}

static void check_failure(const char *text, size_t at, const char *problem) {
  struct mr_json_scanner scanner = {0};
  struct transcript out = {.size = 0};
  mr_json_scanner_reset(&scanner, limits);
  assert_int_equal(scan_some(&scanner, text, strlen(text), false, 8, &out), MR_JSON_SCAN_FAILED);
  assert_int_equal(scanner.position, at);
  if (!strstr(scanner.problem, problem)) fail_msg("%s: %s", text, scanner.problem);
  mr_json_scanner_free(&scanner);
}

static void test_failures_say_what_was_expected(void **state) {
  (void)state;
  check_failure("", 0, "empty");
  check_failure(" \n", 2, "empty");
  check_failure("[1", 2, "ends inside an array");
  check_failure("{\"a\":1", 6, "ends inside an object");
  check_failure("{\"a\":", 5, "ends inside an object");
  check_failure("[\"abc", 1, "not closed");
  check_failure("[1,]", 3, "expected a value");
  check_failure("[,1]", 1, "value or ']'");
  check_failure("[1 2]", 3, "',' or ']'");
  check_failure("[1}", 2, "',' or ']'");
  check_failure("{\"a\":1]", 6, "',' or '}'");
  check_failure("{,}", 1, "name in double quotes or '}'");
  check_failure("{\"a\":1,}", 7, "name in double quotes");
  check_failure("{a:1}", 1, "name in double quotes");
  check_failure("{\"a\" 1}", 5, "':'");
  check_failure("{\"a\":}", 5, "expected a value");
  check_failure("1 2", 2, "nothing more");
  check_failure("[]]", 2, "nothing more");
  check_failure("\xef\xbb\xbf[]", 0, "byte order mark");
  check_failure("tru", 0, "expected a value");
  check_failure("nulL", 0, "expected a value");
  check_failure("1e999", 0, "too large for a float");
  check_failure("'a'", 0, "expected a value");
  check_failure("[1,/**/2]", 3, "expected a value");
  check_failure("NaN", 0, "expected a value");
  check_failure("\f1", 0, "expected a value");
}

static void nest(char *text, size_t depth) {
  memset(text, '[', depth);
  memset(text + depth, ']', depth);
  text[2 * depth] = '\0';
}

static void test_the_depth_at_its_limit_and_beyond(void **state) {
  (void)state;
  char text[2100];
  struct transcript out;
  nest(text, limits.max_depth);
  assert_int_equal(scan_with(limits, text, &out), MR_JSON_SCAN_DONE);
  nest(text, limits.max_depth + 1);
  assert_int_equal(scan_with(limits, text, &out), MR_JSON_SCAN_FAILED);
}

static void test_the_string_at_its_limit_and_beyond(void **state) {
  (void)state;
  struct transcript out;
  struct mr_json_limits these = {.max_depth = 1, .max_string = 5};
  assert_int_equal(scan_with(these, "[\"12345\"]", &out), MR_JSON_SCAN_DONE);
  assert_int_equal(scan_with(these, "[\"\\u00e9\\n12\"]", &out), MR_JSON_SCAN_DONE);
  assert_int_equal(scan_with(these, "[\"123456\"]", &out), MR_JSON_SCAN_FAILED);
  assert_int_equal(scan_with(these, "[\"\\u00e9\\n123\"]", &out), MR_JSON_SCAN_FAILED);
  assert_int_equal(scan_with(these, "{\"123456\":1}", &out), MR_JSON_SCAN_FAILED);
}

/* A string that is too long is refused before it has come in full. */
static void test_a_long_string_in_pieces(void **state) {
  (void)state;
  struct transcript out = {.size = 0};
  struct mr_json_scanner scanner = {0};
  mr_json_scanner_reset(&scanner, (struct mr_json_limits){.max_depth = 1, .max_string = 5});
  assert_int_equal(scan_some(&scanner, "\"12345", 6, true, 8, &out), MR_JSON_SCAN_STARVED);
  assert_int_equal(scan_some(&scanner, "\"123456", 7, true, 8, &out), MR_JSON_SCAN_FAILED);
  assert_int_equal(scanner.position, 0);
  mr_json_scanner_free(&scanner);
}

static void test_a_number_without_end(void **state) {
  (void)state;
  char text[MR_JSON_NUMBER_MAX + 1];
  struct transcript out = {.size = 0};
  struct mr_json_scanner scanner = {0};
  memset(text, '1', sizeof text);
  mr_json_scanner_reset(&scanner, limits);
  assert_int_equal(scan_some(&scanner, text, sizeof text - 1, true, 8, &out), MR_JSON_SCAN_STARVED);
  assert_int_equal(scan_some(&scanner, text, sizeof text, true, 8, &out), MR_JSON_SCAN_FAILED);
  mr_json_scanner_free(&scanner);
}

static void test_no_memory(void **state) {
  (void)state;
  char text[300];
  struct failing_allocator memory;
  nest(text, limits.max_depth);
  failing_allocator_install(&memory);
  size_t n = 1;
  for (; failing_allocator_next(&memory, n); n++) {
    struct transcript out;
    enum mr_json_scan_state scanned = scan_with(limits, text, &out);
    bool failed = memory.fail_at && memory.calls >= memory.fail_at;
    assert_int_equal(scanned, failed ? MR_JSON_SCAN_NO_MEMORY : MR_JSON_SCAN_DONE);
  }
  assert_true(n > 3);
  failing_allocator_remove(&memory);
}

/* One deep text does not hold its memory after the next reset. */
static void test_memory_after_a_deep_text(void **state) {
  (void)state;
  char *text = malloc(200001);
  struct transcript out = {.size = 0};
  struct failing_allocator memory;
  struct mr_json_scanner scanner = {0};
  struct mr_json_tape tape = {calloc(64, sizeof *tape.tokens), 64, 0};
  nest(text, 100000);
  failing_allocator_install(&memory);
  mr_json_scanner_reset(&scanner, (struct mr_json_limits){.max_depth = 100000});
  while (mr_json_scan(&scanner, text, 200000, false, &tape) == MR_JSON_SCAN_FULL) {
  }
  assert_int_equal(scanner.expected, MR_JSON_EXPECT_NOTHING);
  mr_json_scanner_reset(&scanner, limits);
  assert_true(memory.live_bytes < 100000);
  assert_int_equal(scan_some(&scanner, "[[]]", 4, false, 8, &out), MR_JSON_SCAN_DONE);
  mr_json_scanner_free(&scanner);
  failing_allocator_remove(&memory);
  free(tape.tokens);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tokens),
      cmocka_unit_test(test_a_big_integer_as_a_string),
      cmocka_unit_test(test_containers_know_their_size),
      cmocka_unit_test(test_the_size_of_what_goes_on_beyond_the_tape),
      cmocka_unit_test(test_the_size_of_what_follows_an_old_level),
      cmocka_unit_test(test_a_text_in_pieces),
      cmocka_unit_test(test_a_text_whose_beginning_goes),
      cmocka_unit_test(test_failures_say_what_was_expected),
      cmocka_unit_test(test_the_depth_at_its_limit_and_beyond),
      cmocka_unit_test(test_the_string_at_its_limit_and_beyond),
      cmocka_unit_test(test_a_long_string_in_pieces),
      cmocka_unit_test(test_a_number_without_end),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_memory_after_a_deep_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
