#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/redis_address.h"

static struct mr_redis_address read_good(const char *url) {
  struct mr_redis_address address;
  struct mr_error error = {0};
  if (mr_redis_address_read(&address, url, &error)) fail_msg("%s: %s", url, error.message);
  assert_in_range(address.endpoint_count, 1, MR_REDIS_ENDPOINTS);
  return address;
}

static int port_of(const struct mr_redis_address *address) {
  const struct sockaddr_storage *first = &address->endpoints[0].address;
  if (first->ss_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)(const void *)first)->sin6_port);
  return ntohs(((const struct sockaddr_in *)(const void *)first)->sin_port);
}

static void test_all_of_it(void **state) {
  (void)state;
  struct mr_redis_address address = read_good("redis://al%69ce:s%3Acr%40t@127.0.0.1:7001/12");
  assert_string_equal(address.user, "alice");
  assert_string_equal(address.password, "s:cr@t");
  assert_string_equal(address.host, "127.0.0.1");
  assert_string_equal(address.name, "127.0.0.1:7001");
  assert_string_equal(address.database, "12");
  assert_int_equal(port_of(&address), 7001);
  assert_false(address.tls);
}

static void test_the_least_of_it(void **state) {
  (void)state;
  const char *const urls[] = {"redis://127.0.0.1",   "redis://127.0.0.1/", "redis://127.0.0.1:",
                              "redis://127.0.0.1:/", "redis://@127.0.0.1", "redis://:@127.0.0.1"};
  for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
    struct mr_redis_address address = read_good(urls[i]);
    assert_string_equal(address.user, "");
    assert_string_equal(address.password, "");
    assert_string_equal(address.database, "");
    assert_int_equal(port_of(&address), 6379);
  }
  assert_string_equal(read_good("redis://").host, "localhost");
}

static void test_logins(void **state) {
  (void)state;
  struct mr_redis_address address = read_good("redis://secret@127.0.0.1");
  assert_string_equal(address.password, "secret");
  address = read_good("redis://:secret@127.0.0.1");
  assert_string_equal(address.password, "secret");
  address = read_good("redis://alice:a@b@127.0.0.1"); /* the last @ ends it */
  assert_string_equal(address.user, "alice");
  assert_string_equal(address.password, "a@b");
}

static void test_version_6_addresses(void **state) {
  (void)state;
  struct mr_redis_address address = read_good("redis://[::1]:7001");
  assert_string_equal(address.host, "::1");
  assert_int_equal(address.endpoints[0].address.ss_family, AF_INET6);
  assert_int_equal(port_of(&address), 7001);
  assert_int_equal(read_good("redis://[::1]").endpoints[0].address.ss_family, AF_INET6);
}

static void test_tls(void **state) {
  (void)state;
  struct mr_redis_address address = read_good("rediss://:pw@127.0.0.1");
  assert_true(address.tls);
  assert_string_equal(address.ca_file, "");
  address =
      read_good("rediss://127.0.0.1:7001/3?ca_file=/etc/my%20ca.pem&client_cert=a&client_key=b");
  assert_string_equal(address.ca_file, "/etc/my ca.pem");
  assert_string_equal(address.client_cert, "a");
  assert_string_equal(address.client_key, "b");
  assert_string_equal(address.database, "3");
  assert_string_equal(read_good("rediss://127.0.0.1?ca_file=x").ca_file, "x");
  assert_string_equal(read_good("rediss://127.0.0.1/?ca_file=x&").ca_file, "x");
}

static void assert_refused(const char *url, const char *word) {
  struct mr_redis_address address;
  struct mr_error error = {0};
  if (mr_redis_address_read(&address, url, &error) != MR_IO) fail_msg("%s is taken", url);
  if (!strstr(error.message, word)) fail_msg("%s: no \"%s\" in: %s", url, word, error.message);
  assert_null(strstr(error.message, "s3cret"));
  assert_null(memmem(&address, sizeof(address), "s3cret", 6));
}

static void test_what_is_no_address(void **state) {
  (void)state;
  const char *const urls[] = {"redis://:s3cret@127.0.0.1:0",
                              "redis://:s3cret@127.0.0.1:65536",
                              "redis://:s3cret@127.0.0.1:6a",
                              "redis://:s3cret@127.0.0.1:-1",
                              "redis://:s3cret@127.0.0.1:0000001",
                              "redis://:s3cret@[::1",
                              "redis://:s3cret@[::1]6379",
                              "redis://:s3cret@127.0.0.1/x",
                              "redis://:s3cret@127.0.0.1/1/2",
                              "redis://:s3cret@127.0.0.1/1234567890123456",
                              "redis://:s3cret%@127.0.0.1",
                              "redis://:s3cret%4@127.0.0.1",
                              "redis://:s3cret%zz@127.0.0.1",
                              "redis://:s3cret%00@127.0.0.1",
                              "redis://:s3cret@127.0.0.1?ca_file=x",
                              "rediss://:s3cret@127.0.0.1?ca_file=",
                              "rediss://:s3cret@127.0.0.1?verify=0",
                              "rediss://:s3cret@127.0.0.1?client_cert=x",
                              "rediss://:s3cret@127.0.0.1?client_key=x"};
  for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++)
    assert_refused(urls[i], "is not redis://");
  assert_refused("http://:s3cret@127.0.0.1", "must begin with");
  assert_refused("", "must begin with");
}

/* A word of 255 bytes is taken, one more is not. */
static void test_the_longest_word(void **state) {
  (void)state;
  char url[600] = "redis://:", *end = url + strlen(url);
  memset(end, 'p', MR_REDIS_WORD - 1);
  memcpy(end + MR_REDIS_WORD - 1, "@127.0.0.1", sizeof("@127.0.0.1"));
  assert_int_equal(strlen(read_good(url).password), MR_REDIS_WORD - 1);
  memset(end, 'p', MR_REDIS_WORD);
  memcpy(end + MR_REDIS_WORD, "@127.0.0.1", sizeof("@127.0.0.1"));
  assert_refused(url, "is not redis://");
}

static void test_a_host_that_is_nowhere(void **state) {
  (void)state;
  struct mr_redis_address address;
  struct mr_error error = {0};
  assert_int_equal(mr_redis_address_read(&address, "redis://nowhere.invalid", &error), MR_IO);
  assert_non_null(strstr(error.message, "cannot find the host 'nowhere.invalid'"));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_of_it),
                                     cmocka_unit_test(test_the_least_of_it),
                                     cmocka_unit_test(test_logins),
                                     cmocka_unit_test(test_version_6_addresses),
                                     cmocka_unit_test(test_tls),
                                     cmocka_unit_test(test_what_is_no_address),
                                     cmocka_unit_test(test_the_longest_word),
                                     cmocka_unit_test(test_a_host_that_is_nowhere)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
