#include "core/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static int open_null(void) {
  return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* What is done to the standard input of this program is undone. */
static int close_input(void) {
  int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
  close(STDIN_FILENO);
  return saved;
}

static void restore_input(int saved) {
  assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
  close(saved);
}

static void test_others_stay(void **state) {
  (void)state;
  int fresh = open_null();
  assert_true(fresh > STDERR_FILENO);
  assert_int_equal(mr_descriptor_keep(fresh), fresh);
  close(fresh);
  assert_int_equal(mr_descriptor_keep(-1), -1);
}

static void test_number_of_a_standard_stream(void **state) {
  (void)state;
  int saved = close_input();
  int fresh = open_null(), kept = mr_descriptor_keep(fresh);
  bool is_free = fcntl(STDIN_FILENO, F_GETFD) < 0;
  restore_input(saved);
  assert_int_equal(fresh, STDIN_FILENO);
  assert_true(kept > STDERR_FILENO);
  assert_true(is_free);
  assert_int_equal(fcntl(kept, F_GETFD), FD_CLOEXEC);
  close(kept);
}

static void test_no_other_number(void **state) {
  (void)state;
  int saved = close_input();
  struct rlimit before, few;
  getrlimit(RLIMIT_NOFILE, &before);
  few = before;
  few.rlim_cur = 1;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  int fresh = open_null();
  errno = 0;
  int kept = mr_descriptor_keep(fresh), reason = errno;
  bool is_free = fcntl(STDIN_FILENO, F_GETFD) < 0;
  setrlimit(RLIMIT_NOFILE, &before);
  restore_input(saved);
  assert_int_equal(fresh, STDIN_FILENO);
  assert_int_equal(kept, -1);
  /* Of a lowest number above the limit Linux says EINVAL; valgrind, which numbers by itself, EMFILE. */
  assert_true(reason == EINVAL || reason == EMFILE);
  assert_true(is_free);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_others_stay),
      cmocka_unit_test(test_number_of_a_standard_stream),
      cmocka_unit_test(test_no_other_number),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
