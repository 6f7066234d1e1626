#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/bell.h"
#include "core/clock.h"

static bool is_readable(int bell) {
  struct pollfd entry = {.fd = bell, .events = POLLIN};
  return poll(&entry, 1, 0) == 1;
}

static void it_rings_until_it_is_drained(void **state) {
  (void)state;
  int bell = mr_bell_open();
  assert_true(bell >= 0);
  assert_false(is_readable(bell));
  mr_bell_drain(bell); /* does not wait */
  mr_bell_ring(bell);
  mr_bell_ring(bell);
  assert_true(is_readable(bell));
  mr_bell_drain(bell);
  assert_false(is_readable(bell));
  close(bell);
}

static void patience_is_rounded_up(void **state) {
  (void)state;
  assert_int_equal(mr_bell_patience_ms(MR_NEVER), -1);
  assert_int_equal(mr_bell_patience_ms(-5), 0);
  assert_int_equal(mr_bell_patience_ms(0), 0);
  assert_int_equal(mr_bell_patience_ms(1), 1);
  assert_int_equal(mr_bell_patience_ms(MR_MILLISECOND), 1);
  assert_int_equal(mr_bell_patience_ms(MR_MILLISECOND + 1), 2);
  assert_int_equal(mr_bell_patience_ms(MR_NEVER - 1), INT32_MAX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_rings_until_it_is_drained),
      cmocka_unit_test(patience_is_rounded_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
