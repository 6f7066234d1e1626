/*
** Reading is Lemire's "Number Parsing at a Gigabyte per Second" (2021): one
** 128-bit product with a power of five decides; Mushtak and Lemire, "Fast
** Number Parsing Without Fallback" (2023), show that it always does for 64-bit
** digits. Longer numbers are cut to 19 digits, and where the cut leaves two
** candidates, the number is compared with their midpoint in big integers.
**
** Writing is Giulietti's "The Schubfach way to render doubles" (2020).
*/
#include "json_float.h"

#include <stdbool.h>
#include <string.h>

#include "json_powers.h"

#define MANTISSA_BITS   52
#define HIDDEN_BIT      ((uint64_t)1 << MANTISSA_BITS)
#define MANTISSA_MASK   (HIDDEN_BIT - 1)
#define EXPONENT_INFINE 0x7ff
#define EXPONENT_BIAS   1023
#define LEAST_EXPONENT  (-1074) /* of the unit in the last place of a subnormal */

/* Powers of ten that a double holds exactly, for Clinger's fast path. */
#define EXACT_POWER 22
static const double exact_powers_of_ten[EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* Below LEAST_POWER every 64-bit integer rounds to zero, above LARGEST_POWER to infinity. */
#define LEAST_POWER   MR_POWER_MIN
#define LARGEST_POWER 308

/* Powers of five up to this one are exact in the table. */
#define LAST_EXACT_ENTRY 55

/* The product's bits below the 54 or 55 that matter: all ones mean that a carry could change them. */
#define UNDECIDED_BITS 0x1ff

struct wide {
  uint64_t high;
  uint64_t low;
};

static struct wide multiply(uint64_t a, uint64_t b) {
  __extension__ unsigned __int128 product = (unsigned __int128)a * b;
  return (struct wide){(uint64_t)(product >> 64), (uint64_t)product};
}

static struct mr_power power_of_five(int64_t exponent) {
  return mr_powers_of_five[exponent - MR_POWER_MIN];
}

static double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static uint64_t to_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

/* floor(exponent * log2(10)), for |exponent| up to 400. */
static int64_t log2_of_ten(int64_t exponent) {
  return (exponent * 217706) >> 16;
}

/* The top 128 bits of normalised digits times 5^exponent, rounded down as far as it matters. */
static struct wide scaled(uint64_t normalised, int64_t exponent) {
  struct mr_power power = power_of_five(exponent);
  if (exponent > LAST_EXACT_ENTRY) power.low--; /* reading wants it rounded down */
  struct wide product = multiply(normalised, power.high);
  if ((product.high & UNDECIDED_BITS) == UNDECIDED_BITS) {
    uint64_t carried = multiply(normalised, power.low).high;
    product.low += carried;
    if (product.low < carried) product.high++;
  }
  return product;
}

/* Half of an odd 'mantissa' is rounded up, which is wrong for an exact tie of even result:
** clears the bit then. Ties occur only for small exponents. */
static uint64_t settle_tie(uint64_t mantissa, struct wide product, int shift, int64_t exponent) {
  bool may_be_tie = product.low <= 1 && exponent >= -4 && exponent <= 23;
  if (may_be_tie && (mantissa & 3) == 1 && mantissa << shift == product.high) return mantissa - 1;
  return mantissa;
}

static double subnormal(uint64_t mantissa, int64_t biased) {
  if (biased <= -63) return 0.0;
  mantissa >>= 1 - biased;
  mantissa += mantissa & 1;
  mantissa >>= 1;
  return from_bits(mantissa); /* a carry into the hidden bit makes the least normal number */
}

static double rounded_product(uint64_t digits, int64_t exponent) {
  int zeros = __builtin_clzll(digits);
  struct wide product = scaled(digits << zeros, exponent);
  int upper = (int)(product.high >> 63);
  int shift = upper + 64 - MANTISSA_BITS - 3;
  uint64_t mantissa = product.high >> shift;
  int64_t biased = log2_of_ten(exponent) + 63 + upper - zeros + EXPONENT_BIAS;
  if (biased <= 0) return subnormal(mantissa, biased);
  mantissa = settle_tie(mantissa, product, shift, exponent);
  mantissa += mantissa & 1;
  mantissa >>= 1;
  if (mantissa == HIDDEN_BIT << 1) {
    mantissa = HIDDEN_BIT;
    biased++;
  }
  if (biased >= EXPONENT_INFINE) return from_bits((uint64_t)EXPONENT_INFINE << MANTISSA_BITS);
  return from_bits((mantissa & MANTISSA_MASK) | (uint64_t)biased << MANTISSA_BITS);
}

double mr_decimal_to_double(struct mr_decimal decimal) {
  if (decimal.digits <= HIDDEN_BIT << 1) {
    double digits = (double)decimal.digits;
    if (decimal.exponent >= 0 && decimal.exponent <= EXACT_POWER)
      return digits * exact_powers_of_ten[decimal.exponent];
    if (decimal.exponent < 0 && decimal.exponent >= -EXACT_POWER)
      return digits / exact_powers_of_ten[-decimal.exponent];
  }
  if (decimal.digits == 0 || decimal.exponent < LEAST_POWER) return 0.0;
  if (decimal.exponent > LARGEST_POWER)
    return from_bits((uint64_t)EXPONENT_INFINE << MANTISSA_BITS);
  return rounded_product(decimal.digits, decimal.exponent);
}

/* {====== Comparison with a midpoint ====== */

/* 2048 digits take 6,804 bits, the least exponent 1,075 more. */
#define BIG_WORDS 256

struct big {
  uint32_t words[BIG_WORDS]; /* the least significant first */
  int size;
};

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t addend) {
  uint64_t carry = addend;
  for (int i = 0; i < big->size; i++) {
    carry += (uint64_t)big->words[i] * factor;
    big->words[i] = (uint32_t)carry;
    carry >>= 32;
  }
  if (carry > 0 && big->size < BIG_WORDS) big->words[big->size++] = (uint32_t)carry;
}

static void big_multiply_five(struct big *big, int64_t exponent) {
  const uint32_t five_to_13 = 1220703125;
  for (; exponent >= 13; exponent -= 13)
    big_multiply_add(big, five_to_13, 0);
  for (; exponent > 0; exponent--)
    big_multiply_add(big, 5, 0);
}

static void big_shift(struct big *big, int64_t bits) {
  int words = (int)(bits / 32);
  if (words > BIG_WORDS - big->size) words = BIG_WORDS - big->size;
  memmove(big->words + words, big->words, (size_t)big->size * sizeof big->words[0]);
  memset(big->words, 0, (size_t)words * sizeof big->words[0]);
  big->size += words;
  big_multiply_add(big, (uint32_t)1 << bits % 32, 0);
}

static int big_compare(const struct big *a, const struct big *b) {
  if (a->size != b->size) return a->size < b->size ? -1 : 1;
  for (int i = a->size - 1; i >= 0; i--)
    if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
  return 0;
}

static void big_read(struct big *big, const char *text, size_t size) {
  big->size = 0;
  for (size_t i = 0; i < size; i++)
    if (text[i] != '.') big_multiply_add(big, 10, (uint32_t)(text[i] - '0'));
}

/* Compares the text's value with half_units * 2^binary. Both sides are multiplied by what makes
** them integers; the powers of two of both are then one shift of one side. */
static int compare_with_midpoint(const char *text, size_t size, int64_t exponent,
                                 uint64_t half_units, int64_t binary) {
  struct big number;
  struct big midpoint = {{(uint32_t)half_units, (uint32_t)(half_units >> 32)}, 2};
  if (midpoint.words[1] == 0) midpoint.size = 1;
  big_read(&number, text, size);
  if (exponent >= 0)
    big_multiply_five(&number, exponent);
  else
    big_multiply_five(&midpoint, -exponent);
  if (binary >= exponent)
    big_shift(&midpoint, binary - exponent);
  else
    big_shift(&number, exponent - binary);
  return big_compare(&number, &midpoint);
}

/* }====== */

struct parts {
  uint64_t mantissa;
  int64_t exponent; /* the value is mantissa * 2^exponent */
};

static struct parts parts_of(double value) {
  uint64_t bits = to_bits(value);
  int64_t biased = (int64_t)(bits >> MANTISSA_BITS) & EXPONENT_INFINE;
  uint64_t mantissa = bits & MANTISSA_MASK;
  if (biased == 0) return (struct parts){mantissa, LEAST_EXPONENT};
  return (struct parts){mantissa | HIDDEN_BIT, biased - EXPONENT_BIAS - MANTISSA_BITS};
}

double mr_long_decimal_to_double(const char *text, size_t size, int64_t exponent) {
  struct mr_decimal cut = {0, exponent};
  int taken = 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '.') continue;
    if (taken++ < MR_DECIMAL_DIGITS)
      cut.digits = cut.digits * 10 + (uint64_t)(text[i] - '0');
    else
      cut.exponent++;
  }
  double low = mr_decimal_to_double(cut);
  double high = mr_decimal_to_double((struct mr_decimal){cut.digits + 1, cut.exponent});
  if (low == high) return low;
  struct parts parts = parts_of(low);
  int order =
      compare_with_midpoint(text, size, exponent, 2 * parts.mantissa + 1, parts.exponent - 1);
  if (order == 0) return parts.mantissa % 2 == 0 ? low : high;
  return order < 0 ? low : high;
}

/* {====== Shortest decimal ====== */

/* The top 64 bits of factor * power, the last bit set when anything is cut off below it. */
static uint64_t round_to_odd(struct mr_power power, uint64_t factor) {
  struct wide high = multiply(factor, power.high);
  uint64_t middle = high.low + multiply(factor, power.low).high;
  if (middle < high.low) high.high++;
  return high.high | (middle > 1);
}

/* The interval of reals that round to the value, in quarters of 10^exponent. */
struct interval {
  uint64_t lower;
  uint64_t middle;
  uint64_t upper;
  int64_t exponent;
};

static struct interval interval_of(struct parts parts) {
  bool closer_below = parts.mantissa == HIDDEN_BIT && parts.exponent > LEAST_EXPONENT;
  bool odd = parts.mantissa % 2 == 1; /* the bounds themselves round to an even mantissa only */
  int64_t exponent = (parts.exponent * 1262611 - (closer_below ? 524031 : 0)) >> 22;
  int64_t shift = parts.exponent + ((-exponent * 1741647) >> 19) + 1;
  struct mr_power power = power_of_five(-exponent);
  uint64_t middle = 4 * parts.mantissa;
  return (struct interval){
      .lower = round_to_odd(power, (middle - 2 + closer_below) << shift) + odd,
      .middle = round_to_odd(power, middle << shift),
      .upper = round_to_odd(power, (middle + 2) << shift) - odd,
      .exponent = exponent,
  };
}

struct mr_decimal mr_double_to_decimal(double value) {
  struct interval in = interval_of(parts_of(value));
  uint64_t digits = in.middle / 4;
  if (digits >= 10) {
    uint64_t tens = digits / 10;
    bool below = in.lower <= 40 * tens;
    bool above = 40 * tens + 40 <= in.upper;
    if (below != above) return (struct mr_decimal){tens + above, in.exponent + 1};
  }
  bool below = in.lower <= 4 * digits;
  bool above = 4 * digits + 4 <= in.upper;
  if (below != above) return (struct mr_decimal){digits + above, in.exponent};
  uint64_t half = 4 * digits + 2;
  bool up = in.middle > half || (in.middle == half && digits % 2 == 1);
  return (struct mr_decimal){digits + up, in.exponent};
}

/* }====== */
