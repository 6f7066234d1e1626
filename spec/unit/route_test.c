#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/memory.h"
#include "core/route.h"
#include "failing_allocator.h"

static char proxy[] = "http://proxy", cert[] = "client.pem", rule[] = "a:1:b";
static const struct mr_route original = {.proxy = proxy,
                                         .client_cert = cert,
                                         .resolve_host = rule,
                                         .verify = true,
                                         .max_connections = 7};

static void a_copy_has_texts_of_its_own(void **state) {
  (void)state;
  struct mr_route copy;
  assert_true(mr_route_copy(&copy, &original));
  assert_string_equal(copy.proxy, proxy);
  assert_ptr_not_equal(copy.proxy, proxy);
  assert_string_equal(copy.client_cert, cert);
  assert_string_equal(copy.resolve_host, rule);
  assert_null(copy.no_proxy);
  assert_true(copy.verify);
  assert_int_equal(copy.max_connections, 7);
  mr_route_free(&copy);
  mr_route_free(&copy);
  assert_null(copy.proxy);
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  struct failing_allocator memory;
  size_t failures = 0;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_route copy;
    if (mr_route_copy(&copy, &original))
      mr_route_free(&copy);
    else
      failures++;
  }
  failing_allocator_remove(&memory);
  assert_int_equal(failures, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_copy_has_texts_of_its_own),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
