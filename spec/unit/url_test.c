#include "failing_allocator.h"

#include <stdio.h>

#include "core/url.h"

static struct mr_url parse(const char *text) {
  struct mr_url url;
  struct mr_error error = {MR_NONE, ""};
  if (mr_url_parse(text, strlen(text), &url, &error) != MR_NONE)
    fail_msg("%s: %s", text, error.message);
  return url;
}

static void assert_slice(struct mr_slice slice, const char *expected) {
  assert_int_equal(slice.size, strlen(expected));
  assert_memory_equal(slice.data, expected, slice.size);
}

static void test_all_parts(void **state) {
  (void)state;
  struct mr_url url = parse("HTTPS://Api.Example.com:8443/v1/apps?limit=5&x=?/#part?");
  assert_slice(url.scheme, "HTTPS");
  assert_slice(url.host, "Api.Example.com");
  assert_int_equal(url.port, 8443);
  assert_slice(url.path, "/v1/apps");
  assert_slice(url.query, "limit=5&x=?/");
  assert_true(url.has_query);
  assert_true(url.https);
}

static void test_least_parts(void **state) {
  (void)state;
  struct mr_url url = parse("http://a");
  assert_int_equal(url.port, 80);
  assert_slice(url.path, "");
  assert_slice(url.query, "");
  assert_false(url.has_query);
  assert_false(url.https);
  url = parse("https://a?");
  assert_int_equal(url.port, 443);
  assert_slice(url.path, "");
  assert_true(url.has_query);
  assert_int_equal(parse("http://a:/").port, 80);
  assert_int_equal(parse("http://a:0443/").port, 443);
  assert_int_equal(parse("http://a:65535#/").port, 65535);
  assert_slice(parse("http://a/b#c?d").path, "/b");
}

static void test_ipv6(void **state) {
  (void)state;
  struct mr_url url = parse("http://[2001:db8::1]:8080/x");
  assert_slice(url.host, "2001:db8::1");
  assert_int_equal(url.port, 8080);
  assert_slice(parse("http://[::ffff:1.2.3.4]").host, "::ffff:1.2.3.4");
}

static void test_refused(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"", "scheme"},
      {"example.com/x", "scheme"},
      {"//example.com", "scheme"},
      {"1http://a", "scheme"},
      {"ftp://a/", "\"ftp\""},
      {"file:///etc/passwd", "\"file\""},
      {"httpss://a", "\"httpss\""},
      {"http:a", "//"},
      {"http:/a", "//"},
      {"http://", "no host"},
      {"http:///path", "no host"},
      {"http://:80/", "no host"},
      {"https://?q", "no host"},
      {"https://user:password@a/", "user information"},
      {"https://user@a/", "user information"},
      {"https://@a/", "user information"},
      {"http://a\\@b/", "user information"},
      {"http://a\\b/", "host name"},
      {"http://a%2eb/", "host name"},
      {"http://a..b/", "host name"},
      {"http://.a/", "host name"},
      {"http://b\xC3\xBC.de/", "xn--"},
      {"http://a:b/", "no number"},
      {"http://a:-1/", "no number"},
      {"http://a:80:90/", "no number"},
      {"http://a:0/", "out of range"},
      {"http://a:65536/", "out of range"},
      {"http://a:99999999999999999999/", "out of range"},
      {"http://[::1/", "IPv6"},
      {"http://[]/", "IPv6"},
      {"http://[12345::]/", "IPv6"},
      {"http://[::1%25eth0]/", "IPv6"},
      {"http://[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]/", "IPv6"},
      {"http://[::1]x/", "between"},
      {"http://a/b c", "byte 11"},
      {"http://a/\t", "control"},
      {"http://a/\r\nHost: b", "byte 10"},
      {"http://a/\x7F", "control"},
      {" http://a/", "byte 1"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct mr_url url = {.port = 7};
    struct mr_error error = {MR_NONE, ""};
    assert_int_equal(mr_url_parse(cases[i][0], strlen(cases[i][0]), &url, &error), MR_DECODE);
    assert_int_equal(error.kind, MR_DECODE);
    if (!strstr(error.message, cases[i][1]))
      fail_msg("\"%s\" gave \"%s\"", cases[i][0], error.message);
    assert_null(strstr(error.message, "password@"));
    assert_int_equal(url.port, 7);
  }
  struct mr_url url;
  assert_int_equal(mr_url_parse("http://a/\0", 10, &url, NULL), MR_DECODE);
}

static void test_longest(void **state) {
  (void)state;
  char text[MR_URL_MAX + 1];
  memset(text, 'x', sizeof(text));
  memcpy(text, "http://a/", 9);
  struct mr_url url;
  struct mr_error error;
  assert_int_equal(mr_url_parse(text, MR_URL_MAX, &url, &error), MR_NONE);
  assert_int_equal(url.path.size, MR_URL_MAX - 8);
  assert_int_equal(mr_url_parse(text, MR_URL_MAX + 1, &url, &error), MR_LIMIT);
  assert_non_null(strstr(error.message, "16385"));
}

static void test_longest_host(void **state) {
  (void)state;
  char text[7 + 256 + 1] = "http://";
  for (size_t i = 7; i < sizeof(text) - 1; i++)
    text[i] = i % 50 == 0 ? '.' : 'h';
  struct mr_url url;
  assert_int_equal(mr_url_parse(text, 7 + 255, &url, NULL), MR_NONE);
  assert_int_equal(mr_url_parse(text, 7 + 256, &url, NULL), MR_DECODE);
}

static bool same(const char *a, const char *b) {
  struct mr_url left = parse(a), right = parse(b);
  assert_int_equal(mr_url_same_origin(&right, &left), mr_url_same_origin(&left, &right));
  return mr_url_same_origin(&left, &right);
}

static void test_same_origin(void **state) {
  (void)state;
  assert_true(same("https://a.example/x", "HTTPS://A.Example:443/y?z"));
  assert_true(same("http://[::1]:80", "http://[::1]/"));
  assert_false(same("https://a.example", "http://a.example"));
  assert_false(same("https://a.example:443", "http://a.example:443"));
  assert_false(same("https://a.example", "https://a.example:444"));
  assert_false(same("https://a.example", "https://b.example"));
  assert_false(same("https://a.example", "https://a.example.evil"));
  assert_false(same("https://a.example", "https://a.example."));
}

static bool loopback(const char *text) {
  struct mr_url url = parse(text);
  return mr_url_is_loopback(&url);
}

static void test_loopback(void **state) {
  (void)state;
  static const char *const yes[] = {
      "http://localhost",         "http://LOCALHOST:80/",  "http://localhost./",
      "http://api.localhost",     "http://a.b.localhost.", "http://127.0.0.1",
      "http://127.255.3.4",       "http://127.0.0.0",      "http://[::1]:8080/",
      "http://[0:0:0:0:0:0:0:1]",
  };
  static const char *const no[] = {
      "http://localhost.example",
      "http://notlocalhost",
      "http://local",
      "http://128.0.0.1",
      "http://127.0.0.1.example",
      "http://127.0.0.256",
      "http://127.1",
      "http://127.0.0.01",
      "http://0127.0.0.1",
      "http://127.0.0.1.",
      "http://1270.0.1",
      "http://127.0.0.0.1",
      "http://0.0.0.0",
      "http://[::2]",
      "http://[::]",
      "http://127.0.0.x",
      "http://27.0.0.1",
      "http://127-0-0-1.a",
      "http://x-localhost",
      "http://[::ffff:127.0.0.1]",
  };
  for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
    if (!loopback(yes[i])) fail_msg("%s is loopback", yes[i]);
  for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
    if (loopback(no[i])) fail_msg("%s is not loopback", no[i]);
}

static void test_origin(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"HTTPS://Api.Example.COM/Path", "https://api.example.com"},
      {"https://a:443", "https://a"},
      {"https://a:80", "https://a:80"},
      {"http://a:80/", "http://a"},
      {"http://[2001:DB8::1]:81/", "http://[2001:db8::1]:81"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct mr_buffer out;
    mr_buffer_init(&out, 100);
    mr_buffer_text(&out, "KEPT ");
    struct mr_url url = parse(cases[i][0]);
    assert_int_equal(mr_url_origin(&url, &out), MR_NONE);
    assert_memory_equal(out.data, "KEPT ", 5);
    assert_string_equal(out.data + 5, cases[i][1]);
    mr_buffer_free(&out);
  }
}

static void test_origin_without_room(void **state) {
  (void)state;
  struct mr_url url = parse("http://abc:8080");
  for (size_t limit = 0; limit <= 17; limit++) {
    struct mr_buffer out;
    mr_buffer_init(&out, limit);
    if (limit > 1) mr_buffer_text(&out, "AB");
    enum mr_kind kind = mr_url_origin(&url, &out);
    assert_int_equal(kind, limit == 17 ? MR_NONE : MR_TOO_LARGE);
    if (kind != MR_NONE) assert_string_equal(mr_buffer_string(&out), limit > 1 ? "AB" : "");
    mr_buffer_free(&out);
  }
}

static void assert_resolves(const char *base, const char *reference, const char *expected) {
  struct mr_buffer out;
  mr_buffer_init(&out, MR_URL_MAX + 10);
  mr_buffer_text(&out, "<");
  struct mr_error error = {MR_NONE, ""};
  enum mr_kind kind =
      mr_url_resolve(base, strlen(base), reference, strlen(reference), &out, &error);
  if (expected && kind != MR_NONE) fail_msg("\"%s\": %s", reference, error.message);
  if (!expected) assert_int_equal(kind, MR_DECODE);
  if (!expected) assert_true(error.message[0] != '\0');
  assert_string_equal(out.data + 1, expected ? expected : "");
  mr_buffer_free(&out);
}

/* RFC 3986 section 5.4, fragments dropped; other schemes and host-less ones are refused. */
static void test_normal_references(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"g:h", NULL},
      {"g", "http://a/b/c/g"},
      {"./g", "http://a/b/c/g"},
      {"g/", "http://a/b/c/g/"},
      {"/g", "http://a/g"},
      {"//g", "http://g"},
      {"?y", "http://a/b/c/d;p?y"},
      {"g?y", "http://a/b/c/g?y"},
      {"#s", "http://a/b/c/d;p?q"},
      {"g#s", "http://a/b/c/g"},
      {"g?y#s", "http://a/b/c/g?y"},
      {";x", "http://a/b/c/;x"},
      {"g;x", "http://a/b/c/g;x"},
      {"g;x?y#s", "http://a/b/c/g;x?y"},
      {"", "http://a/b/c/d;p?q"},
      {".", "http://a/b/c/"},
      {"./", "http://a/b/c/"},
      {"..", "http://a/b/"},
      {"../", "http://a/b/"},
      {"../g", "http://a/b/g"},
      {"../..", "http://a/"},
      {"../../", "http://a/"},
      {"../../g", "http://a/g"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_resolves("http://a/b/c/d;p?q", cases[i][0], cases[i][1]);
}

static void test_abnormal_references(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"../../../g", "http://a/g"},
      {"../../../../g", "http://a/g"},
      {"/./g", "http://a/g"},
      {"/../g", "http://a/g"},
      {"g.", "http://a/b/c/g."},
      {".g", "http://a/b/c/.g"},
      {"g..", "http://a/b/c/g.."},
      {"..g", "http://a/b/c/..g"},
      {"./../g", "http://a/b/g"},
      {"./g/.", "http://a/b/c/g/"},
      {"g/./h", "http://a/b/c/g/h"},
      {"g/../h", "http://a/b/c/h"},
      {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
      {"g;x=1/../y", "http://a/b/c/y"},
      {"g?y/./x", "http://a/b/c/g?y/./x"},
      {"g?y/../x", "http://a/b/c/g?y/../x"},
      {"g#s/./x", "http://a/b/c/g"},
      {"g#s/../x", "http://a/b/c/g"},
      {"http:g", NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_resolves("http://a/b/c/d;p?q", cases[i][0], cases[i][1]);
}

static void test_other_references(void **state) {
  (void)state;
  assert_resolves("https://a:8443", "x", "https://a:8443/x");
  assert_resolves("https://a", "?page=2", "https://a?page=2");
  assert_resolves("https://a?q", "", "https://a?q");
  assert_resolves("https://a/b?q", "?", "https://a/b?");
  assert_resolves("https://a/b", "//c:1/../d?e", "https://c:1/d?e");
  assert_resolves("https://a/b", "HTTP://C/x/../y", "HTTP://C/y");
  assert_resolves("https://a/b/", ".//c", "https://a/b//c");
  assert_resolves("https://a/b/", "/x//../y", "https://a/x/y");
  assert_resolves("https://a/b", "/a:b", "https://a/a:b");
  assert_resolves("https://a/b", "./a:b", "https://a/a:b");
  assert_resolves("https://a/b", "2:b", "https://a/2:b");
  assert_resolves("https://[::1]:1/b", "c", "https://[::1]:1/c");
  assert_resolves("https://a/b", "https://user:pw@c/", NULL);
  assert_resolves("https://a/b", "//user@c/", NULL);
  assert_resolves("https://a/b", "javascript:alert(1)", NULL);
  assert_resolves("https://a/b", "///c", NULL);
  assert_resolves("https://a/b", "c d", NULL);
  assert_resolves("https://a/b", "c\r\nX: y", NULL);
  assert_resolves("https://a/b", "https://c:0/", NULL);
  assert_resolves("a/b", "https://c/", NULL);
}

static void test_resolved_too_long(void **state) {
  (void)state;
  char reference[MR_URL_MAX];
  memset(reference, 'x', sizeof(reference));
  struct mr_buffer out;
  mr_buffer_init(&out, SIZE_MAX);
  size_t fits = MR_URL_MAX - strlen("http://a/");
  assert_int_equal(mr_url_resolve("http://a", 8, reference, fits, &out, NULL), MR_NONE);
  assert_int_equal(out.size, MR_URL_MAX);
  assert_int_equal(mr_url_resolve("http://a", 8, reference, fits + 1, &out, NULL), MR_LIMIT);
  assert_int_equal(out.size, MR_URL_MAX);
  mr_buffer_free(&out);
}

static void test_resolve_without_memory(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  char reference[300];
  memset(reference, 'x', sizeof(reference));
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_buffer out;
    struct mr_error error = {MR_NONE, ""};
    mr_buffer_init(&out, MR_URL_MAX);
    enum mr_kind kind = mr_url_resolve("http://a/b?c", 12, reference, 300, &out, &error);
    assert_int_equal(kind, memory.calls >= n ? MR_LIMIT : MR_NONE);
    assert_int_equal(error.kind, kind);
    assert_int_equal(out.size, kind == MR_NONE ? 309 : 0);
    mr_buffer_free(&out);
  }
  failing_allocator_remove(&memory);
}

typedef enum mr_kind encoder(struct mr_buffer *out, const char *text, size_t size);

static void assert_encodes(encoder *encode, const char *text, size_t size, const char *expected) {
  struct mr_buffer out;
  mr_buffer_init(&out, 1000);
  mr_buffer_text(&out, "/");
  assert_int_equal(encode(&out, text, size), expected ? MR_NONE : MR_DECODE);
  assert_string_equal(out.data + 1, expected ? expected : "");
  mr_buffer_free(&out);
}

static void test_segment(void **state) {
  (void)state;
  assert_encodes(mr_url_segment, "my-game_1.0~x", 13, "my-game_1.0~x");
  assert_encodes(mr_url_segment, ":@!$'()*+,;=~", 13, ":@!$'()*+,;=~");
  assert_encodes(mr_url_segment, "a/b?c#d%e&f g", 13, "a%2Fb%3Fc%23d%25e%26f%20g");
  assert_encodes(mr_url_segment, "%2e%2e", 6, "%252e%252e");
  assert_encodes(mr_url_segment, "\xC3\xBC\x01\x7F\xFF\\\"", 7, "%C3%BC%01%7F%FF%5C%22");
  assert_encodes(mr_url_segment, "...", 3, "...");
  assert_encodes(mr_url_segment, "../x", 4, "..%2Fx");
  assert_encodes(mr_url_segment, "", 0, NULL);
  assert_encodes(mr_url_segment, ".", 1, NULL);
  assert_encodes(mr_url_segment, "..", 2, NULL);
  assert_encodes(mr_url_segment, "a\0b", 3, NULL);
  assert_encodes(mr_url_segment, "a\rb", 3, NULL);
  assert_encodes(mr_url_segment, "a\nb", 3, NULL);
}

static void test_segments(void **state) {
  (void)state;
  assert_encodes(mr_url_segments, "library/game server", 19, "library/game%20server");
  assert_encodes(mr_url_segments, "one", 3, "one");
  static const char *const bad[] = {"",     "/",    "/a",     "a/",     "a//b", "./a",
                                    "a/..", "../a", "a/../b", "a/./b/", "a\n/b"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_encodes(mr_url_segments, bad[i], strlen(bad[i]), NULL);
  assert_encodes(mr_url_segments, "a/\0", 3, NULL);
}

static void test_query(void **state) {
  (void)state;
  assert_encodes(mr_url_query, "api_key_id[]", 12, "api_key_id%5B%5D");
  assert_encodes(mr_url_query, "a b+c&d=e/f", 11, "a%20b%2Bc%26d%3De%2Ff");
  assert_encodes(mr_url_query, "-._~aZ09", 8, "-._~aZ09");
  assert_encodes(mr_url_query, "a\r\nb", 4, "a%0D%0Ab");
  assert_encodes(mr_url_query, "", 0, "");
  assert_encodes(mr_url_query, "a\0", 2, NULL);
}

static void test_encoding_needs_only_its_room(void **state) {
  (void)state;
  struct mr_buffer out;
  mr_buffer_init(&out, 5);
  assert_int_equal(mr_url_query(&out, "ab&", 3), MR_NONE);
  assert_int_equal(mr_url_query(&out, "&", 1), MR_TOO_LARGE);
  assert_string_equal(out.data, "ab%26");
  mr_buffer_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_all_parts),
      cmocka_unit_test(test_least_parts),
      cmocka_unit_test(test_ipv6),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_longest),
      cmocka_unit_test(test_longest_host),
      cmocka_unit_test(test_same_origin),
      cmocka_unit_test(test_loopback),
      cmocka_unit_test(test_origin),
      cmocka_unit_test(test_origin_without_room),
      cmocka_unit_test(test_normal_references),
      cmocka_unit_test(test_abnormal_references),
      cmocka_unit_test(test_other_references),
      cmocka_unit_test(test_resolved_too_long),
      cmocka_unit_test(test_resolve_without_memory),
      cmocka_unit_test(test_segment),
      cmocka_unit_test(test_segments),
      cmocka_unit_test(test_query),
      cmocka_unit_test(test_encoding_needs_only_its_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
