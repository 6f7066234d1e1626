/*
** The first byte chooses a reader, the rest is its input: the lines of a header,
** or one value. Slices must lie inside the value, numbers inside their bounds.
*/
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/header.h"

#define UNTOUCHED INT64_C(-77)

static void check(bool holds) {
  if (!holds) abort();
}

static void check_inside(struct mr_slice outer, struct mr_slice inner) {
  if (inner.size > 0)
    check(inner.data >= outer.data && inner.data + inner.size <= outer.data + outer.size);
}

static void read_lines(struct mr_slice input) {
  struct mr_headers headers;
  mr_headers_init(&headers);
  const char *at = input.data, *end = input.data + input.size;
  while (at < end) {
    const char *line_end = memchr(at, '\n', (size_t)(end - at));
    const char *next = line_end ? line_end + 1 : end;
    uint32_t count = headers.count;
    if (mr_headers_add(&headers, at, (size_t)(next - at)) != MR_NONE) check(headers.count == count);
    at = next;
  }
  for (uint32_t i = 0; i < headers.count; i++) {
    struct mr_slice name = mr_headers_name(&headers, i), value = mr_headers_value(&headers, i);
    check(mr_header_name_ok(name.data, name.size));
    check(mr_header_value_ok(value.data, value.size));
  }
  mr_headers_get(&headers, "link");
  mr_headers_free(&headers);
}

static void read_date(struct mr_slice input) {
  const int64_t year_us = INT64_C(365) * 86400 * MR_SECOND;
  int64_t date_us = UNTOUCHED, delay_us = UNTOUCHED, count = UNTOUCHED;
  check(mr_header_date(input, &date_us) == (date_us != UNTOUCHED));
  if (mr_header_retry_after(input, date_us, &delay_us))
    check(delay_us >= 0 && delay_us <= year_us);
  else
    check(delay_us == UNTOUCHED);
  if (mr_header_count(input, &count)) check(count >= 0 && count <= INT64_C(1) << 53);
}

static void read_link(struct mr_slice input) {
  struct mr_slice target = {NULL, 0};
  if (mr_header_link(input, "next", &target)) {
    check(target.data != NULL);
    check_inside(input, target);
  }
}

struct items {
  struct mr_slice input;
  size_t count;
};

static void see_item(void *context, const struct mr_rate_item *item) {
  struct items *items = context;
  items->count++;
  check_inside(items->input, item->name);
  check(item->quota >= -1 && item->remaining >= -1);
  check(item->window_us >= -1 && item->reset_us >= -1);
}

static void read_rate_items(struct mr_slice input) {
  struct items items = {input, 0};
  check(mr_header_rate_items(input, see_item, &items) == (items.count > 0));
}

static void read_media_type(struct mr_slice input) {
  mr_header_is_json(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const readers[])(struct mr_slice) = {read_lines, read_date, read_link,
                                                     read_rate_items, read_media_type};
  if (size == 0) return 0;
  readers[data[0] % 5]((struct mr_slice){(const char *)data + 1, size - 1});
  return 0;
}

/* A good example of each, so that dates need not be found by chance. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  static const char *const examples[] = {
      "\005Link: <a>\r\n folded\r\nX: y\r\n",
      "\006Sun, 06 Nov 1994 08:49:37 GMT",
      "\006Sunday, 06-Nov-94 08:49:37 GMT",
      "\006Sun Nov  6 08:49:37 1994",
      "\007<a>; rel=\"prev next\"; title=\"\\\"\", <b>; rel=last",
      "\010\"a\";q=1;w=2, \"b\";r=3;t=4.5",
      "\010limit=100, remaining=50, reset=30",
      "\011text/plain; charset=\"utf-8\"",
  };
  const char *example = examples[seed / 50 % 8];
  size_t example_size = strlen(example);
  if (seed % 50 == 0 && max_size >= example_size) {
    memcpy(data, example, example_size);
    size = example_size;
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
