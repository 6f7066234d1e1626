/* Downloads take their target's name only when they are whole, and replace nothing but files. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/sink.h"
#include "failing_allocator.h"

static char folder[] = "/tmp/moonrest-sink-XXXXXX";
static char path[200], other[200];

static int make_folder(void **state) {
  (void)state;
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/target", folder);
  snprintf(other, sizeof other, "%s/other", folder);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder); /* fails when anything was left behind */
}

static void write_file(const char *name, const char *text) {
  FILE *file = fopen(name, "w");
  assert_non_null(file);
  fputs(text, file);
  fclose(file);
}

static void assert_holds(const char *name, const char *text) {
  char found[64] = {0};
  FILE *file = fopen(name, "r");
  assert_non_null(file);
  size_t size = fread(found, 1, sizeof found - 1, file);
  fclose(file);
  assert_int_equal(size, strlen(text));
  assert_string_equal(found, text);
}

static enum mr_kind download(const char *text, bool finish) {
  struct mr_sink sink;
  struct mr_error error = {0};
  enum mr_kind kind = mr_sink_init(&sink, path, &error);
  if (!kind) kind = mr_sink_open(&sink, &error);
  if (!kind) kind = mr_sink_write(&sink, "earlier attempt", 15, &error);
  if (!kind) kind = mr_sink_open(&sink, &error);
  if (!kind) kind = mr_sink_write(&sink, text, strlen(text), &error);
  if (!kind && finish) kind = mr_sink_finish(&sink, &error);
  mr_sink_free(&sink);
  return kind;
}

static void is_whole_or_not_there(void **state) {
  (void)state;
  assert_int_equal(download("half", false), MR_NONE);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(download("whole", true), MR_NONE);
  assert_holds(path, "whole");
  assert_int_equal(download("half", false), MR_NONE);
  assert_holds(path, "whole");
  unlink(path);
}

static int count_files(void) {
  int count = 0;
  DIR *entries = opendir(folder);
  assert_non_null(entries);
  for (struct dirent *entry; (entry = readdir(entries));)
    if (entry->d_name[0] != '.') count++;
  closedir(entries);
  return count;
}

/* A process that is killed in the middle leaves what is there at that moment. */
static void has_no_name_until_it_is_whole(void **state) {
  (void)state;
  struct mr_sink sink;
  struct mr_error error = {0};
  int probe = open(folder, O_TMPFILE | O_WRONLY, 0600);
  if (probe < 0) skip();
  close(probe);
  assert_int_equal(mr_sink_init(&sink, path, &error), MR_NONE);
  assert_int_equal(mr_sink_open(&sink, &error), MR_NONE);
  assert_int_equal(mr_sink_write(&sink, "half", 4, &error), MR_NONE);
  assert_int_equal(count_files(), 0);
  assert_int_equal(mr_sink_finish(&sink, &error), MR_NONE);
  assert_int_equal(count_files(), 1);
  mr_sink_free(&sink);
  unlink(path);
}

/* Of a download that has come to its end nothing is lost when the program opens too much beside it. */
static void needs_no_other_descriptor(void **state) {
  (void)state;
  struct mr_sink sink;
  struct mr_error error = {0};
  struct rlimit before, few;
  assert_int_equal(mr_sink_init(&sink, path, &error), MR_NONE);
  assert_int_equal(mr_sink_open(&sink, &error), MR_NONE);
  assert_int_equal(mr_sink_write(&sink, "whole", 5, &error), MR_NONE);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  few = before;
  few.rlim_cur = (rlim_t)sink.descriptor + 1;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
  bool is_full = dup(sink.descriptor) < 0;
  enum mr_kind kind = mr_sink_finish(&sink, &error);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_true(is_full);
  assert_int_equal(kind, MR_NONE);
  assert_holds(path, "whole");
  mr_sink_free(&sink);
  unlink(path);
}

/* Of two-byte characters, so that the beginning of one can be cut in the middle. */
static void make_long_name(char *name, size_t length) {
  int size = snprintf(name, sizeof folder + 1, "%s/", folder);
  for (size_t i = 0; i < length; i++)
    name[size + (int)i] = i % 2 ? '\x84' : '\xC3';
  name[size + (int)length] = '\0';
}

static enum mr_kind download_to(const char *name, struct mr_error *error) {
  struct mr_sink sink;
  enum mr_kind kind = mr_sink_init(&sink, name, error);
  if (!kind) kind = mr_sink_open(&sink, error);
  if (!kind) kind = mr_sink_write(&sink, "whole", 5, error);
  if (!kind) kind = mr_sink_finish(&sink, error);
  mr_sink_free(&sink);
  return kind;
}

/* Also where a temporary name is needed, because something stands there. */
static void names_may_be_as_long_as_the_system_has_them(void **state) {
  (void)state;
  char name[600];
  struct mr_error error = {0};
  make_long_name(name, 254);
  memcpy(name + strlen(name), "x", 2);
  assert_int_equal(download_to(name, &error), MR_NONE);
  assert_int_equal(download_to(name, &error), MR_NONE);
  assert_holds(name, "whole");
  unlink(name);
}

static void names_that_are_too_long_are_told_first(void **state) {
  (void)state;
  char name[600];
  struct mr_sink sink;
  struct mr_error error = {0};
  make_long_name(name, 256);
  assert_int_equal(mr_sink_init(&sink, name, &error), MR_NONE);
  assert_int_equal(mr_sink_open(&sink, &error), MR_IO);
  assert_non_null(strstr(error.message, "File name too long"));
  mr_sink_free(&sink);
}

static void can_be_in_the_current_folder(void **state) {
  (void)state;
  char before[200];
  struct mr_sink sink;
  struct mr_error error = {0};
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(folder), 0);
  assert_int_equal(mr_sink_init(&sink, "target", &error), MR_NONE);
  assert_int_equal(mr_sink_open(&sink, &error), MR_NONE);
  assert_int_equal(mr_sink_finish(&sink, &error), MR_NONE);
  mr_sink_free(&sink);
  assert_int_equal(chdir(before), 0);
  assert_holds(path, "");
  unlink(path);
}

static void keeps_the_mode_of_what_it_replaces(void **state) {
  (void)state;
  struct stat facts;
  static const mode_t modes[] = {0600, 0664, 0666};
  mode_t mask = umask(022);
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    write_file(path, "old");
    assert_int_equal(chmod(path, modes[i]), 0);
    assert_int_equal(download("new", true), MR_NONE);
    assert_int_equal(stat(path, &facts), 0);
    assert_int_equal(facts.st_mode & 0777, modes[i]);
    unlink(path);
  }
  umask(mask);
}

static void follows_a_link_to_a_file(void **state) {
  (void)state;
  struct stat facts;
  write_file(other, "old");
  assert_int_equal(symlink(other, path), 0);
  assert_int_equal(download("new", true), MR_NONE);
  assert_holds(other, "new");
  assert_int_equal(lstat(path, &facts), 0);
  assert_true(S_ISLNK(facts.st_mode));
  unlink(path);
  unlink(other);
}

static void leaves_alone_what_is_no_file(void **state) {
  (void)state;
  struct stat facts;
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(download("new", true), MR_IO);
  assert_int_equal(stat(path, &facts), 0);
  assert_true(S_ISFIFO(facts.st_mode));
  unlink(path);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(download("new", true), MR_IO);
  rmdir(path);
}

static void uploads_begin_where_they_are_told(void **state) {
  (void)state;
  struct mr_source source;
  struct mr_error error = {0};
  char bytes[16] = {0};
  write_file(path, "0123456789");
  assert_int_equal(mr_source_open(&source, path, &error), MR_NONE);
  source.offset = 4;
  assert_int_equal(mr_source_read(&source, bytes, 3), 3);
  assert_string_equal(bytes, "456");
  assert_int_equal(truncate(path, 5), 0);
  assert_int_equal(mr_source_read(&source, bytes, 3), -1);
  mr_source_free(&source);
  unlink(path);
  assert_int_equal(mr_source_open(&source, path, &error), MR_IO);
  mr_source_free(&source);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(mr_source_open(&source, path, &error), MR_IO);
  mr_source_free(&source);
  unlink(path);
}

static void expect_no_place(const char *target, const char *words) {
  struct mr_sink sink;
  struct mr_error error = {0};
  assert_int_equal(mr_sink_init(&sink, target, &error), MR_NONE);
  assert_int_equal(mr_sink_check(&sink, &error), MR_IO);
  assert_non_null(strstr(error.message, words));
  mr_sink_free(&sink);
}

static void bad_places_are_told_before_anything_is_made(void **state) {
  (void)state;
  char inside[300];
  snprintf(inside, sizeof inside, "%s/missing/target", folder);
  expect_no_place(inside, "No such file or directory");
  expect_no_place(folder, "no regular file");
  write_file(path, "no folder");
  snprintf(inside, sizeof inside, "%s/target", path);
  expect_no_place(inside, "Not a directory");
  unlink(path);
}

static void a_good_place_is_left_as_it_is(void **state) {
  (void)state;
  struct mr_sink sink;
  struct mr_error error = {0};
  assert_int_equal(mr_sink_init(&sink, path, &error), MR_NONE);
  assert_int_equal(mr_sink_check(&sink, &error), MR_NONE);
  assert_int_equal(access(path, F_OK), -1);
  mr_sink_free(&sink);
}

static void survives_without_memory(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    write_file(path, "old");
    bool good = download("new", true) ==
                MR_NONE; /* so it is without a name for the folder: beside the target, then */
    assert_holds(path, good ? "new" : "old");
  }
  failing_allocator_remove(&memory);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_whole_or_not_there),
      cmocka_unit_test(has_no_name_until_it_is_whole),
      cmocka_unit_test(needs_no_other_descriptor),
      cmocka_unit_test(names_may_be_as_long_as_the_system_has_them),
      cmocka_unit_test(names_that_are_too_long_are_told_first),
      cmocka_unit_test(can_be_in_the_current_folder),
      cmocka_unit_test(keeps_the_mode_of_what_it_replaces),
      cmocka_unit_test(follows_a_link_to_a_file),
      cmocka_unit_test(leaves_alone_what_is_no_file),
      cmocka_unit_test(uploads_begin_where_they_are_told),
      cmocka_unit_test(bad_places_are_told_before_anything_is_made),
      cmocka_unit_test(a_good_place_is_left_as_it_is),
      cmocka_unit_test(survives_without_memory),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
