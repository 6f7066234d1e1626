#include "failing_allocator.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "core/json_float.h"
#include "core/json_powers.h"
#include "core/random.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static void assert_same(double found, double expected, const char *text) {
  if (memcmp(&found, &expected, sizeof found) == 0) return;
  fail_msg("%s: found %a, expected %a", text, found, expected);
}

/* {====== The table, from its definition ====== */

#define WORDS 40 /* 5^342 * 2^128 has 923 bits */

struct integer {
  uint32_t words[WORDS];
};

static void multiply(struct integer *a, uint32_t factor) {
  uint64_t carry = 0;
  for (int i = 0; i < WORDS; i++) {
    carry += (uint64_t)a->words[i] * factor;
    a->words[i] = (uint32_t)carry;
    carry >>= 32;
  }
  assert_int_equal(carry, 0);
}

static struct integer five_to(int exponent) {
  struct integer power = {{1}};
  for (; exponent > 0; exponent--)
    multiply(&power, 5);
  return power;
}

static void shift_left(struct integer *a, int bits) {
  for (; bits > 0; bits--)
    multiply(a, 2);
}

static struct integer product(struct integer a, struct mr_power b) {
  const uint32_t words[4] = {(uint32_t)b.low, (uint32_t)(b.low >> 32), (uint32_t)b.high,
                             (uint32_t)(b.high >> 32)};
  struct integer sum = {{0}};
  for (int k = 0; k < 4; k++) {
    uint64_t carry = 0;
    for (int i = 0; i + k < WORDS; i++) {
      carry += sum.words[i + k] + (uint64_t)a.words[i] * words[k];
      sum.words[i + k] = (uint32_t)carry;
      carry >>= 32;
    }
  }
  return sum;
}

static int compare(const struct integer *a, const struct integer *b) {
  for (int i = WORDS - 1; i >= 0; i--)
    if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
  return 0;
}

static int bit_length(const struct integer *a) {
  int bits = WORDS * 32;
  while (bits > 0 && !(a->words[(bits - 1) / 32] >> (bits - 1) % 32 & 1))
    bits--;
  return bits;
}

static struct mr_power less_one(struct mr_power power) {
  return (struct mr_power){power.high - (power.low == 0), power.low - 1};
}

/* entry - 1 < 5^e / 2^(bits - 128) <= entry */
static void check_positive(int exponent, struct mr_power entry) {
  struct integer power = five_to(exponent), one = {{1}};
  int shift = bit_length(&power) - 128;
  if (shift < 0) {
    shift_left(&power, -shift);
    shift = 0;
  }
  struct integer upper = product(one, entry), lower = product(one, less_one(entry));
  shift_left(&upper, shift);
  shift_left(&lower, shift);
  assert_true(compare(&lower, &power) < 0);
  assert_true(compare(&power, &upper) <= 0);
}

/* entry - 1 < 2^s / 5^-e <= entry, for the one s that can be meant */
static void check_negative(int exponent, struct mr_power entry) {
  struct integer divisor = five_to(-exponent), power = {{1}};
  struct integer upper = product(divisor, entry), lower = product(divisor, less_one(entry));
  shift_left(&power, bit_length(&upper) - 1);
  assert_true(compare(&lower, &power) < 0);
  assert_true(compare(&power, &upper) <= 0);
}

static void test_every_power_is_what_it_should_be(void **state) {
  (void)state;
  for (int e = MR_POWER_MIN; e <= MR_POWER_MAX; e++) {
    struct mr_power entry = mr_powers_of_five[e - MR_POWER_MIN];
    assert_true(entry.high >> 63);
    if (e >= 0)
      check_positive(e, entry);
    else
      check_negative(e, entry);
  }
}

/* }====== */

static void check_decimal(uint64_t digits, int64_t exponent) {
  char text[64];
  snprintf(text, sizeof text, "%llue%lld", (unsigned long long)digits, (long long)exponent);
  assert_same(mr_decimal_to_double((struct mr_decimal){digits, exponent}), strtod(text, NULL),
              text);
}

/* Ties, neighbours of ties, the ends of the range, and both sides of the fast path. */
static void test_decimals_that_are_hard_to_round(void **state) {
  (void)state;
  static const struct mr_decimal decimals[] = {
      {0, 0},
      {1, 0},
      {9007199254740991, 0},
      {9007199254740992, 0},
      {9007199254740993, 0},
      {9007199254740993, 22},
      {9007199254740995, 0},
      {UINT64_MAX, 0},
      {UINT64_MAX, 308},
      {1, 22},
      {1, 23},
      {8, 22},
      {1, -22},
      {1, -23},
      {5, -324},
      {2470328229206232721, -342},
      {2470328229206232720, -342},
      {3, -324},
      {2, -324},
      {22250738585072011, -324},
      {22250738585072014, -324},
      {22250738585072009, -324},
      {17976931348623157, 292},
      {17976931348623158, 292},
      {17976931348623159, 292},
      {1, 308},
      {1, 309},
      {2, 308},
      {1, -400},
      {1, 400},
      {6929495644600919535, 0},
      {3439070283483335, 4},
      {8259259259259259258, -50},
      {1448997445238699, 0},
      {8091450587292794, -324},
  };
  for (size_t i = 0; i < COUNT_OF(decimals); i++)
    check_decimal(decimals[i].digits, decimals[i].exponent);
}

static void test_random_decimals(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 1);
  for (int i = 0; i < 100000; i++) {
    uint64_t digits = mr_random_next(&random) >> mr_random_below(&random, 64);
    check_decimal(digits, mr_random_below(&random, 700) - 360);
  }
}

static double random_double(struct mr_random *random, int turn) {
  uint64_t bits = mr_random_next(random) & (UINT64_MAX >> 1);
  if (turn % 4 == 1) bits &= UINT64_C(0x000fffffffffffff) >> mr_random_below(random, 52);
  if (turn % 4 == 2) bits &= ~UINT64_C(0x000fffffffffffff);
  return from_bits(bits);
}

/* A number of digits that prints back to the value. */
static int digits_needed(double value) {
  char text[40];
  for (int digits = 1; digits < 17; digits++) {
    snprintf(text, sizeof text, "%.*e", digits - 1, value);
    if (strtod(text, NULL) == value) return digits;
  }
  return 17;
}

static int digits_of(uint64_t value) {
  int digits = 1;
  while (value % 10 == 0)
    value /= 10;
  for (; value >= 10; value /= 10)
    digits++;
  return digits;
}

static void check_shortest(double value) {
  char text[64];
  struct mr_decimal decimal = mr_double_to_decimal(value);
  snprintf(text, sizeof text, "%llue%lld", (unsigned long long)decimal.digits,
           (long long)decimal.exponent);
  assert_same(strtod(text, NULL), value, text);
  assert_same(mr_decimal_to_double(decimal), value, text);
  if (digits_of(decimal.digits) > digits_needed(value))
    fail_msg("%s is not the shortest for %a", text, value);
}

static void test_the_shortest_decimal_reads_back(void **state) {
  (void)state;
  static const double values[] = {
      1,       0.1,     0.3,    2.0 / 3, 1e21,    1e22,    1e23,   5e-324,  DBL_MIN,
      DBL_MAX, 0x1p-50, 0x1p63, 0x1p64,  0x1p122, 0x1p345, 123456, 4.35,    9007199254740993.0,
      1e-7,    1e16,    2e16,   8.41e21, 9.5e-17, 2e-44,   1e-323, 1.5e300, 4.940656458412e-318,
  };
  for (size_t i = 0; i < COUNT_OF(values); i++)
    check_shortest(values[i]);
  struct mr_random random;
  mr_random_seed(&random, 2);
  for (int i = 0; i < 50000; i++) {
    double value = random_double(&random, i);
    if (isfinite(value) && value > 0) check_shortest(value);
  }
}

/* {====== More than 19 digits ====== */

#define ROOM 1400

/* The digits without zeros at the end, and the exponent of the last of them. */
struct expansion {
  char text[ROOM];
  size_t size;
  int64_t exponent;
};

/* The exact middle between a double and the next one: long double has the bit that it takes. */
static struct expansion middle_above(double value) {
  struct expansion middle;
  long double half = ((long double)value + (long double)nextafter(value, INFINITY)) / 2;
  int length = snprintf(middle.text, ROOM, "%.1100Le", half);
  char *e = strchr(middle.text, 'e');
  assert_true(length < ROOM && e);
  int64_t exponent = strtol(e + 1, NULL, 10);
  middle.size = (size_t)(e - middle.text);
  while (middle.text[middle.size - 1] == '0')
    middle.size--;
  middle.exponent = exponent - (int64_t)(middle.size - 2);
  return middle;
}

static void check_long(const char *text, size_t size, int64_t exponent) {
  char whole[2 * MR_LONG_DECIMAL_DIGITS];
  size_t digits = memchr(text, '.', size) ? size - 1 : size;
  size_t fraction = digits == size ? 0 : (size_t)(text + size - strchr(text, '.') - 1);
  assert_true(digits >= 1);
  snprintf(whole, sizeof whole, "%.*se%lld", (int)size, text,
           (long long)exponent + (long long)fraction);
  assert_same(mr_long_decimal_to_double(text, size, exponent), strtod(whole, NULL), whole);
}

static void test_a_tie_goes_to_even_and_a_digit_more_breaks_it(void **state) {
  (void)state;
  struct mr_random random;
  mr_random_seed(&random, 3);
  for (int i = 0; i < 3000; i++) {
    double value = random_double(&random, i);
    if (!(value > 0) || value > 1e300) continue;
    struct expansion middle = middle_above(value);
    if (middle.size < 22) continue;
    check_long(middle.text, middle.size, middle.exponent);
    middle.text[middle.size] = '1';
    check_long(middle.text, middle.size + 1, middle.exponent - 1);
    middle.text[middle.size - 1]--;
    check_long(middle.text, middle.size, middle.exponent);
  }
}

static void test_the_longest_numbers(void **state) {
  (void)state;
  char digits[MR_LONG_DECIMAL_DIGITS];
  memset(digits, '9', sizeof digits);
  for (int64_t exponent = -2500; exponent < 0; exponent += 41)
    check_long(digits, sizeof digits, exponent);
  /* Just above the middle between 1 and the next double, by its very last digit. */
  struct expansion middle = middle_above(1.0);
  memset(digits, '0', sizeof digits);
  memcpy(digits, middle.text, middle.size);
  digits[sizeof digits - 1] = '1';
  check_long(digits, sizeof digits, -(int64_t)(sizeof digits - 2));
}

/* }====== */

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_power_is_what_it_should_be),
      cmocka_unit_test(test_decimals_that_are_hard_to_round),
      cmocka_unit_test(test_random_decimals),
      cmocka_unit_test(test_the_shortest_decimal_reads_back),
      cmocka_unit_test(test_a_tie_goes_to_even_and_a_digit_more_breaks_it),
      cmocka_unit_test(test_the_longest_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
