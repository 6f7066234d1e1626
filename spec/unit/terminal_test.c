/* A terminal has a width, and what is none has not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/terminal.h"

static void tells_the_width(void **state) {
  (void)state;
  int far = posix_openpt(O_RDWR | O_NOCTTY);
  assert_true(far >= 0);
  assert_int_equal(grantpt(far) | unlockpt(far), 0);
  int near = open(ptsname(far), O_RDWR | O_NOCTTY);
  assert_true(near >= 0);
  assert_int_equal(mr_terminal_columns(near), 80);
  struct winsize size = {.ws_row = 50, .ws_col = 132};
  assert_int_equal(ioctl(near, TIOCSWINSZ, &size), 0);
  assert_int_equal(mr_terminal_columns(near), 132);
  close(near);
  close(far);
}

static void is_none_where_there_is_none(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(mr_terminal_columns(ends[1]), 0);
  assert_int_equal(mr_terminal_columns(-1), 0);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_the_width),
      cmocka_unit_test(is_none_where_there_is_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
