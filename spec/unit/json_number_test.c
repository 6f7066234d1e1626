#include "failing_allocator.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "core/json_number.h"
#include "core/random.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static enum mr_json_number_kind read(const char *text, bool more, struct mr_json_number *number) {
  return mr_json_read_number(text, text + strlen(text), more, number);
}

static void check_integer(const char *text, int64_t expected) {
  struct mr_json_number number;
  assert_int_equal(read(text, false, &number), MR_JSON_NUMBER_INTEGER);
  assert_int_equal(number.value.integer, expected);
  assert_ptr_equal(number.stop, text + strlen(text));
}

static void test_integers_are_exact(void **state) {
  (void)state;
  check_integer("0", 0);
  check_integer("-1", -1);
  check_integer("9007199254740993", 9007199254740993);
  check_integer("999999999999999999", 999999999999999999);
  check_integer("9223372036854775807", INT64_MAX);
  check_integer("-9223372036854775808", INT64_MIN);
}

static void check_real(const char *text, enum mr_json_number_kind kind) {
  struct mr_json_number number;
  double expected = strtod(text, NULL);
  assert_int_equal(read(text, false, &number), kind);
  assert_memory_equal(&number.value.real, &expected, sizeof expected);
  assert_ptr_equal(number.stop, text + strlen(text));
}

static void test_integers_beyond_64_bits(void **state) {
  (void)state;
  check_real("9223372036854775808", MR_JSON_NUMBER_BIG);
  check_real("-9223372036854775809", MR_JSON_NUMBER_BIG);
  check_real("18446744073709551615", MR_JSON_NUMBER_BIG);
  check_real("18446744073709551616", MR_JSON_NUMBER_BIG);
  check_real("100000000000000000000000000000000000000001", MR_JSON_NUMBER_BIG);
}

static void test_floats(void **state) {
  (void)state;
  static const char *const texts[] = {
      "-0",
      "0.0",
      "-0.0",
      "0e0",
      "1.0",
      "1e0",
      "1E+2",
      "1e-2",
      "0.1",
      "123.456e7",
      "1e22",
      "1e23",
      "4.9e-324",
      "2e-324",
      "1e-99999",
      "1e309",
      "-1e309",
      "1e9999",
      "0e99999",
      "0.00001",
      "0.000000e-300",
      "1.5e+300",
      "-2.5e1",
      "0.1e1",
      "10e-1",
      "0.5",
      "9007199254740993e0",
      "0.1000000000000000055511151231257827021181583404541015625",
      "0.00000000000000000000000000000000000000000000000012345678901234567890123",
      "12345678901234567890123.456789e-5",
      "2.2250738585072011e-308",
      "1e99999999999999999999",
      "1e-99999999999999999999",
  };
  for (size_t i = 0; i < COUNT_OF(texts); i++)
    check_real(texts[i], MR_JSON_NUMBER_FLOAT);
}

/* What JSON does not allow, and where it goes wrong. */
static void test_what_is_no_number(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t at;
  } cases[] = {
      {"-", 1},   {"-a", 1},  {"-.5", 1},   {"--1", 1}, {"01", 1},   {"-01", 2},
      {"00", 1},  {"1.", 2},  {"1.e1", 2},  {"1.a", 2}, {"1e", 2},   {"1e+", 3},
      {"1E-", 3}, {"1ex", 2}, {"1e+-1", 3}, {"0.", 2},  {"1.0e", 4},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct mr_json_number number;
    assert_int_equal(read(cases[i].text, false, &number), MR_JSON_NUMBER_BAD);
    assert_ptr_equal(number.stop, cases[i].text + cases[i].at);
    assert_non_null(number.problem);
  }
}

static void test_a_number_ends_where_its_grammar_does(void **state) {
  (void)state;
  static const char *const texts[] = {"1,", "1]", "1 ", "1-", "1+", "1x", "0x10", "1\0002"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    struct mr_json_number number;
    const char *text = texts[i];
    assert_int_equal(mr_json_read_number(text, text + 2, false, &number), MR_JSON_NUMBER_INTEGER);
    assert_ptr_equal(number.stop, text + 1);
  }
  struct mr_json_number number;
  const char *text = "1.5.5";
  assert_int_equal(read(text, false, &number), MR_JSON_NUMBER_FLOAT);
  assert_ptr_equal(number.stop, text + 3);
}

static void test_a_number_at_the_end_waits_for_more(void **state) {
  (void)state;
  static const char *const texts[] = {"-", "1", "0", "1.", "1.5", "1e", "1e+", "1e5", "-0"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    struct mr_json_number number;
    assert_int_equal(read(texts[i], true, &number), MR_JSON_NUMBER_STARVED);
  }
}

static void test_the_longest_number(void **state) {
  (void)state;
  char text[MR_JSON_NUMBER_MAX + 2];
  struct mr_json_number number;
  memset(text, '1', sizeof text);
  text[1] = '.';
  const char *end = text + MR_JSON_NUMBER_MAX;
  assert_int_equal(mr_json_read_number(text, end, false, &number), MR_JSON_NUMBER_FLOAT);
  assert_int_equal(mr_json_read_number(text, end + 1, false, &number), MR_JSON_NUMBER_BAD);
  text[1] = '1';
  assert_int_equal(mr_json_read_number(text, end, false, &number), MR_JSON_NUMBER_BIG);
  assert_true(isinf(number.value.real));
  assert_int_equal(mr_json_read_number(text, end + 1, false, &number), MR_JSON_NUMBER_BAD);
}

static void check_written_integer(int64_t value) {
  char text[MR_JSON_NUMBER_ROOM], expected[32];
  size_t length = mr_json_write_integer(text, value);
  snprintf(expected, sizeof expected, "%lld", (long long)value);
  assert_int_equal(length, strlen(expected));
  assert_memory_equal(text, expected, length);
}

static void test_writing_integers(void **state) {
  (void)state;
  check_written_integer(INT64_MIN);
  check_written_integer(INT64_MAX);
  int64_t power = 1;
  for (int i = 0; i < 18; i++, power *= 10) {
    check_written_integer(power);
    check_written_integer(power - 1);
    check_written_integer(-power);
  }
}

static void test_writing_floats(void **state) {
  (void)state;
  static const struct {
    double value;
    const char *text;
  } cases[] = {
      {0.0, "0"},
      {-0.0, "-0"},
      {1.0, "1"},
      {-1.5, "-1.5"},
      {0.1, "0.1"},
      {0.1 + 0.2, "0.30000000000000004"},
      {1e15, "1000000000000000"},
      {1e21, "1000000000000000000000"},
      {1e22, "10000000000000000000000"},
      {0x1p53, "9007199254740992"},
      {0x1p62, "4611686018427387904"},
      {-0x1p63, "-9223372036854776000"},
      {123456.789, "123456.789"},
      {45.5017, "45.5017"},
      {0.00001, "0.00001"},
      {0.000012345, "0.000012345"},
      {0.000001, "1e-6"},
      {1.5e-7, "1.5e-7"},
      {5e-324, "5e-324"},
      {-2.2250738585072014e-308, "-2.2250738585072014e-308"},
      {9007199254740991.5 / 2, "4503599627370496"},
      {4503599627370495.5, "4503599627370495.5"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    char text[MR_JSON_NUMBER_ROOM];
    size_t length = mr_json_write_double(text, cases[i].value);
    text[length] = '\0';
    assert_string_equal(text, cases[i].text);
  }
}

static void test_the_largest_float_fits(void **state) {
  (void)state;
  char text[MR_JSON_NUMBER_ROOM];
  size_t length = mr_json_write_double(text, -DBL_MAX);
  assert_int_equal(length, 310);
  text[length] = '\0';
  assert_true(strtod(text, NULL) == -DBL_MAX);
}

static void test_every_float_reads_back(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 4);
  for (int i = 0; i < 100000; i++) {
    uint64_t bits = mr_random_next(&random);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (!isfinite(value)) continue;
    char text[MR_JSON_NUMBER_ROOM];
    size_t length = mr_json_write_double(text, value);
    struct mr_json_number number;
    enum mr_json_number_kind kind = mr_json_read_number(text, text + length, false, &number);
    double found =
        kind == MR_JSON_NUMBER_INTEGER ? (double)number.value.integer : number.value.real;
    assert_ptr_equal(number.stop, text + length);
    assert_memory_equal(&found, &value, sizeof value);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_integers_are_exact),
      cmocka_unit_test(test_integers_beyond_64_bits),
      cmocka_unit_test(test_floats),
      cmocka_unit_test(test_what_is_no_number),
      cmocka_unit_test(test_a_number_ends_where_its_grammar_does),
      cmocka_unit_test(test_a_number_at_the_end_waits_for_more),
      cmocka_unit_test(test_the_longest_number),
      cmocka_unit_test(test_writing_integers),
      cmocka_unit_test(test_writing_floats),
      cmocka_unit_test(test_the_largest_float_fits),
      cmocka_unit_test(test_every_float_reads_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
