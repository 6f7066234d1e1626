/*
** What a keeper asks its Redis, and what it makes of the answers.
*/
#include "redis_world.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_asks_what_the_script_wants),
                                     cmocka_unit_test(test_slots_are_told_on_our_clock),
                                     cmocka_unit_test(test_a_server_clock_that_jumps),
                                     cmocka_unit_test(test_a_slow_exchange_tells_less),
                                     cmocka_unit_test(test_errors_of_the_script),
                                     cmocka_unit_test(test_answers_of_another_shape),
                                     cmocka_unit_test(test_an_answer_in_crumbs),
                                     cmocka_unit_test(test_many_asks_under_way),
                                     cmocka_unit_test(test_an_answer_that_does_not_come)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
