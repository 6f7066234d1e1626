/*
** Exact conversion between decimal numbers and doubles, without the C
** library's locale: rounded to nearest, ties to even, in both directions.
*/
#ifndef MR_JSON_FLOAT_H
#define MR_JSON_FLOAT_H

#include <stddef.h>
#include <stdint.h>

/* Digits that always fit into mr_decimal.digits. */
#define MR_DECIMAL_DIGITS 19

/* Most digits that mr_long_decimal_to_double takes. */
#define MR_LONG_DECIMAL_DIGITS 2048

struct mr_decimal {
  uint64_t digits;
  int64_t exponent; /* the value is digits * 10^exponent */
};

/* Infinity when the value is too large for a double, 0 when it is too small. */
double mr_decimal_to_double(struct mr_decimal decimal);

/* The same for more than 19 digits: 'text' holds 'size' bytes, all digits but for at most one
** point that is skipped, the first digit not 0, at most MR_LONG_DECIMAL_DIGITS of them. All digits
** together, read as one integer, times 10^exponent are the value. */
double mr_long_decimal_to_double(const char *text, size_t size, int64_t exponent);

/* The shortest decimal that reads back as 'value', and of those the nearest. 'value' must be
** finite and above zero. The digits may end in zeros. */
struct mr_decimal mr_double_to_decimal(double value);

#endif
