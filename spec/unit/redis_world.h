/*
** A keeper of limits in Redis, against a Redis that says what the test tells it,
** and on a clock that stands still.
*/
#ifndef REDIS_WORLD_H
#define REDIS_WORLD_H

#include "failing_allocator.h"
#include "redis_peer.h"

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

static inline void open_keeper(struct fixture *f, const char *url_format) {
  char url[128];
  snprintf(url, sizeof(url), url_format, f->peer.port);
  f->keeper = mr_keeper_redis.open(&f->clock.clock, url, &f->error);
}

static inline void open_fixture(struct fixture *f, const char *url_format) {
  *f = (struct fixture){0};
  mr_virtual_clock_init(&f->clock, 1000 * MR_SECOND, 0);
  redis_peer_open(&f->peer);
  open_keeper(f, url_format);
  if (!f->keeper) fail_msg("%s", f->error.message);
}

static inline void close_fixture(struct fixture *f) {
  mr_keeper_redis.close(f->keeper);
  redis_peer_close(&f->peer);
}

static inline enum mr_keeper_state step(struct fixture *f) {
  enum mr_keeper_state state = mr_keeper_redis.step(f->keeper, &f->error);
  redis_peer_pump(&f->peer);
  return state;
}

/* Loopback takes a moment, which is not the clock's. */
static inline void let_pass(void) {
  poll(NULL, 0, 1);
}

static inline void step_until(struct fixture *f, enum mr_keeper_state wanted) {
  for (int look = 0; look < 2000; look++) {
    if (step(f) == wanted) return;
    let_pass();
  }
  fail_msg("the keeper does not come to state %d: %s", wanted, f->error.message);
}

static inline struct redis_peer_command next_command(struct fixture *f) {
  struct redis_peer_command command;
  for (int look = 0; look < 2000; look++) {
    step(f);
    if (redis_peer_next(&f->peer, &command)) return command;
    let_pass();
  }
  fail_msg("no command comes: %s", f->error.message);
  return command;
}

static inline void skip_command(struct fixture *f) {
  struct redis_peer_command command = next_command(f);
  redis_peer_forget(&command);
}

static inline void expect(struct fixture *f, const char *words) {
  struct redis_peer_command command = next_command(f);
  char all[16384] = "";
  for (int i = 0; i < command.count; i++)
    strncat(strncat(all, i ? " " : "", 2), command.words[i], 8000);
  assert_string_equal(all, words);
  redis_peer_forget(&command);
}

static inline void expect_script(struct fixture *f) {
  struct redis_peer_command command = next_command(f);
  assert_int_equal(command.count, 3);
  assert_string_equal(command.words[0], "SCRIPT");
  assert_string_equal(command.words[2], mr_redis_script);
  redis_peer_forget(&command);
}

static inline void get_ready(struct fixture *f) {
  expect_script(f);
  redis_peer_say(&f->peer, "$40\r\n" SHA "\r\n");
  step_until(f, MR_KEEPER_HERE);
}

static inline struct mr_keeper_ask ask_of(uint64_t tag) {
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

static inline bool ask(struct fixture *f, uint64_t tag) {
  struct mr_keeper_ask ask = ask_of(tag);
  return mr_keeper_redis.ask(f->keeper, &ask);
}

static inline struct mr_keeper_answer await_answer(struct fixture *f) {
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
static inline void say_slots(struct fixture *f, int64_t now_us, int64_t first_us,
                             int64_t second_us) {
  long long numbers[] = {now_us, 4, 0, first_us, second_us};
  char bytes[512] = "*5\r\n", number[64];
  for (size_t i = 0; i < 5; i++) {
    snprintf(number, sizeof(number), "%lld", numbers[i]);
    snprintf(bytes + strlen(bytes), sizeof(bytes) - strlen(bytes), "$%zu\r\n%s\r\n", strlen(number),
             number);
  }
  redis_peer_say(&f->peer, bytes);
}

#endif
