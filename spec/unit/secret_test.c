#include "failing_allocator.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/secret.h"

#define NAME "MOONREST_TEST_SECRET"

static enum mr_kind open_secret(enum mr_secret_source source, const char *origin, bool multiline,
                                struct mr_secret **secret, struct mr_error *error) {
  return mr_secret_open(source, origin, strlen(origin), multiline, secret, error);
}

static struct mr_secret *literal(const char *text) {
  struct mr_secret *secret = NULL;
  assert_int_equal(open_secret(MR_SECRET_LITERAL, text, false, &secret, NULL), MR_NONE);
  return secret;
}

static void assert_value(struct mr_secret *secret, const char *prefix, const char *expected) {
  struct mr_buffer out;
  mr_buffer_init(&out, MR_SECRET_MAX + 100);
  assert_int_equal(mr_secret_append(secret, prefix, &out), MR_NONE);
  assert_string_equal(out.data, expected);
  assert_true(out.secret);
  mr_buffer_free(&out);
}

static void assert_refused(enum mr_secret_source source, const char *origin, bool multiline,
                           const char *what) {
  struct mr_secret *secret = NULL;
  struct mr_error error = {MR_NONE, ""};
  assert_int_equal(open_secret(source, origin, multiline, &secret, &error), MR_AUTH);
  assert_null(secret);
  if (!strstr(error.message, what)) fail_msg("\"%s\" lacks \"%s\"", error.message, what);
  assert_null(strstr(error.message, "hunter2"));
}

static void test_literal(void **state) {
  (void)state;
  struct mr_secret *secret = literal("hunter2");
  assert_int_equal(mr_secret_source_of(secret), MR_SECRET_LITERAL);
  assert_string_equal(mr_secret_origin(secret), "literal");
  assert_value(secret, "", "hunter2");
  assert_value(secret, NULL, "hunter2");
  bool changed = true;
  assert_int_equal(mr_secret_refresh(secret, &changed, NULL), MR_NONE);
  assert_false(changed);
  mr_secret_release(secret);
  mr_secret_release(NULL);
}

static void test_prefix(void **state) {
  (void)state;
  struct mr_secret *secret = literal("token hunter2");
  assert_value(secret, "token ", "token hunter2");
  assert_value(secret, "Token ", "token hunter2");
  assert_value(secret, "Bearer ", "Bearer token hunter2");
  assert_value(secret, "token hunter2", "token hunter2");
  assert_value(secret, "token hunter2!", "token hunter2!token hunter2");
  mr_secret_release(secret);
}

static void test_append_goes_behind_what_is_there(void **state) {
  (void)state;
  struct mr_secret *secret = literal("hunter2");
  struct mr_buffer out;
  mr_buffer_init(&out, 18);
  mr_buffer_text(&out, "X-Key: ");
  assert_int_equal(mr_secret_append(secret, "key ", &out), MR_NONE);
  assert_string_equal(out.data, "X-Key: key hunter2");
  out.size = 8;
  out.data[8] = '\0';
  assert_int_equal(mr_secret_append(secret, "key ", &out), MR_TOO_LARGE);
  assert_string_equal(out.data, "X-Key: k");
  mr_buffer_free(&out);
  mr_secret_release(secret);
}

static void test_what_is_refused(void **state) {
  (void)state;
  assert_refused(MR_SECRET_LITERAL, "", false, "empty");
  assert_refused(MR_SECRET_LITERAL, "hunter2\n", false, "line break at byte 8");
  assert_refused(MR_SECRET_LITERAL, "hunter2\tx", false, "byte 8");
  assert_refused(MR_SECRET_LITERAL, "\x7Fhunter2", false, "byte 1");
  assert_refused(MR_SECRET_LITERAL, "a\x01", true, "control character at byte 2");
  struct mr_secret *secret = NULL;
  struct mr_error error;
  assert_int_equal(mr_secret_open(MR_SECRET_LITERAL, "a\0b", 3, true, &secret, &error), MR_AUTH);
  assert_int_equal(mr_secret_open(MR_SECRET_ENV, "HOME\0", 5, true, &secret, &error), MR_AUTH);
  assert_non_null(strstr(error.message, "zero byte"));
  unsetenv(NAME);
  assert_refused(MR_SECRET_ENV, NAME, false, "set the environment variable " NAME);
  setenv(NAME, "\n", 1);
  assert_refused(MR_SECRET_ENV, NAME, false, "empty; check the environment variable " NAME);
  assert_refused(MR_SECRET_FILE, "/nonexistent/token", false, "/nonexistent/token");
  assert_refused(MR_SECRET_COMMAND, "false", false, "exit status 1: false");
  assert_refused(MR_SECRET_COMMAND, "true", false, "empty; check the command true");
  assert_refused(MR_SECRET_COMMAND, "cat /dev/zero | tr '\\0' x", false, "more than 65536 bytes");
}

static void assert_environment(const char *value, bool multiline, const char *expected) {
  setenv(NAME, value, 1);
  if (!expected) {
    assert_refused(MR_SECRET_ENV, NAME, multiline, "control character");
    return;
  }
  struct mr_secret *secret = NULL;
  assert_int_equal(open_secret(MR_SECRET_ENV, NAME, multiline, &secret, NULL), MR_NONE);
  assert_value(secret, "", expected);
  assert_string_equal(mr_secret_origin(secret), NAME);
  mr_secret_release(secret);
}

static void test_final_newline(void **state) {
  (void)state;
  assert_environment("hunter2\n", false, "hunter2");
  assert_environment("hunter2\r\n", false, "hunter2");
  assert_environment("hunter2\n\n", false, NULL);
  assert_environment("hunter2\r", false, NULL);
  assert_environment("hunter2 ", false, "hunter2 ");
  assert_environment("{\n\t\"a\": 1\r\n}\n\n", true, "{\n\t\"a\": 1\r\n}\n");
  assert_environment("{\x02}", true, NULL);
  assert_environment("sch\xC3\xBCssel", false, "sch\xC3\xBCssel");
}

static void test_longest(void **state) {
  (void)state;
  static char text[MR_SECRET_MAX + 4];
  memset(text, 'x', MR_SECRET_MAX);
  strcpy(text + MR_SECRET_MAX, "\r\n");
  setenv(NAME, text, 1);
  struct mr_secret *secret = NULL;
  assert_int_equal(open_secret(MR_SECRET_ENV, NAME, false, &secret, NULL), MR_NONE);
  mr_secret_release(secret);
  strcpy(text + MR_SECRET_MAX, "x");
  setenv(NAME, text, 1);
  assert_refused(MR_SECRET_ENV, NAME, false, "more than 65536");
  assert_refused(MR_SECRET_LITERAL, text, false, "more than 65536");
  strcpy(text + MR_SECRET_MAX, "\n\r\n");
  setenv(NAME, text, 1);
  assert_refused(MR_SECRET_ENV, NAME, true, "more than 65536");
  text[MR_SECRET_MAX] = '\0';
  mr_secret_release(literal(text));
  unsetenv(NAME);
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
  chmod(path, 0600);
}

static void test_refresh(void **state) {
  (void)state;
  char folder[] = "/tmp/moonrest-secret-XXXXXX", path[64], line[96];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof(path), "%s/token", folder);
  snprintf(line, sizeof(line), "cat %s", path);
  for (int i = 0; i < 2; i++) {
    write_file(path, "first\n");
    struct mr_secret *secret = NULL;
    struct mr_error error;
    bool changed = true;
    enum mr_secret_source source = i == 0 ? MR_SECRET_FILE : MR_SECRET_COMMAND;
    assert_int_equal(open_secret(source, i == 0 ? path : line, false, &secret, &error), MR_NONE);
    for (int refusal = 1; refusal <= MR_SECRET_REFUSALS; refusal++)
      mr_secret_refused(secret);
    assert_int_equal(mr_secret_refresh(secret, &changed, &error), MR_NONE);
    assert_false(changed);
    assert_true(mr_secret_is_closed(secret));
    write_file(path, "secon\n");
    assert_int_equal(mr_secret_refresh(secret, &changed, &error), MR_NONE);
    assert_true(changed);
    assert_false(mr_secret_is_closed(secret));
    assert_value(secret, "", "secon");
    write_file(path, "");
    assert_int_equal(mr_secret_refresh(secret, &changed, &error), MR_AUTH);
    assert_false(changed);
    assert_value(secret, "", "secon");
    mr_secret_release(secret);
  }
  unlink(path);
  rmdir(folder);
}

static void test_refusals(void **state) {
  (void)state;
  struct mr_secret *secret = literal("hunter2");
  assert_int_equal(mr_secret_refused(secret), 1);
  assert_int_equal(mr_secret_refused(secret), 2);
  assert_false(mr_secret_is_closed(secret));
  mr_secret_accepted(secret);
  assert_int_equal(mr_secret_refused(secret), 1);
  assert_int_equal(mr_secret_refused(secret), 2);
  assert_int_equal(mr_secret_refused(secret), 3);
  assert_true(mr_secret_is_closed(secret));
  mr_secret_release(secret);
}

static void test_held_until_the_last_lets_go(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.needle = "hunter2";
  struct mr_secret *secret = literal("hunter2");
  assert_ptr_equal(mr_secret_hold(secret), secret);
  mr_secret_release(secret);
  assert_value(secret, "", "hunter2");
  mr_secret_release(secret);
  failing_allocator_remove(&memory);
}

static void open_all(void) {
  static const char *const origins[] = {"my hunter2", NAME, NULL, "printf 'hunter%d' 2"};
  for (int source = MR_SECRET_LITERAL; source <= MR_SECRET_COMMAND; source++) {
    if (!origins[source]) continue;
    struct mr_secret *secret = NULL;
    struct mr_error error = {MR_NONE, ""};
    bool changed;
    enum mr_kind kind =
        open_secret((enum mr_secret_source)source, origins[source], false, &secret, &error);
    assert_int_equal(error.kind, kind);
    assert_int_equal(kind, secret ? MR_NONE : MR_LIMIT);
    if (!secret) continue;
    kind = mr_secret_refresh(secret, &changed, &error);
    assert_true(kind == MR_NONE || kind == MR_LIMIT);
    struct mr_buffer out;
    mr_buffer_init(&out, 100);
    kind = mr_secret_append(secret, "Bearer ", &out);
    assert_true(kind == MR_NONE || kind == MR_LIMIT);
    mr_buffer_free(&out);
    mr_secret_release(secret);
  }
}

static void test_wiped_and_freed_whichever_allocation_fails(void **state) {
  (void)state;
  setenv(NAME, "hunter2\n", 1);
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  memory.needle = "hunter2";
  size_t n = 1;
  for (; failing_allocator_next(&memory, n); n++)
    open_all();
  failing_allocator_remove(&memory);
  assert_true(n > 10);
  unsetenv(NAME);
}

#define ROUNDS 20000

static void *use_it(void *argument) {
  struct mr_secret *secret = argument;
  for (int i = 0; i < ROUNDS; i++) {
    mr_secret_hold(secret);
    mr_secret_refused(secret);
    mr_secret_release(secret);
  }
  assert_value(secret, "Bearer ", "Bearer hunter2");
  mr_secret_release(secret);
  return NULL;
}

static void test_shared_between_threads(void **state) {
  (void)state;
  struct mr_secret *secret = literal("hunter2");
  pthread_t threads[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, use_it, mr_secret_hold(secret)), 0);
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  assert_int_equal(mr_secret_refused(secret), 2 * ROUNDS + 1);
  mr_secret_release(secret);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_literal),
      cmocka_unit_test(test_prefix),
      cmocka_unit_test(test_append_goes_behind_what_is_there),
      cmocka_unit_test(test_what_is_refused),
      cmocka_unit_test(test_final_newline),
      cmocka_unit_test(test_longest),
      cmocka_unit_test(test_refresh),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_held_until_the_last_lets_go),
      cmocka_unit_test(test_wiped_and_freed_whichever_allocation_fails),
      cmocka_unit_test(test_shared_between_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
