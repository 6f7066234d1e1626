#include "failing_allocator.h"

#include <stdio.h>
#include <time.h>

#include "core/clock.h"
#include "core/header.h"

#define UNTOUCHED       INT64_C(-77)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct mr_slice slice(const char *text) {
  return (struct mr_slice){text, strlen(text)};
}

static const struct mr_slice absent = {NULL, 0};

static void assert_slice(struct mr_slice found, const char *expected) {
  assert_non_null(found.data);
  assert_int_equal(found.size, strlen(expected));
  assert_memory_equal(found.data, expected, found.size);
}

/* In seconds; UNTOUCHED for garbage. */
static int64_t date(const char *text) {
  int64_t out_us = UNTOUCHED;
  bool ok = mr_header_date(slice(text), &out_us);
  assert_int_equal(ok, out_us != UNTOUCHED);
  return ok ? out_us / MR_SECOND : UNTOUCHED;
}

static void test_the_three_forms_of_a_date(void **state) {
  (void)state;
  assert_int_equal(date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  assert_int_equal(date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
  assert_int_equal(date("Sun Nov  6 08:49:37 1994"), 784111777);
  assert_int_equal(date("Wed Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
  assert_int_equal(date("sun, 06 NOV 1994 08:49:37 gmt"), 784111777);
}

static void test_dates_at_the_edges(void **state) {
  (void)state;
  assert_int_equal(date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  assert_int_equal(date("Wed, 31 Dec 1969 23:59:59 GMT"), -1);
  assert_int_equal(date("Thu, 29 Feb 2024 12:00:00 GMT"), 1709208000);
  assert_int_equal(date("Tue, 29 Feb 2000 00:00:00 GMT"), 951782400);
  assert_int_equal(date("Sat, 31 Dec 2016 23:59:60 GMT"), 1483228800);
  assert_int_equal(date("Fri, 31 Dec 9999 23:59:59 GMT"), INT64_C(253402300799));
  assert_int_equal(date("Mon, 01 Jan 0001 00:00:00 GMT"), -INT64_C(62135596800));
  assert_int_equal(date("Friday, 01-Jan-70 00:00:00 GMT"), 0);
  assert_int_equal(date("Friday, 01-Jan-69 00:00:00 GMT"), INT64_C(3124224000));
}

/* Every day of 130 years, against the C library's arithmetic. */
static void test_dates_against_timegm(void **state) {
  (void)state;
  static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  for (time_t day = -70 * 365; day < 60 * 366; day++) {
    time_t moment = day * 86400 + 3661;
    struct tm parts;
    gmtime_r(&moment, &parts);
    char text[64];
    snprintf(text, sizeof(text), "Mon, %02d %s %04d %02d:%02d:%02d GMT", parts.tm_mday,
             months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
    assert_int_equal(date(text), moment);
  }
}

static void test_dates_that_are_none(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      "now",
      "Sun",
      "Sun,",
      "Sun, 06",
      "Sun, 06 Nov 1994 08:49:37",
      "Sun, 06 Nov 1994 08:49:37 UTC",
      "Sun, 06 Nov 1994 08:49:37 GMT ",
      "Sun, 06 Nov 1994 08:49:37 +0000",
      "Sun, 06 Nov 1994 24:00:00 GMT",
      "Sun, 06 Nov 1994 08:60:00 GMT",
      "Sun, 06 Nov 1994 08:49:61 GMT",
      "Sun, 31 Nov 1994 08:49:37 GMT",
      "Sun, 00 Nov 1994 08:49:37 GMT",
      "Sun, 29 Feb 2023 08:49:37 GMT",
      "Sun, 29 Feb 1900 08:49:37 GMT",
      "Sun, 06 Nov 0000 08:49:37 GMT",
      "Sun, 06 Nov 94 08:49:37 GMT",
      "Sun, 06-Nov-1994 08:49:37 GMT",
      "Sun, 06/Nov/94 08:49:37 GMT",
      "Sun, 06 Nov-1994 08:49:37 GMT",
      "Sun, 6 Nov 1994 08:49:37 GMT",
      "Sun, 06 Foo 1994 08:49:37 GMT",
      "Sun, 06 ovD 1994 08:49:37 GMT",
      "Xyz, 06 Nov 1994 08:49:37 GMT",
      "Sun 06 Nov 1994 08:49:37 GMT",
      "Sun,06 Nov 1994 08:49:37 GMT",
      "Sun Nov 6 08:49:37 1994",
      "Sun Nov  6 08:49:37 1994 GMT",
      "Sun Nov  x 08:49:37 1994",
      "Sun Nov ",
      "Sun Nov  ",
      "1994-11-06T08:49:37Z",
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    if (date(bad[i]) != UNTOUCHED) fail_msg("\"%s\" is no date", bad[i]);
  int64_t out = UNTOUCHED;
  assert_false(mr_header_date(absent, &out));
  assert_int_equal(out, UNTOUCHED);
}

static int64_t retry_after(const char *text) {
  int64_t now_us = INT64_C(784111777) * MR_SECOND, out_us = UNTOUCHED;
  mr_header_retry_after(slice(text), now_us, &out_us);
  return out_us;
}

static void test_retry_after(void **state) {
  (void)state;
  const int64_t year_us = INT64_C(365) * 86400 * MR_SECOND;
  assert_int_equal(retry_after("0"), 0);
  assert_int_equal(retry_after("120"), 120 * MR_SECOND);
  assert_int_equal(retry_after("0.25"), 250000);
  assert_int_equal(retry_after("1.0000019"), MR_SECOND + 1);
  assert_int_equal(retry_after("31536000"), year_us);
  assert_int_equal(retry_after("31536000.1"), year_us);
  assert_int_equal(retry_after("99999999999999999999999999"), year_us);
  assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:40 GMT"), 3 * MR_SECOND);
  assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), 0);
  assert_int_equal(retry_after("Sun, 06 Nov 1994 08:49:00 GMT"), 0);
  assert_int_equal(retry_after("Fri, 31 Dec 9999 23:59:59 GMT"), year_us);
  static const char *const bad[] = {"",   "-1",    "+1",   "1s",  "1 2", "1.",
                                    ".5", "1.2.3", "0x10", "1e3", "inf", "soon"};
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    assert_int_equal(retry_after(bad[i]), UNTOUCHED);
}

static int64_t count(const char *text) {
  int64_t out = UNTOUCHED;
  mr_header_count(slice(text), &out);
  return out;
}

static void test_count(void **state) {
  (void)state;
  assert_int_equal(count("0"), 0);
  assert_int_equal(count("007"), 7);
  assert_int_equal(count("9007199254740992"), INT64_C(1) << 53);
  static const char *const bad[] = {"",
                                    "-1",
                                    "+1",
                                    " 1",
                                    "1 ",
                                    "1.0",
                                    "0x1",
                                    "9007199254740993",
                                    "9223372036854775808",
                                    "99999999999999999999999"};
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    assert_int_equal(count(bad[i]), UNTOUCHED);
  int64_t out = UNTOUCHED;
  assert_false(mr_header_count(absent, &out));
}

static void assert_link(const char *value, const char *rel, const char *expected) {
  struct mr_slice target = {"untouched", 9};
  bool found = mr_header_link(slice(value), rel, &target);
  if (found != (expected != NULL)) fail_msg("%s", value);
  assert_slice(target, expected ? expected : "untouched");
}

static void test_link(void **state) {
  (void)state;
  assert_link("<https://a/?page=2>; rel=\"next\"", "next", "https://a/?page=2");
  assert_link("<?p=1>; rel=\"prev\", <?p=3>; rel=\"next\", <?p=9>; rel=\"last\"", "next", "?p=3");
  assert_link("<?p=1>;rel=prev,<?p=3>;rel=next", "next", "?p=3");
  assert_link("<a,b;c>; rel=next", "next", "a,b;c");
  assert_link("<a>; title=\"x, <y>; rel=next\"; rel=\"last\", <b>; rel=next", "next", "b");
  assert_link("<a>; title=\"\\\"; rel=x\"; rel=next", "next", "a");
  assert_link("<a>; rel=\"last  next\tfirst\"", "next", "a");
  assert_link("<a> ; REL = \"NEXT\" ; title*=UTF-8''x", "next", "a");
  assert_link("<a>; rel=last; rel=next", "next", NULL);
  assert_link("<a>; foo; rel=next", "next", "a");
  assert_link(" , <a>; rel=next, ", "next", "a");
  assert_link("<>; rel=next", "next", "");
  assert_link("<a>; rel=next, broken", "next", "a");
  static const char *const none[] = {"",
                                     ",",
                                     "<a>",
                                     "<a",
                                     "a; rel=next",
                                     "<a>; rel=nextpage",
                                     "<a>; rel=\"next",
                                     "<a> rel=next",
                                     "<a>; rel=\"\"",
                                     "<a>; rel",
                                     "broken, <a>; rel=next",
                                     "<a>; rel=\"x\\"};
  for (size_t i = 0; i < COUNT_OF(none); i++)
    assert_link(none[i], "next", NULL);
  struct mr_slice target;
  assert_false(mr_header_link(absent, "next", &target));
}

struct seen {
  struct mr_rate_item items[8];
  size_t count;
};

static void see(void *context, const struct mr_rate_item *item) {
  struct seen *seen = context;
  assert_true(seen->count < COUNT_OF(seen->items));
  seen->items[seen->count++] = *item;
}

static struct seen rate(const char *value) {
  struct seen seen = {.count = 0};
  bool ok = mr_header_rate_items(slice(value), see, &seen);
  assert_int_equal(ok, seen.count > 0);
  return seen;
}

static void assert_item(const struct mr_rate_item *item, const char *name, int64_t quota,
                        int64_t window_s, int64_t remaining, int64_t reset_s) {
  assert_slice(item->name, name);
  assert_int_equal(item->quota, quota);
  assert_int_equal(item->window_us, window_s < 0 ? -1 : window_s * MR_SECOND);
  assert_int_equal(item->remaining, remaining);
  assert_int_equal(item->reset_us, reset_s < 0 ? -1 : reset_s * MR_SECOND);
}

static void test_rate_items(void **state) {
  (void)state;
  struct seen seen = rate("\"default\";r=50;t=30");
  assert_int_equal(seen.count, 1);
  assert_item(&seen.items[0], "default", -1, -1, 50, 30);
  seen = rate("\"burst\";q=100;w=60, \"daily\";q=1000;w=86400;qu=\"requests\";pk=:cHM=:");
  assert_int_equal(seen.count, 2);
  assert_item(&seen.items[0], "burst", 100, 60, -1, -1);
  assert_item(&seen.items[1], "daily", 1000, 86400, -1, -1);
  seen = rate("\"a,;b\\\"c\" ; r=0 ; t=0 , token;r=1");
  assert_int_equal(seen.count, 2);
  assert_item(&seen.items[0], "a,;b\\\"c", -1, -1, 0, 0);
  assert_item(&seen.items[1], "token", -1, -1, 1, -1);
}

static void test_rate_items_of_older_drafts(void **state) {
  (void)state;
  struct seen seen = rate("limit=100, remaining=50, reset=30");
  assert_int_equal(seen.count, 1);
  assert_item(&seen.items[0], "", 100, -1, 50, 30);
  seen = rate("limit=100;w=60,remaining=0");
  assert_item(&seen.items[0], "", 100, 60, 0, -1);
  seen = rate("100;w=60, 1000;w=3600");
  assert_int_equal(seen.count, 2);
  assert_item(&seen.items[0], "", 100, 60, -1, -1);
  assert_item(&seen.items[1], "", 1000, 3600, -1, -1);
}

static void test_rate_items_that_are_garbage(void **state) {
  (void)state;
  static const char *const bad[] = {
      "",
      ",",
      "hello",
      "\"name\"",
      "\"name\";t=5",
      "\"a\";r=1, \"b\";r=-1",
      "\"a\";r=1, \"b",
      "\"a\";r=x",
      "\"a\";r=",
      "\"a\";r=1.5",
      "\"a\";r=1 \"b\";r=1",
      "\"a\";;r=1",
      "\"a\";r=99999999999999999999",
      "limit=100, remaining",
      "limit=x",
      "limit=100 remaining=50",
      "foo=1",
      "limit",
      "=5",
      "\"a\";r=1;t=-5",
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++)
    if (rate(bad[i]).count != 0) fail_msg("%s", bad[i]);
  struct seen seen = {.count = 0};
  assert_false(mr_header_rate_items(absent, see, &seen));
}

static void test_is_json(void **state) {
  (void)state;
  static const char *const yes[] = {
      "application/json",         "APPLICATION/JSON; charset=utf-8", "text/json",
      "application/problem+json", "application/vnd.api+json ;v=1",   " application/json"};
  static const char *const no[] = {"",
                                   "text/html",
                                   "application/jsonp",
                                   "application/json-seq",
                                   "json",
                                   "+json",
                                   "x+json",
                                   "text/html; x=application/json",
                                   "application/x-ndjson",
                                   "application/xjson"};
  for (size_t i = 0; i < COUNT_OF(yes); i++)
    assert_true(mr_header_is_json(slice(yes[i])));
  for (size_t i = 0; i < COUNT_OF(no); i++)
    assert_false(mr_header_is_json(slice(no[i])));
  assert_false(mr_header_is_json(absent));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_three_forms_of_a_date),
      cmocka_unit_test(test_dates_at_the_edges),
      cmocka_unit_test(test_dates_against_timegm),
      cmocka_unit_test(test_dates_that_are_none),
      cmocka_unit_test(test_retry_after),
      cmocka_unit_test(test_count),
      cmocka_unit_test(test_link),
      cmocka_unit_test(test_rate_items),
      cmocka_unit_test(test_rate_items_of_older_drafts),
      cmocka_unit_test(test_rate_items_that_are_garbage),
      cmocka_unit_test(test_is_json),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
