/*
** A keeper of limits in Redis, against a Redis that says what the test tells it,
** and on a clock that stands still.
*/
#include "failing_allocator.h"
#include "redis_peer.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>

#include "core/limiter_redis.h"

#define SHA "0123456789abcdef0123456789abcdef01234567"

struct fixture {
  struct mr_virtual_clock clock;
  struct redis_peer peer;
  void *keeper;
  struct mr_error error;
};

static void open_keeper(struct fixture *f, const char *url_format) {
  char url[128];
  snprintf(url, sizeof(url), url_format, f->peer.port);
  f->keeper = mr_keeper_redis.open(&f->clock.clock, url, &f->error);
}

static void open_fixture(struct fixture *f, const char *url_format) {
  *f = (struct fixture){0};
  mr_virtual_clock_init(&f->clock, 1000 * MR_SECOND, 0);
  redis_peer_open(&f->peer);
  open_keeper(f, url_format);
  if (!f->keeper) fail_msg("%s", f->error.message);
}

static void close_fixture(struct fixture *f) {
  mr_keeper_redis.close(f->keeper);
  redis_peer_close(&f->peer);
}

static enum mr_keeper_state step(struct fixture *f) {
  enum mr_keeper_state state = mr_keeper_redis.step(f->keeper, &f->error);
  redis_peer_pump(&f->peer);
  return state;
}

/* Loopback takes a moment, which is not the clock's. */
static void let_pass(void) {
  poll(NULL, 0, 1);
}

static void step_until(struct fixture *f, enum mr_keeper_state wanted) {
  for (int look = 0; look < 2000; look++) {
    if (step(f) == wanted) return;
    let_pass();
  }
  fail_msg("the keeper does not come to state %d: %s", wanted, f->error.message);
}

static struct redis_peer_command next_command(struct fixture *f) {
  struct redis_peer_command command;
  for (int look = 0; look < 2000; look++) {
    step(f);
    if (redis_peer_next(&f->peer, &command)) return command;
    let_pass();
  }
  fail_msg("no command comes: %s", f->error.message);
  return command;
}

static void skip_command(struct fixture *f) {
  struct redis_peer_command command = next_command(f);
  redis_peer_forget(&command);
}

static void expect(struct fixture *f, const char *words) {
  struct redis_peer_command command = next_command(f);
  char all[16384] = "";
  for (int i = 0; i < command.count; i++)
    strncat(strncat(all, i ? " " : "", 2), command.words[i], 8000);
  assert_string_equal(all, words);
  redis_peer_forget(&command);
}

static void expect_script(struct fixture *f) {
  struct redis_peer_command command = next_command(f);
  assert_int_equal(command.count, 3);
  assert_string_equal(command.words[0], "SCRIPT");
  assert_string_equal(command.words[2], mr_redis_script);
  redis_peer_forget(&command);
}

static void get_ready(struct fixture *f) {
  expect_script(f);
  redis_peer_say(&f->peer, "$40\r\n" SHA "\r\n");
  step_until(f, MR_KEEPER_HERE);
}

static struct mr_keeper_ask ask_of(uint64_t tag) {
  return (struct mr_keeper_ask){.tag = tag,
                                .window_count = 1,
                                .units = 3,
                                .windows = {{.key = "a/b",
                                             .count = 10,
                                             .period_us = MR_SECOND,
                                             .hold_us = 1020 * MR_MILLISECOND,
                                             .burst = 7}},
                                .horizon_us = MR_SECOND};
}

static bool ask(struct fixture *f, uint64_t tag) {
  struct mr_keeper_ask ask = ask_of(tag);
  return mr_keeper_redis.ask(f->keeper, &ask);
}

static struct mr_keeper_answer await_answer(struct fixture *f) {
  struct mr_keeper_answer answer;
  for (int look = 0; look < 2000; look++) {
    step(f);
    if (mr_keeper_redis.answer(f->keeper, &answer)) return answer;
    let_pass();
  }
  fail_msg("no answer comes: %s", f->error.message);
  return answer;
}

/* "{ now, sharers, wait, slot, slot }" as the script says it. */
static void say_slots(struct fixture *f, int64_t now_us, int64_t first_us, int64_t second_us) {
  long long numbers[] = {now_us, 4, 0, first_us, second_us};
  char bytes[512] = "*5\r\n", number[64];
  for (size_t i = 0; i < 5; i++) {
    snprintf(number, sizeof(number), "%lld", numbers[i]);
    snprintf(bytes + strlen(bytes), sizeof(bytes) - strlen(bytes), "$%zu\r\n%s\r\n", strlen(number),
             number);
  }
  redis_peer_say(&f->peer, bytes);
}

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
** Asking
** =======================================================
*/

static void test_asks_what_the_script_wants(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  assert_false(ask(&f, 1)); /* not yet */
  get_ready(&f);
  struct mr_keeper_ask nothing = {.tag = 1};
  assert_false(mr_keeper_redis.ask(f.keeper, &nothing));
  struct mr_keeper_ask two = ask_of(7);
  two.window_count = 2;
  two.windows[1] = two.windows[0];
  two.windows[1].period_us = 60 * MR_SECOND;
  two.careful = true;
  two.pause_us = 5;
  assert_true(mr_keeper_redis.ask(f.keeper, &two));
  struct redis_peer_command command = next_command(&f);
  const char *const words[] = {"EVALSHA",
                               SHA,
                               "5",
                               "moonrest:a/b:1000:held",
                               "moonrest:a/b:1000:state",
                               "moonrest:a/b:60000:held",
                               "moonrest:a/b:60000:state",
                               "moonrest:a/b:1000:sharers",
                               "",
                               "3",
                               "1000000",
                               "5",
                               "1",
                               NULL,
                               "2048",
                               "10",
                               "1020000",
                               "7",
                               "10",
                               "1020000",
                               "7"};
  assert_int_equal(command.count, sizeof(words) / sizeof(*words));
  for (int i = 0; i < command.count; i++)
    if (words[i]) assert_string_equal(command.words[i], words[i]);
  assert_int_equal(strlen(command.words[13]), 16); /* who asks */
  redis_peer_forget(&command);
  close_fixture(&f);
}

/* The server's clock is its own: slots are told on ours, half of the exchange's time between the two. */
static void test_slots_are_told_on_our_clock(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  assert_true(ask(&f, 42));
  skip_command(&f);
  f.clock.now_us += 4 * MR_MILLISECOND;
  say_slots(&f, 5000000000, 5000000000, 5000300000);
  struct mr_keeper_answer answer = await_answer(&f);
  assert_int_equal(answer.tag, 42);
  assert_int_equal(answer.sharers, 4);
  assert_int_equal(answer.slot_count, 2);
  assert_int_equal(answer.slots_us[0], 1000 * MR_SECOND + 2 * MR_MILLISECOND);
  assert_int_equal(answer.slots_us[1] - answer.slots_us[0], 300000);
  close_fixture(&f);
}

static void test_a_server_clock_that_jumps(void **state) {
  (void)state;
  struct fixture f;
  const int64_t day_us = 86400 * MR_SECOND;
  const int64_t jumps_us[] = {0, day_us, -day_us, -1000 * day_us, 3 * MR_SECOND, -3 * MR_SECOND};
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  int64_t server_us = 2000 * day_us;
  for (size_t i = 0; i < sizeof(jumps_us) / sizeof(*jumps_us); i++) {
    server_us += jumps_us[i];
    assert_true(ask(&f, i));
    skip_command(&f);
    f.clock.now_us += 2 * MR_MILLISECOND;
    say_slots(&f, server_us, server_us, server_us + 100000);
    struct mr_keeper_answer answer = await_answer(&f);
    assert_in_range(answer.slots_us[0], f.clock.now_us - 2 * MR_MILLISECOND, f.clock.now_us);
  }
  close_fixture(&f);
}

/* The quickest exchange tells best how far the clocks are apart; a slow one later does not spoil it. */
static void test_a_slow_exchange_tells_less(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  const int64_t took_us[] = {200, 500 * MR_MILLISECOND};
  for (size_t i = 0; i < 2; i++) {
    assert_true(ask(&f, i));
    skip_command(&f);
    int64_t server_us = f.clock.now_us + 7000 * MR_SECOND + 100;
    f.clock.now_us += took_us[i];
    say_slots(&f, server_us, server_us, server_us);
    struct mr_keeper_answer answer = await_answer(&f);
    assert_int_equal(answer.slots_us[0] + took_us[i], f.clock.now_us + 100);
  }
  close_fixture(&f);
}

static void test_errors_of_the_script(void **state) {
  (void)state;
  const char *const words[] = {"-WRONGTYPE Operation against a key holding the wrong kind of value",
                               "-OOM command not allowed when used memory > 'maxmemory'.",
                               "-NOSCRIPT No matching script.",
                               ":7",
                               "$-1",
                               "+OK"};
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    struct fixture f;
    struct mr_keeper_answer answer;
    open_fixture(&f, "redis://127.0.0.1:%d");
    get_ready(&f);
    assert_true(ask(&f, 1));
    skip_command(&f);
    redis_peer_say(&f.peer, words[i]);
    redis_peer_say(&f.peer, "\r\n");
    for (int look = 0; look < 2000 && step(&f) == MR_KEEPER_HERE; look++) {
      assert_false(mr_keeper_redis.answer(f.keeper, &answer));
      let_pass();
    }
    assert_int_equal(step(&f), MR_KEEPER_AWAY);
    assert_non_null(strstr(f.error.message, "refuses"));
    if (words[i][0] == '-') assert_non_null(strstr(f.error.message, words[i] + 1));
    close_fixture(&f);
  }
}

static void test_answers_of_another_shape(void **state) {
  (void)state;
  const char *const words[] = {"*0\r\n", "*1\r\n$1\r\n7\r\n",
                               "*4\r\n:1\r\n:2\r\n*1\r\n:3\r\n$-1\r\n",
                               ("*4\r\n$1\r\nx\r\n$0\r\n\r\n$2\r\n-1\r\n$30\r\n"
                                "999999999999999999999999999999\r\n")};
  for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
    struct fixture f;
    open_fixture(&f, "redis://127.0.0.1:%d");
    get_ready(&f);
    assert_true(ask(&f, 9));
    skip_command(&f);
    redis_peer_say(&f.peer, words[i]);
    struct mr_keeper_answer answer = await_answer(&f);
    assert_int_equal(answer.tag, 9);
    assert_in_range(answer.slot_count, 0, 1);
    assert_true(answer.sharers >= 0 && answer.wait_us >= 0);
    close_fixture(&f);
  }
}

static void test_an_answer_in_crumbs(void **state) {
  (void)state;
  struct fixture f;
  struct mr_keeper_answer answer;
  const char word[] = "*4\r\n$1\r\n7\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n8\r\n";
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  assert_true(ask(&f, 9));
  skip_command(&f);
  for (size_t i = 0; i + 2 < sizeof(word); i++) {
    redis_peer_say(&f.peer, (char[]){word[i], '\0'});
    assert_int_equal(step(&f), MR_KEEPER_HERE);
    assert_false(mr_keeper_redis.answer(f.keeper, &answer));
  }
  redis_peer_say(&f.peer, "\n");
  answer = await_answer(&f);
  assert_int_equal(answer.sharers, 2);
  assert_int_equal(answer.wait_us, 3);
  assert_int_equal(answer.slot_count, 1);
  close_fixture(&f);
}

static void test_many_asks_under_way(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  uint64_t asked = 0;
  while (ask(&f, asked))
    asked++;
  assert_int_equal(asked, 64);
  for (uint64_t tag = 0; tag < 2 * asked; tag++) { /* each answer makes room for one more */
    skip_command(&f);
    say_slots(&f, 1, 1, 1);
    assert_int_equal(await_answer(&f).tag, tag);
    assert_true(ask(&f, asked + tag));
  }
  close_fixture(&f);
}

static void test_an_answer_that_does_not_come(void **state) {
  (void)state;
  struct fixture f;
  open_fixture(&f, "redis://127.0.0.1:%d");
  get_ready(&f);
  f.clock.now_us += 3600 * MR_SECOND; /* idle as long as it likes */
  assert_int_equal(step(&f), MR_KEEPER_HERE);
  assert_true(ask(&f, 1));
  f.clock.now_us += MR_SECOND;
  assert_int_equal(step(&f), MR_KEEPER_HERE);
  f.clock.now_us += 1;
  assert_int_equal(step(&f), MR_KEEPER_AWAY);
  assert_non_null(strstr(f.error.message, "does not answer in time"));
  assert_false(ask(&f, 2));
  close_fixture(&f);
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
                                     cmocka_unit_test(test_comes_back_later),
                                     cmocka_unit_test(test_nobody_is_there),
                                     cmocka_unit_test(test_a_greeting_that_stalls),
                                     cmocka_unit_test(test_what_nobody_understands),
                                     cmocka_unit_test(test_asks_what_the_script_wants),
                                     cmocka_unit_test(test_slots_are_told_on_our_clock),
                                     cmocka_unit_test(test_a_server_clock_that_jumps),
                                     cmocka_unit_test(test_a_slow_exchange_tells_less),
                                     cmocka_unit_test(test_errors_of_the_script),
                                     cmocka_unit_test(test_answers_of_another_shape),
                                     cmocka_unit_test(test_an_answer_in_crumbs),
                                     cmocka_unit_test(test_many_asks_under_way),
                                     cmocka_unit_test(test_an_answer_that_does_not_come),
                                     cmocka_unit_test(test_an_idle_connection_that_ends),
                                     cmocka_unit_test(test_a_connection_that_ends_in_an_ask),
                                     cmocka_unit_test(test_a_child_is_somebody_else),
                                     cmocka_unit_test(test_another_address_of_a_name),
                                     cmocka_unit_test(test_out_of_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
