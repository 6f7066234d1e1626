/*
** The input is a base URL and a reference, separated by a line feed. What comes
** out must be a URL again, and must come out the same a second time; what is
** encoded must stay in its place.
*/
#include <stdlib.h>
#include <string.h>

#include "core/url.h"

static void check(bool holds) {
  if (!holds) abort();
}

static void check_origin(const struct mr_url *url) {
  struct mr_buffer origin;
  struct mr_url again;
  mr_buffer_init(&origin, 2 * MR_URL_MAX);
  check(mr_url_origin(url, &origin) == MR_NONE);
  check(mr_url_parse(origin.data, origin.size, &again, NULL) == MR_NONE);
  check(mr_url_same_origin(url, &again));
  check(mr_url_is_loopback(url) == mr_url_is_loopback(&again));
  mr_buffer_free(&origin);
}

static void check_resolved(const struct mr_buffer *once) {
  struct mr_url url;
  struct mr_buffer twice;
  mr_buffer_init(&twice, 2 * MR_URL_MAX);
  check(mr_url_parse(once->data, once->size, &url, NULL) == MR_NONE);
  check_origin(&url);
  check(mr_url_resolve(once->data, once->size, "", 0, &twice, NULL) == MR_NONE);
  check(twice.size == once->size && memcmp(twice.data, once->data, once->size) == 0);
  mr_buffer_free(&twice);
}

static void check_segment(const char *text, size_t size) {
  struct mr_buffer url, plain;
  mr_buffer_init(&url, SIZE_MAX);
  mr_buffer_init(&plain, SIZE_MAX);
  mr_buffer_text(&url, "https://a/b/");
  if (mr_url_segment(&url, text, size) == MR_NONE && url.size < MR_URL_MAX) {
    check(strpbrk(url.data + 12, "/?# \\\"<>") == NULL);
    mr_buffer_text(&url, "/");
    check(mr_url_resolve(url.data, url.size, ".", 1, &plain, NULL) == MR_NONE);
    check(plain.size == url.size && memcmp(plain.data, url.data, url.size) == 0);
  }
  mr_buffer_clear(&url);
  mr_url_segments(&url, text, size);
  mr_buffer_clear(&url);
  mr_url_query(&url, text, size);
  mr_buffer_free(&url);
  mr_buffer_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  const char *line_end = size > 0 ? memchr(text, '\n', size) : NULL;
  if (!line_end) return 0;
  size_t base_size = (size_t)(line_end - text);
  const char *reference = line_end + 1;
  size_t reference_size = size - base_size - 1;
  struct mr_buffer out;
  struct mr_error error;
  mr_buffer_init(&out, 2 * MR_URL_MAX);
  if (mr_url_resolve(text, base_size, reference, reference_size, &out, &error) == MR_NONE)
    check_resolved(&out);
  else
    check(out.size == 0 && error.message[0] != '\0');
  check_segment(reference, reference_size);
  mr_buffer_free(&out);
  return 0;
}

/* So that the first inputs are not all refused for want of "http://". */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  static const char start[] = "https://a:1/b/../c?d\n//e/./f?g#h";
  const size_t start_size = sizeof(start) - 1;
  if (seed % 50 == 0 && max_size >= start_size) {
    memcpy(data, start, start_size);
    size = start_size;
  }
  return LLVMFuzzerMutate(data, size, max_size);
}
