/*
** How a keeper comes to its Redis, and how it loses it.
*/
#include "redis_world.h"

#include <netdb.h>

/*
** {======================================================
** Greeting
** =======================================================
*/

static void test_says_who_it_is(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://alice:s3cret@127.0.0.1:%d/3");
  expect(&f, "AUTH alice s3cret");
  expect(&f, "SELECT 3");
  expect_script(&f);
  redis_peer_say(&f.peer, "+OK\r\n+OK\r\n");
  assert_int_equal(step(&f), MR_KEEPER_COMING);
  redis_peer_say(&f.peer, "$40\r\n" SHA "\r\n");
  step_until(&f, MR_KEEPER_HERE);
  close_fixture(&f);
  open_fixture(&f, "redis://:s3cret@127.0.0.1:%d");
  expect(&f, "AUTH s3cret");
  expect_script(&f);
  close_fixture(&f);
}

static void test_a_wrong_password(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://:s3cret@127.0.0.1:%d");
  expect(&f, "AUTH s3cret");
  redis_peer_say(&f.peer, "-WRONGPASS invalid username-password pair\r\n");
  step_until(&f, MR_KEEPER_AWAY);
  assert_non_null(strstr(f.error.message, "refuses: WRONGPASS"));
  assert_null(strstr(f.error.message, "s3cret"));
  close_fixture(&f);
}

/* Where AUTH was renamed. */
static void test_a_password_that_is_repeated(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://:s3cret@127.0.0.1:%d");
  expect(&f, "AUTH s3cret");
  redis_peer_say(&f.peer, "-ERR unknown command 'AUTH', with args beginning with: 's3cret' \r\n");
  step_until(&f, MR_KEEPER_AWAY);
  assert_non_null(strstr(f.error.message, "refuses: ERR unknown command 'AUTH'"));
  assert_null(strstr(f.error.message, "s3cret"));
  close_fixture(&f);
}

/* It looks again a second to one and a half later, not before. */
static void test_comes_back_later(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  expect_script(&f);
  redis_peer_say(&f.peer, "-LOADING Redis is loading\r\n");
  step_until(&f, MR_KEEPER_AWAY);
  f.clock.now_us += 999 * MR_MILLISECOND;
  assert_int_equal(step(&f), MR_KEEPER_AWAY);
  f.clock.now_us += 501 * MR_MILLISECOND;
  assert_int_equal(step(&f), MR_KEEPER_COMING);
  get_ready(&f);
  assert_int_equal(f.peer.accepted, 2);
  close_fixture(&f);
}

static void test_nobody_is_there(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  redis_peer_close(&f.peer);
  step_until(&f, MR_KEEPER_AWAY);
  assert_non_null(strstr(f.error.message, "cannot be reached: Connection refused"));
  close_fixture(&f);
}

static void test_a_greeting_that_stalls(void **state) {
  (void)state;
  const char *const urls[] = {"redis://127.0.0.1:%d", "rediss://127.0.0.1:%d"};
  for (size_t i = 0; i < 2; i++) {
    struct fixture f;
    open_fixture(&f, urls[i]);
    f.peer.is_deaf = true;
    for (int look = 0; look < 5; look++)
      assert_int_equal(step(&f), MR_KEEPER_COMING);
    f.clock.now_us += 2 * MR_SECOND;
    assert_int_equal(step(&f), MR_KEEPER_COMING);
    f.clock.now_us += 1;
    assert_int_equal(step(&f), MR_KEEPER_AWAY);
    assert_non_null(strstr(f.error.message, i ? "not in TLS" : "does not answer"));
    close_fixture(&f);
  }
}

static void test_what_nobody_understands(void **state) {
  (void)state;
  const char *const words[] = {"HTTP/1.1 400 Bad Request\r\n", "*99999999999999999999\r\n",
                               "$-7\r\n", "\x15\x03\x01\x00\x02\x02\x16", "\r\n"};
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    struct fixture f;
    open_fixture(&f, "redis://127.0.0.1:%d");
    expect_script(&f);
    redis_peer_say(&f.peer, words[i]);
    if (i == 3) redis_peer_hang_up(&f.peer);
    step_until(&f, MR_KEEPER_AWAY);
    assert_non_null(strstr(f.error.message, "127.0.0.1"));
    close_fixture(&f);
  }
}

/* }====================================================== */

/*
** {======================================================
** Connections that end
** =======================================================
*/

static void test_an_idle_connection_that_ends(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  redis_peer_hang_up(&f.peer);
  step_until(&f, MR_KEEPER_COMING); /* at once, and without a word */
  get_ready(&f);
  assert_int_equal(f.peer.accepted, 2);
  close_fixture(&f);
}

static void test_a_connection_that_ends_in_an_ask(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  assert_true(ask(&f, 1));
  skip_command(&f);
  redis_peer_hang_up(&f.peer);
  step_until(&f, MR_KEEPER_AWAY);
  assert_non_null(strstr(f.error.message, "is gone"));
  f.clock.now_us += 2 * MR_SECOND;
  step(&f);
  get_ready(&f);
  assert_true(ask(&f, 2));
  skip_command(&f);
  say_slots(&f, 1, 1, 1);
  assert_int_equal(await_answer(&f).tag, 2);
  close_fixture(&f);
}

static void read_name(struct fixture *f, char name[32]) {
  assert_true(ask(f, 1));
  struct redis_peer_command command = next_command(f);
  snprintf(name, 32, "%s", command.words[11]);
  redis_peer_forget(&command);
}

static void test_a_child_is_somebody_else(void **state) {
  (void)state;
  struct fixture f;
  char name[32], other[32];
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  read_name(&f, name);
  mr_keeper_redis.forked(f.keeper);
  assert_false(ask(&f, 1));
  get_ready(&f);
  assert_int_equal(f.peer.accepted, 2);
  read_name(&f, other);
  assert_string_not_equal(name, other);
  close_fixture(&f);
}

/* }====================================================== */

/*
** {======================================================
** A name with several addresses
** =======================================================
*/

static int second_port; /* of "two.test": the first address is dead, the second has this port */

int __real_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found) {
  if (strcmp(host, "two.test") != 0) return __real_getaddrinfo(host, port, hints, found);
  char other[16];
  snprintf(other, sizeof(other), "%d", second_port);
  int code = __real_getaddrinfo("127.0.0.1", "1", hints, found);
  return code ? code : __real_getaddrinfo("127.0.0.1", other, hints, &(*found)->ai_next);
}

static void test_another_address_of_a_name(void **state) {
  (void)state;
  struct fixture f = {0};
  mr_virtual_clock_init(&f.clock, 1000 * MR_SECOND, 0);
  redis_peer_open(&f.peer);
  second_port = f.peer.port;
  open_keeper(&f, "redis://two.test:1");
  get_ready(&f); /* it was never away */
  assert_string_equal(f.error.message, "");
  redis_peer_hang_up(&f.peer);
  redis_peer_close(&f.peer);
  step_until(&f, MR_KEEPER_AWAY);
  assert_non_null(strstr(f.error.message, "Redis at two.test:1 cannot be reached"));
  close_fixture(&f);
}

/* }====================================================== */

/* It is then away, or not there at all. */
static void test_out_of_memory(void **state) {
  (void)state;
  struct failing_allocator memory;
  struct mr_keeper_answer answer;
  failing_allocator_install(&memory);
  memory.needle = "s3cret";
  int asked = 0;
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct fixture f = {0};
    mr_virtual_clock_init(&f.clock, 1000 * MR_SECOND, 0);
    redis_peer_open(&f.peer);
    open_keeper(&f, "redis://:s3cret@127.0.0.1:%d");
    enum mr_keeper_state state_now = f.keeper ? step(&f) : MR_KEEPER_AWAY;
    if (state_now == MR_KEEPER_COMING) {
      expect(&f, "AUTH s3cret");
      redis_peer_say(&f.peer, "+OK\r\n");
      get_ready(&f);
      asked += ask(&f, 1);
      step(&f);
      assert_false(mr_keeper_redis.answer(f.keeper, &answer));
    } else {
      assert_non_null(strstr(f.error.message, "out of memory"));
    }
    if (f.keeper) mr_keeper_redis.close(f.keeper);
    redis_peer_close(&f.peer);
  }
  assert_true(asked > 0);
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_says_who_it_is),
                                     cmocka_unit_test(test_a_wrong_password),
                                     cmocka_unit_test(test_a_password_that_is_repeated),
                                     cmocka_unit_test(test_comes_back_later),
                                     cmocka_unit_test(test_nobody_is_there),
                                     cmocka_unit_test(test_a_greeting_that_stalls),
                                     cmocka_unit_test(test_what_nobody_understands),
                                     cmocka_unit_test(test_an_idle_connection_that_ends),
                                     cmocka_unit_test(test_a_connection_that_ends_in_an_ask),
                                     cmocka_unit_test(test_a_child_is_somebody_else),
                                     cmocka_unit_test(test_another_address_of_a_name),
                                     cmocka_unit_test(test_out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
