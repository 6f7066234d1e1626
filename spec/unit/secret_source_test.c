#include "failing_allocator.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/secret_source.h"

#define PLENTY (60 * MR_SECOND) /* no command of these tests takes that long */

struct place {
  char folder[64], path[80];
};

static struct place make_file(const char *text, mode_t mode) {
  struct place place;
  snprintf(place.folder, sizeof(place.folder), "/tmp/moonrest-secret-XXXXXX");
  assert_non_null(mkdtemp(place.folder));
  snprintf(place.path, sizeof(place.path), "%s/token", place.folder);
  FILE *file = fopen(place.path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  assert_int_equal(chmod(place.path, mode), 0);
  return place;
}

static void remove_file(const struct place *place) {
  unlink(place->path);
  rmdir(place->folder);
}

static struct mr_buffer empty(size_t limit) {
  struct mr_buffer buffer;
  mr_buffer_init(&buffer, limit);
  buffer.secret = true;
  return buffer;
}

static void assert_fails(enum mr_kind kind, const struct mr_error *error, const char *what) {
  assert_int_equal(kind, MR_AUTH);
  assert_int_equal(error->kind, MR_AUTH);
  if (!strstr(error->message, what)) fail_msg("\"%s\" lacks \"%s\"", error->message, what);
}

static void test_names(void **state) {
  (void)state;
  assert_string_equal(mr_secret_source_name(MR_SECRET_LITERAL), "literal");
  assert_string_equal(mr_secret_source_name(MR_SECRET_ENV), "environment variable");
  assert_string_equal(mr_secret_source_name(MR_SECRET_FILE), "file");
  assert_string_equal(mr_secret_source_name(MR_SECRET_COMMAND), "command");
}

static void test_environment(void **state) {
  (void)state;
  struct mr_buffer out = empty(5);
  struct mr_error error;
  setenv("MOONREST_TEST_SECRET", "abc", 1);
  assert_int_equal(mr_secret_read_env("MOONREST_TEST_SECRET", &out, &error), MR_NONE);
  assert_string_equal(out.data, "abc");
  assert_int_equal(mr_secret_read_env("MOONREST_TEST_SECRET", &out, &error), MR_NONE);
  assert_string_equal(out.data, "abcab");
  unsetenv("MOONREST_TEST_SECRET");
  assert_fails(mr_secret_read_env("MOONREST_TEST_SECRET", &out, &error), &error,
               "set the environment variable MOONREST_TEST_SECRET");
  mr_buffer_free(&out);
}

static void test_file(void **state) {
  (void)state;
  struct place place = make_file("first\nsecond\n", 0600);
  struct mr_buffer out = empty(8);
  struct mr_error error;
  assert_int_equal(mr_secret_read_file(place.path, &out, &error), MR_NONE);
  assert_string_equal(out.data, "first\nse");
  mr_buffer_free(&out);
  out.limit = 100;
  assert_int_equal(mr_secret_read_file(place.path, &out, &error), MR_NONE);
  assert_string_equal(out.data, "first\nsecond\n");
  mr_buffer_free(&out);
  remove_file(&place);
}

static void test_file_larger_than_one_read(void **state) {
  (void)state;
  char text[10001];
  for (size_t i = 0; i < sizeof(text) - 1; i++)
    text[i] = (char)('a' + i % 26);
  text[sizeof(text) - 1] = '\0';
  struct place place = make_file(text, 0400);
  struct mr_buffer out = empty(100000);
  assert_int_equal(mr_secret_read_file(place.path, &out, NULL), MR_NONE);
  assert_string_equal(out.data, text);
  mr_buffer_free(&out);
  remove_file(&place);
}

static void test_files_that_are_refused(void **state) {
  (void)state;
  struct mr_buffer out = empty(100);
  struct mr_error error;
  struct place place = make_file("x", 0600);
  static const mode_t modes[] = {0640, 0604, 0620, 0602, 0601, 0644, 0666, 0777};
  for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
    chmod(place.path, modes[i]);
    assert_fails(mr_secret_read_file(place.path, &out, &error), &error, "chmod 600 /tmp/moonrest-");
  }
  assert_fails(mr_secret_read_file(place.folder, &out, &error), &error, "no regular file");
  unlink(place.path);
  assert_fails(mr_secret_read_file(place.path, &out, &error), &error, "No such file");
  assert_int_equal(mkfifo(place.path, 0600), 0);
  assert_fails(mr_secret_read_file(place.path, &out, &error), &error, "no regular file");
  remove_file(&place);
  assert_int_equal(out.size, 0);
  mr_buffer_free(&out);
}

/* The process's own memory: a private, regular file of which nobody can read the first page. */
static void test_file_that_cannot_be_read(void **state) {
  (void)state;
  struct mr_buffer out = empty(100);
  struct mr_error error;
  assert_fails(mr_secret_read_file("/proc/self/mem", &out, &error), &error, "cannot be read (");
  mr_buffer_free(&out);
}

/* In a child that is not root: 0 when the file is accepted. */
static int read_as_nobody(const char *path) {
  pid_t child = fork();
  if (child == 0) {
    struct mr_buffer out = empty(100);
    bool dropped = setgid(65534) == 0 && setuid(65534) == 0;
    _exit(!dropped ? 2 : mr_secret_read_file(path, &out, NULL) == MR_NONE ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_file_that_root_put_there(void **state) {
  (void)state;
  if (geteuid() != 0) skip(); /* only root can make such a file */
  struct place place = make_file("x", 0644);
  chmod(place.folder, 0755);
  assert_int_equal(read_as_nobody(place.path), 0);
  chmod(place.path, 0666);
  assert_int_equal(read_as_nobody(place.path), 1);
  chmod(place.path, 0644);
  assert_int_equal(chown(place.path, 12345, 12345), 0);
  assert_int_equal(read_as_nobody(place.path), 1);
  remove_file(&place);
}

static void run(const char *line, const char *expected) {
  struct mr_buffer out = empty(100000);
  struct mr_error error = {MR_NONE, ""};
  if (mr_secret_read_command(line, PLENTY, NULL, &out, &error) != MR_NONE)
    fail_msg("%s", error.message);
  assert_string_equal(mr_buffer_string(&out), expected);
  mr_buffer_free(&out);
}

static void test_command(void **state) {
  (void)state;
  run("printf abc", "abc");
  run("printf abc; printf 'd\\ne\\n'", "abcd\ne\n");
  run("true", "");
  run("cat; echo end", "end\n"); /* standard input is empty */
  run("(exit 3) || echo \"$?\"", "3\n");
}

static void test_command_that_fails(void **state) {
  (void)state;
  struct mr_buffer out = empty(100);
  struct mr_error error;
  assert_fails(mr_secret_read_command("echo hunter2; exit 7", PLENTY, NULL, &out, &error), &error,
               "exit status 7: echo");
  assert_fails(mr_secret_read_command("moonrest-no-such-command 2>&-", PLENTY, NULL, &out, &error),
               &error, "exit status 127");
  assert_fails(mr_secret_read_command("kill -9 $$", PLENTY, NULL, &out, &error), &error,
               "signal 9");
  assert_fails(mr_secret_read_command("kill -9 0", PLENTY, NULL, &out, &error), &error, "signal 9");
  mr_buffer_free(&out);
}

static int children(void) {
  int count = 0;
  while (waitpid(-1, NULL, WNOHANG) > 0)
    count++;
  return count;
}

static bool group_is_gone(const char *number) {
  pid_t process = (pid_t)strtol(number, NULL, 10);
  assert_true(process > 1);
  for (int i = 0; i < 1000; i++) { /* an orphan is reaped by the system in its own time */
    if (kill(process, 0) != 0) return true;
    char path[64], status[512] = "";
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)process);
    FILE *file = fopen(path, "r");
    bool dead = !file || !fgets(status, sizeof(status), file) || strstr(status, ") Z ");
    if (file) fclose(file);
    if (dead) return true;
    usleep(1000);
  }
  return false;
}

static void test_command_that_does_not_end(void **state) {
  (void)state;
  static const char *const lines[] = {
      "sleep 60 & echo $!; wait",               /* keeps its output open */
      "sleep 60 >&- & echo $!; exec >&-; wait", /* closes it */
  };
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    struct mr_buffer out = empty(100);
    struct mr_error error;
    int64_t start_us = mr_clock_now(&mr_clock_system);
    assert_fails(mr_secret_read_command(lines[i], 100 * MR_MILLISECOND, NULL, &out, &error), &error,
                 "did not end in time");
    int64_t took_us = mr_clock_now(&mr_clock_system) - start_us;
    assert_true(took_us >= 100 * MR_MILLISECOND && took_us < 30 * MR_SECOND);
    assert_true(group_is_gone(mr_buffer_string(&out)));
    assert_int_equal(children(), 0);
    mr_buffer_free(&out);
  }
}

/* As in a pipe of the shell's the command's end counts, and not that of an agent which it left behind. */
static void test_command_whose_child_keeps_the_output_open(void **state) {
  (void)state;
  struct mr_buffer out = empty(100);
  struct mr_error error;
  assert_int_equal(mr_secret_read_command("sleep 60 & echo $!", PLENTY, NULL, &out, &error),
                   MR_NONE);
  pid_t child = (pid_t)strtol(mr_buffer_string(&out), NULL, 10);
  assert_true(child > 1);
  assert_int_equal(kill(child, SIGKILL), 0); /* it lives on */
  assert_int_equal(children(), 0);
  assert_fails(mr_secret_read_command("sleep 0.2 & exit 3", PLENTY, NULL, &out, &error), &error,
               "exit status 3");
  mr_buffer_free(&out);
}

static void test_command_without_a_free_descriptor(void **state) {
  (void)state;
  struct mr_buffer out = empty(100);
  struct mr_error error;
  struct rlimit before, none;
  getrlimit(RLIMIT_NOFILE, &before);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  enum mr_kind kind = mr_secret_read_command("echo x", PLENTY, NULL, &out, &error);
  setrlimit(RLIMIT_NOFILE, &before);
  assert_fails(kind, &error, "cannot be started (");
  mr_buffer_free(&out);
}

static void test_command_without_end_of_output(void **state) {
  (void)state;
  struct mr_buffer out = empty(100000);
  assert_int_equal(mr_secret_read_command("yes", PLENTY, NULL, &out, NULL), MR_NONE);
  assert_int_equal(out.size, 100000);
  assert_int_equal(children(), 0);
  mr_buffer_free(&out);
}

static void test_command_starts_with_fresh_signals(void **state) {
  (void)state;
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  void (*handler)(int) = signal(SIGPIPE, SIG_IGN);
  run("exec 2>&-; sh -c 'kill -TERM $$'; echo $?; sh -c 'kill -PIPE $$'; echo $?", "143\n141\n");
  signal(SIGPIPE, handler);
  sigprocmask(SIG_SETMASK, &before, NULL);
}

/* A host's own use of SIGCHLD: the kernel reaps, or a handler of the host does. */
static void reap_all(int number) {
  (void)number;
  int before = errno;
  while (waitpid(-1, NULL, WNOHANG) > 0) {
  }
  errno = before;
}

/* Whose shell is killed too: the kernel tells nobody, a handler may come later than the library looks. */
static void test_children_that_somebody_else_reaps(void **state) {
  (void)state;
  static void (*const handlers[])(int) = {SIG_IGN, reap_all};
  static const char *const last_words[] = {"is lost: kill -9 0", ": kill -9 0"};
  for (size_t i = 0; i < 2; i++) {
    struct mr_buffer out = empty(100);
    struct mr_error error;
    void (*before)(int) = signal(SIGCHLD, handlers[i]);
    run("printf abc", "abc");
    assert_fails(mr_secret_read_command("echo x; exit 7", PLENTY, NULL, &out, &error), &error,
                 "exit status 7");
    assert_fails(mr_secret_read_command("kill -9 $$", PLENTY, NULL, &out, &error), &error,
                 "signal 9");
    assert_fails(mr_secret_read_command("kill -9 0", PLENTY, NULL, &out, &error), &error,
                 last_words[i]);
    signal(SIGCHLD, before);
    mr_buffer_free(&out);
  }
}

/* Its own descriptors have low numbers in a host that has closed the standard ones. */
static void test_command_of_a_host_without_standard_streams(void **state) {
  (void)state;
  pid_t child = fork();
  if (child == 0) {
    struct mr_buffer out = empty(100);
    for (int i = 0; i < 8; i++)
      close(i);
    bool good = mr_secret_read_command("printf abc; exit 0", PLENTY, NULL, &out, NULL) == MR_NONE;
    good = good && strcmp(mr_buffer_string(&out), "abc") == 0;
    good = good && mr_secret_read_command("exit 7", PLENTY, NULL, &out, NULL) == MR_AUTH;
    _exit(good && fcntl(0, F_GETFD) == -1 && fcntl(4, F_GETFD) == -1 ? 0 : 1);
  }
  int status = -1;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
}

static int open_descriptors(void) {
  int count = 0;
  for (int i = 0; i < 256; i++)
    count += fcntl(i, F_GETFD) != -1;
  return count;
}

static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct place place = make_file("hunter2", 0600);
  setenv("MOONREST_TEST_SECRET", "hunter2", 1);
  int before = open_descriptors();
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.needle = "hunter2";
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_buffer out = empty(30000);
    struct mr_error error = {MR_NONE, ""};
    enum mr_kind kinds[] = {
        mr_secret_read_file(place.path, &out, &error),
        mr_secret_read_command("yes hunter2 | head -n 2000", PLENTY, NULL, &out, &error),
        mr_secret_read_env("MOONREST_TEST_SECRET", &out, &error),
    };
    int failures = 0;
    for (size_t i = 0; i < 3; i++) {
      assert_true(kinds[i] == MR_NONE || kinds[i] == MR_LIMIT);
      failures += kinds[i] == MR_LIMIT;
    }
    assert_int_equal(failures, memory.calls >= n ? 1 : 0);
    mr_buffer_free(&out);
  }
  failing_allocator_remove(&memory);
  assert_int_equal(open_descriptors(), before);
  assert_int_equal(children(), 0);
  unsetenv("MOONREST_TEST_SECRET");
  remove_file(&place);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_environment),
      cmocka_unit_test(test_file),
      cmocka_unit_test(test_file_larger_than_one_read),
      cmocka_unit_test(test_files_that_are_refused),
      cmocka_unit_test(test_file_that_cannot_be_read),
      cmocka_unit_test(test_file_that_root_put_there),
      cmocka_unit_test(test_command),
      cmocka_unit_test(test_command_that_fails),
      cmocka_unit_test(test_command_that_does_not_end),
      cmocka_unit_test(test_command_whose_child_keeps_the_output_open),
      cmocka_unit_test(test_command_without_a_free_descriptor),
      cmocka_unit_test(test_command_without_end_of_output),
      cmocka_unit_test(test_command_starts_with_fresh_signals),
      cmocka_unit_test(test_children_that_somebody_else_reaps),
      cmocka_unit_test(test_command_of_a_host_without_standard_streams),
      cmocka_unit_test(test_every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
