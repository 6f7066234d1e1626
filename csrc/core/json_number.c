/*
** An integer of up to 18 digits takes the short way through read_number; all
** else is decided from the digits as text.
*/
#include "json_number.h"

#include <math.h>
#include <string.h>

#include "json_float.h"

/* An exponent beyond this is beyond every double, whatever digits stand before it. */
#define EXPONENT_CLAMP 100000

/* Positions of the point for which a fraction is written without exponent: 0.00001 is. */
#define LEAST_POINT (-4)

struct reader {
  const char *at;
  const char *end;
  bool more;
  struct mr_json_number *number;
};

static bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}

static enum mr_json_number_kind bad(struct reader *reader, const char *problem) {
  reader->number->stop = reader->at;
  reader->number->problem = problem;
  return MR_JSON_NUMBER_BAD;
}

/* At least one digit must stand at 'at'; goes behind the last one. */
static enum mr_json_number_kind skip_digits(struct reader *reader, const char *problem) {
  if (reader->at < reader->end && !is_digit(*reader->at)) return bad(reader, problem);
  if (reader->at == reader->end && !reader->more) return bad(reader, problem);
  while (reader->at < reader->end && is_digit(*reader->at))
    reader->at++;
  if (reader->at == reader->end && reader->more) return MR_JSON_NUMBER_STARVED;
  return MR_JSON_NUMBER_FLOAT;
}

/* The digits after 'e' and its sign. */
static int64_t exponent_of(const char *text, const char *end) {
  bool negative = *text == '-';
  int64_t exponent = 0;
  if (negative || *text == '+') text++;
  for (; text < end; text++)
    if (exponent < EXPONENT_CLAMP) exponent = exponent * 10 + (*text - '0');
  return negative ? -exponent : exponent;
}

/* Digits and at most one point from 'text' to 'end', times 10^exponent. */
static double convert(const char *text, const char *end, int64_t exponent) {
  while (text < end && (*text == '0' || *text == '.'))
    text++; /* a point passed here has no digit before it: the exponent counts from the end */
  struct mr_decimal decimal = {0, exponent};
  int digits = 0;
  for (const char *p = text; p < end; p++) {
    if (*p == '.') continue;
    decimal.digits = decimal.digits * 10 + (uint64_t)(*p - '0');
    if (++digits > MR_DECIMAL_DIGITS)
      return mr_long_decimal_to_double(text, (size_t)(end - text), exponent);
  }
  return mr_decimal_to_double(decimal);
}

static enum mr_json_number_kind finish(const char *text, const char *mantissa_end, int64_t exponent,
                                       enum mr_json_number_kind kind, struct reader *reader) {
  if (reader->at - text > MR_JSON_NUMBER_MAX) return bad(reader, "the number is too long");
  bool negative = *text == '-';
  double real = convert(text + negative, mantissa_end, exponent);
  reader->number->value.real = negative ? -real : real;
  reader->number->stop = reader->at;
  return kind;
}

/* 'at' stands on the point, 'e' or 'E' behind the digits that begin at 'text'. */
static enum mr_json_number_kind read_float(const char *text, struct reader *reader) {
  int64_t exponent = 0;
  enum mr_json_number_kind kind;
  if (*reader->at == '.') {
    const char *fraction = ++reader->at;
    kind = skip_digits(reader, "a digit must follow the decimal point");
    if (kind != MR_JSON_NUMBER_FLOAT) return kind;
    exponent = fraction - reader->at;
  }
  const char *mantissa_end = reader->at;
  if (reader->at < reader->end && (*reader->at | 0x20) == 'e') {
    const char *sign = ++reader->at;
    if (reader->at < reader->end && (*sign == '+' || *sign == '-')) reader->at++;
    kind = skip_digits(reader, "a digit must follow the exponent's 'e'");
    if (kind != MR_JSON_NUMBER_FLOAT) return kind;
    exponent += exponent_of(sign, reader->at);
  }
  return finish(text, mantissa_end, exponent, MR_JSON_NUMBER_FLOAT, reader);
}

/* 'magnitude' holds the digits from 'digits' to 'at', unless there are more than 19. */
static enum mr_json_number_kind finish_integer(const char *text, const char *digits,
                                               uint64_t magnitude, struct reader *reader) {
  bool negative = *text == '-';
  uint64_t limit = (uint64_t)INT64_MAX + negative;
  if (reader->at - digits > MR_DECIMAL_DIGITS || magnitude > limit)
    return finish(text, reader->at, 0, MR_JSON_NUMBER_BIG, reader);
  if (negative && magnitude == 0) return finish(text, reader->at, 0, MR_JSON_NUMBER_FLOAT, reader);
  reader->number->value.integer = (int64_t)(negative ? 0 - magnitude : magnitude);
  reader->number->stop = reader->at;
  return MR_JSON_NUMBER_INTEGER;
}

enum mr_json_number_kind mr_json_read_number(const char *text, const char *end, bool more,
                                             struct mr_json_number *number) {
  const char *digits = text + (*text == '-');
  const char *p = digits;
  uint64_t magnitude = 0;
  while (p < end && is_digit(*p))
    magnitude = magnitude * 10 + (uint64_t)(*p++ - '0');
  struct reader reader = {p, end, more, number};
  if (p == end && more) return MR_JSON_NUMBER_STARVED;
  if (p == digits) return bad(&reader, "a digit must follow the minus sign");
  if (*digits == '0' && p > digits + 1) {
    reader.at = digits + 1;
    return bad(&reader, "a number must not begin with 0 and another digit");
  }
  if (p < end && (*p == '.' || (*p | 0x20) == 'e')) return read_float(text, &reader);
  return finish_integer(text, digits, magnitude, &reader);
}

/* {====== Writing ====== */

static const char digit_pairs[] = "00010203040506070809"
                                  "10111213141516171819"
                                  "20212223242526272829"
                                  "30313233343536373839"
                                  "40414243444546474849"
                                  "50515253545556575859"
                                  "60616263646566676869"
                                  "70717273747576777879"
                                  "80818283848586878889"
                                  "90919293949596979899";

/* Writes backwards from 'end' and returns the first digit. */
static char *write_digits(char *end, uint64_t value) {
  while (value >= 100) {
    end -= 2;
    memcpy(end, digit_pairs + value % 100 * 2, 2);
    value /= 100;
  }
  if (value >= 10) {
    end -= 2;
    memcpy(end, digit_pairs + value * 2, 2);
  } else {
    *--end = (char)('0' + value);
  }
  return end;
}

static size_t write_unsigned(char *out, uint64_t value) {
  char digits[20];
  char *first = write_digits(digits + sizeof digits, value);
  size_t length = (size_t)(digits + sizeof digits - first);
  memcpy(out, first, length);
  return length;
}

size_t mr_json_write_integer(char *out, int64_t value) {
  if (value >= 0) return write_unsigned(out, (uint64_t)value);
  *out = '-';
  return 1 + write_unsigned(out + 1, 0 - (uint64_t)value);
}

/* d.ddde-x: only numbers near zero come here. 'point' is where the point stands before the digits. */
static size_t write_scientific(char *out, const char *digits, size_t count, int64_t point) {
  size_t length = 0;
  out[length++] = digits[0];
  if (count > 1) {
    out[length++] = '.';
    memcpy(out + length, digits + 1, count - 1);
    length += count - 1;
  }
  out[length++] = 'e';
  return length + mr_json_write_integer(out + length, point - 1);
}

static size_t write_fixed(char *out, const char *digits, size_t count, int64_t point) {
  if (point <= 0) {
    size_t zeros = (size_t)-point;
    out[0] = '0';
    out[1] = '.';
    memset(out + 2, '0', zeros);
    memcpy(out + 2 + zeros, digits, count);
    return 2 + zeros + count;
  }
  size_t whole = (size_t)point;
  if (whole >= count) {
    memcpy(out, digits, count);
    memset(out + count, '0', whole - count);
    return whole;
  }
  memcpy(out, digits, whole);
  out[whole] = '.';
  memcpy(out + whole + 1, digits + whole, count - whole);
  return count + 1;
}

static size_t write_shortest(char *out, double value) {
  struct mr_decimal decimal = mr_double_to_decimal(value);
  while (decimal.digits % 10 == 0) {
    decimal.digits /= 10;
    decimal.exponent++;
  }
  char digits[20];
  size_t count = write_unsigned(digits, decimal.digits);
  int64_t point = (int64_t)count + decimal.exponent;
  return point < LEAST_POINT ? write_scientific(out, digits, count, point)
                             : write_fixed(out, digits, count, point);
}

size_t mr_json_write_double(char *out, double value) {
  size_t sign = signbit(value) ? 1 : 0;
  double magnitude = fabs(value);
  out[0] = '-';
  if (magnitude < 0x1p63 && magnitude == (double)(uint64_t)magnitude)
    return sign + write_unsigned(out + sign, (uint64_t)magnitude);
  return sign + write_shortest(out + sign, magnitude);
}

/* }====== */
