/*
** Values of response fields. Readers move a cursor over the text; a reader that
** fails returns false, and then the whole value is garbage.
*/
#include "header.h"

#include <string.h>

#include "ascii.h"
#include "clock.h"

#define COUNT_MAX   (INT64_C(1) << 53)     /* exact in a double, too */
#define SECONDS_MAX INT64_C(1000000000000) /* more is cut to this: its microseconds still fit */
#define YEAR_US     (INT64_C(365) * 86400 * MR_SECOND)

struct cursor {
  const char *at, *end;
};

static struct cursor cursor_over(struct mr_slice text) {
  /* An absent value has no pointer; "" gives it one that may be compared. */
  const char *data = text.data ? text.data : "";
  return (struct cursor){data, data + text.size};
}

static bool at_end(const struct cursor *text) {
  return text->at == text->end;
}

static bool looking_at(const struct cursor *text, char c) {
  return text->at < text->end && *text->at == c;
}

static bool take(struct cursor *text, char c) {
  if (!looking_at(text, c)) return false;
  text->at++;
  return true;
}

static void skip_blanks(struct cursor *text) {
  while (looking_at(text, ' ') || looking_at(text, '\t'))
    text->at++;
}

/* For sets of some four characters a call of strchr takes longer. */
static inline bool is_among(char c, const char *set) {
  while (*set && *set != c)
    set++;
  return *set;
}

/* Everything up to one of 'stops'. */
static struct mr_slice take_until(struct cursor *text, const char *stops) {
  const char *from = text->at;
  while (text->at < text->end && !is_among(*text->at, stops))
    text->at++;
  return (struct mr_slice){from, (size_t)(text->at - from)};
}

static bool slice_is(struct mr_slice slice, const char *text) {
  return mr_ascii_same(slice.data, slice.size, text, strlen(text));
}

/* The text between two double quotes, backslashes still in it. */
static bool take_quoted(struct cursor *text, struct mr_slice *inside) {
  if (!take(text, '"')) return false;
  const char *from = text->at;
  for (; text->at < text->end; text->at++) {
    if (*text->at == '"') {
      *inside = (struct mr_slice){from, (size_t)(text->at - from)};
      text->at++;
      return true;
    }
    if (*text->at == '\\' && text->end - text->at > 1) text->at++;
  }
  return false;
}

/* {====== Numbers ====== */

/* At least one digit; what is over 'maximum' is 'maximum' + 1. */
static bool take_digits(struct cursor *text, int64_t maximum, int64_t *out) {
  const char *from = text->at;
  int64_t number = 0;
  for (; text->at < text->end && mr_ascii_is_digit(*text->at); text->at++)
    if (number <= maximum) number = number * 10 + (*text->at - '0');
  *out = number <= maximum ? number : maximum + 1;
  return text->at > from;
}

static bool take_count(struct cursor *text, int64_t *out) {
  return take_digits(text, COUNT_MAX, out) && *out <= COUNT_MAX;
}

bool mr_header_count(struct mr_slice value, int64_t *out) {
  struct cursor text = cursor_over(value);
  int64_t count;
  if (!take_count(&text, &count) || !at_end(&text)) return false;
  *out = count;
  return true;
}

/* "30" or "0.25". Digits behind the sixth are dropped. */
static bool take_seconds(struct cursor *text, int64_t *out_us) {
  int64_t seconds, fraction_us = 0;
  if (!take_digits(text, SECONDS_MAX, &seconds)) return false;
  if (take(text, '.')) {
    const char *from = text->at;
    int64_t unit_us = MR_SECOND;
    for (; text->at < text->end && mr_ascii_is_digit(*text->at); text->at++)
      fraction_us += (unit_us /= 10) * (*text->at - '0');
    if (text->at == from) return false;
  }
  *out_us = (seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * MR_SECOND + fraction_us;
  return true;
}

/* }====== */

/* {====== Dates ====== */

struct date {
  int64_t year, month, day, hour, minute, second; /* month and day from 1 */
};

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool take_two_digits(struct cursor *text, int64_t *out) {
  if (text->end - text->at < 2 || !mr_ascii_is_digit(text->at[0]) ||
      !mr_ascii_is_digit(text->at[1]))
    return false;
  *out = (text->at[0] - '0') * 10 + (text->at[1] - '0');
  text->at += 2;
  return true;
}

static bool take_year(struct cursor *text, int64_t *year) {
  int64_t century, rest;
  if (!take_two_digits(text, &century) || !take_two_digits(text, &rest)) return false;
  *year = century * 100 + rest;
  return true;
}

static bool take_month(struct cursor *text, int64_t *month) {
  if (text->end - text->at < 3) return false;
  for (int64_t i = 0; i < 12; i++)
    if (mr_ascii_same(text->at, 3, month_names + 3 * i, 3)) {
      text->at += 3;
      *month = i + 1;
      return true;
    }
  return false;
}

/* The name must be one, but not that of the date: nothing hangs on it. */
static bool take_weekday(struct cursor *text) {
  static const char *const names[] = {"Sun",       "Mon",      "Tue",    "Wed",     "Thu",
                                      "Fri",       "Sat",      "Sunday", "Monday",  "Tuesday",
                                      "Wednesday", "Thursday", "Friday", "Saturday"};
  struct mr_slice name = take_until(text, ", ");
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (slice_is(name, names[i])) return true;
  return false;
}

static bool take_time(struct cursor *text, struct date *date) {
  return take_two_digits(text, &date->hour) && take(text, ':') &&
         take_two_digits(text, &date->minute) && take(text, ':') &&
         take_two_digits(text, &date->second);
}

/* "Nov  6 08:49:37 1994" */
static bool take_asctime(struct cursor *text, struct date *date) {
  if (!take_month(text, &date->month) || !take(text, ' ')) return false;
  if (take(text, ' ')) {
    if (at_end(text) || !mr_ascii_is_digit(*text->at)) return false;
    date->day = *text->at++ - '0';
  } else if (!take_two_digits(text, &date->day)) {
    return false;
  }
  return take(text, ' ') && take_time(text, date) && take(text, ' ') &&
         take_year(text, &date->year);
}

/* "06 Nov 1994 08:49:37 GMT" or, of RFC 850, "06-Nov-94 08:49:37 GMT". Two digits of a year are
** read as in POSIX: 70 to 99 belong to the last century. */
static bool take_fixed_date(struct cursor *text, struct date *date) {
  if (!take_two_digits(text, &date->day) || at_end(text)) return false;
  char separator = *text->at++;
  if ((separator != ' ' && separator != '-') || !take_month(text, &date->month) ||
      !take(text, separator))
    return false;
  if (separator == ' ') {
    if (!take_year(text, &date->year)) return false;
  } else {
    if (!take_two_digits(text, &date->year)) return false;
    date->year += date->year < 70 ? 2000 : 1900;
  }
  return take(text, ' ') && take_time(text, date) && take(text, ' ') &&
         slice_is(take_until(text, ""), "GMT");
}

static bool is_leap_year(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool is_date(const struct date *date) {
  static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  int64_t last = days[date->month - 1] + (date->month == 2 && is_leap_year(date->year) ? 1 : 0);
  return date->year >= 1 && date->day >= 1 && date->day <= last && date->hour <= 23 &&
         date->minute <= 59 &&
         date->second <= 60; /* a leap second is the first one of the next minute */
}

/* Days since 1970-01-01, for years from 1. They begin in March here: the leap day comes last. */
static int64_t days_from_date(const struct date *date) {
  int64_t year = date->month > 2 ? date->year : date->year - 1;
  int64_t month = (date->month + 9) % 12; /* March is 0 */
  int64_t before = year * 365 + year / 4 - year / 100 + year / 400;
  return before + (153 * month + 2) / 5 + date->day - 1 - 719468;
}

bool mr_header_date(struct mr_slice value, int64_t *out_us) {
  struct cursor text = cursor_over(value);
  struct date date = {0};
  if (!take_weekday(&text)) return false;
  bool fixed = take(&text, ',');
  if (!take(&text, ' ')) return false;
  if (!(fixed ? take_fixed_date(&text, &date) : take_asctime(&text, &date))) return false;
  if (!at_end(&text) || !is_date(&date)) return false;
  int64_t minutes = (days_from_date(&date) * 24 + date.hour) * 60 + date.minute;
  *out_us = (minutes * 60 + date.second) * MR_SECOND;
  return true;
}

bool mr_header_retry_after(struct mr_slice value, int64_t now_wall_us, int64_t *out_us) {
  struct cursor text = cursor_over(value);
  int64_t delay_us, date_us;
  if (take_seconds(&text, &delay_us)) {
    if (!at_end(&text)) return false;
  } else {
    if (!mr_header_date(value, &date_us)) return false;
    delay_us = date_us > now_wall_us ? date_us - now_wall_us : 0;
  }
  *out_us = delay_us < YEAR_US ? delay_us : YEAR_US;
  return true;
}

/* }====== */

/* {====== Lists with parameters ====== */

/* ";name=value" or ";name", white space around each part. 'value' is what stands between quotes,
** if there are any. */
static bool take_parameter(struct cursor *text, struct mr_slice *name, struct mr_slice *value) {
  if (!take(text, ';')) return false;
  skip_blanks(text);
  *name = take_until(text, "=;, \t\"");
  *value = (struct mr_slice){text->at, 0};
  skip_blanks(text);
  if (!take(text, '=')) return true;
  skip_blanks(text);
  if (looking_at(text, '"')) {
    if (!take_quoted(text, value)) return false;
  } else {
    *value = take_until(text, ";, \t\"");
  }
  skip_blanks(text);
  return true;
}

/* Whether a list separated by white space has that word. */
static bool has_word(struct mr_slice list, const char *word) {
  struct cursor text = cursor_over(list);
  while (!at_end(&text)) {
    if (slice_is(take_until(&text, " \t"), word)) return true;
    skip_blanks(&text);
  }
  return false;
}

/* Only a link's first rel counts (RFC 8288 section 3.3). */
static bool take_link(struct cursor *text, const char *rel, struct mr_slice *target, bool *found) {
  if (!take(text, '<')) return false;
  *target = take_until(text, ">");
  if (!take(text, '>')) return false;
  *found = false;
  bool seen = false;
  skip_blanks(text);
  while (looking_at(text, ';')) {
    struct mr_slice name, value;
    if (!take_parameter(text, &name, &value)) return false;
    if (!seen && slice_is(name, "rel")) {
      seen = true;
      *found = has_word(value, rel);
    }
  }
  return at_end(text) || looking_at(text, ',');
}

/* Lists may have empty elements (RFC 9110 section 5.6.1.2). */
static void skip_commas(struct cursor *text) {
  do
    skip_blanks(text);
  while (take(text, ','));
}

bool mr_header_link(struct mr_slice value, const char *rel, struct mr_slice *target) {
  struct cursor text = cursor_over(value);
  for (skip_commas(&text); !at_end(&text); skip_commas(&text)) {
    struct mr_slice link;
    bool found;
    if (!take_link(&text, rel, &link, &found)) return false;
    if (found) {
      *target = link;
      return true;
    }
  }
  return false;
}

static bool slice_seconds(struct mr_slice value, int64_t *out_us) {
  struct cursor text = cursor_over(value);
  int64_t duration_us;
  if (!take_seconds(&text, &duration_us) || !at_end(&text)) return false;
  *out_us = duration_us;
  return true;
}

/* Parameters of other names are none of our business. */
static bool set_parameter(struct mr_rate_item *item, struct mr_slice name, struct mr_slice value) {
  if (slice_is(name, "q") || slice_is(name, "limit")) return mr_header_count(value, &item->quota);
  if (slice_is(name, "r") || slice_is(name, "remaining"))
    return mr_header_count(value, &item->remaining);
  if (slice_is(name, "w")) return slice_seconds(value, &item->window_us);
  if (slice_is(name, "t") || slice_is(name, "reset")) return slice_seconds(value, &item->reset_us);
  return name.size > 0;
}

static bool take_parameters(struct cursor *text, struct mr_rate_item *item) {
  skip_blanks(text);
  while (looking_at(text, ';')) {
    struct mr_slice name, value;
    if (!take_parameter(text, &name, &value) || !set_parameter(item, name, value)) return false;
  }
  return at_end(text) || looking_at(text, ',');
}

static const struct mr_rate_item no_item = {
    .name = {"", 0}, .quota = -1, .window_us = -1, .remaining = -1, .reset_us = -1};

/* `"name";q=100` with the name as a string or token, or, in drafts before the name, `100;w=60`.
** One of q and r is required. */
static bool take_item(struct cursor *text, struct mr_rate_item *item) {
  *item = no_item;
  if (looking_at(text, '"')) {
    if (!take_quoted(text, &item->name)) return false;
  } else {
    item->name = take_until(text, ";, \t\"=");
    if (item->name.size == 0) return false;
    if (mr_header_count(item->name, &item->quota)) item->name = no_item.name;
  }
  return take_parameters(text, item) && (item->quota >= 0 || item->remaining >= 0);
}

/* `limit=100, remaining=50, reset=30` is one item in three members. */
static bool take_member(struct cursor *text, struct mr_rate_item *item) {
  struct mr_slice name = take_until(text, "=;, \t\"");
  skip_blanks(text);
  if (!take(text, '=')) return false;
  skip_blanks(text);
  struct mr_slice value = take_until(text, ";, \t\"");
  return set_parameter(item, name, value) && take_parameters(text, item);
}

typedef void visitor(void *context, const struct mr_rate_item *item);

/* Reads all of the list, and shows its items when there is somebody to see them. */
static bool read_items(struct mr_slice value, visitor *visit, void *context) {
  struct cursor text = cursor_over(value);
  bool found = false;
  for (skip_commas(&text); !at_end(&text); skip_commas(&text)) {
    struct mr_rate_item item;
    if (!take_item(&text, &item)) return false;
    found = true;
    if (visit) visit(context, &item);
  }
  return found;
}

static bool read_members(struct mr_slice value, struct mr_rate_item *item) {
  struct cursor text = cursor_over(value);
  *item = no_item;
  for (skip_commas(&text); !at_end(&text); skip_commas(&text))
    if (!take_member(&text, item)) return false;
  return item->quota >= 0 || item->remaining >= 0 || item->reset_us >= 0;
}

/* Nothing of a list is shown before all of it was read: one bad member spoils it (RFC 9651
** section 4.2). */
bool mr_header_rate_items(struct mr_slice value, void (*visit)(void *, const struct mr_rate_item *),
                          void *context) {
  struct mr_rate_item item;
  if (read_items(value, NULL, NULL)) return read_items(value, visit, context);
  if (!read_members(value, &item)) return false;
  visit(context, &item);
  return true;
}

/* }====== */

/* {====== Media types ====== */

static struct mr_slice take_media_type(struct cursor *text) {
  skip_blanks(text);
  struct mr_slice type = take_until(text, "; \t,");
  skip_blanks(text);
  return type;
}

bool mr_header_is_json(struct mr_slice content_type) {
  struct cursor text = cursor_over(content_type);
  struct mr_slice type = take_media_type(&text);
  if (slice_is(type, "application/json") || slice_is(type, "text/json")) return true;
  static const char suffix[] = "+json";
  const size_t size = sizeof(suffix) - 1;
  return type.size > size && memchr(type.data, '/', type.size) &&
         mr_ascii_same(type.data + type.size - size, size, suffix, size);
}

/* }====== */
