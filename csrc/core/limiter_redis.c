#include "limiter_redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "memory.h"
#include "random.h"
#include "redis_address.h"
#include "redis_tls.h"
#include "redis_wire.h"

#define UNDER_WAY  64 /* asks without an answer yet */
#define CONNECT_US (2 * MR_SECOND)
#define ANSWER_US  MR_SECOND
#define RETRY_US   MR_SECOND
#define DRIFT_PART 5000 /* of the time between two clocks' comparisons they may have drifted */
#define OUTPUT_MAX (1024 * 1024)
#define EXACT_MAX  (INT64_C(1) << 53)
#define CELLS      2048 /* of a window, about: larger ones are counted in slices */
#define WORDS      (3 + 7 + 3 * MR_KEEPER_WINDOWS + 2 * MR_KEEPER_WINDOWS + 1)
#define WORD_SIZE  32
#define KEY_SIZE   1100

enum phase { AWAY, CONNECTING, GREETING, READY };

struct keeper {
  struct mr_clock clock;
  struct mr_redis_address address;
  struct mr_redis_tls *tls; /* NULL: plain */
  struct mr_redis_wire wire;
  uint32_t endpoint; /* where it connects, or will */
  enum phase phase;
  int64_t since_us, retry_us;
  uint32_t greetings; /* answers until ready */
  char sha[64], who[WORD_SIZE];
  redisReader *reader;
  struct mr_buffer output;
  size_t written;
  struct under_way {
    uint64_t tag;
    int64_t sent_us;
  } asks[UNDER_WAY];
  uint32_t first, count;
  /* Our clock less the server's, and how well that is known. */
  int64_t offset_us, offset_took_us, offset_at_us;
  struct mr_random random;
  struct mr_error error; /* why it is away */
};

/*
** {======================================================
** The connection
** =======================================================
*/

static void hang_up(struct keeper *keeper) {
  mr_redis_wire_close(&keeper->wire);
  if (keeper->reader) redisReaderFree(keeper->reader);
  keeper->reader = NULL;
  mr_buffer_clear(&keeper->output);
  keeper->written = 0;
  keeper->count = 0;
}

/* Another of the name's endpoints is tried next. */
static void go_away(struct keeper *keeper, const char *what, const char *why) {
  bool tell = why && why[0];
  mr_fail(&keeper->error, MR_IO, "Redis at %.80s %s%s%.130s", keeper->address.name, what,
          tell ? ": " : "", tell ? why : "");
  hang_up(keeper);
  keeper->endpoint = (keeper->endpoint + 1) % keeper->address.endpoint_count;
  keeper->phase = AWAY;
  keeper->retry_us =
      mr_clock_now(&keeper->clock) + RETRY_US + mr_random_below(&keeper->random, RETRY_US / 2);
}

static bool send_words(struct keeper *keeper, int count, const char **words, const size_t *sizes) {
  char *bytes = NULL;
  int size = redisFormatCommandArgv(&bytes, count, words, sizes);
  if (size < 0) return false;
  bool good = mr_buffer_append(&keeper->output, bytes, (size_t)size) == MR_NONE;
  mr_wipe(bytes, (size_t)size);
  redisFreeCommand(bytes);
  return good;
}

static bool greet(struct keeper *keeper) {
  const struct mr_redis_address *address = &keeper->address;
  const char *login[] = {"AUTH", address->user, address->password};
  const char *plain_login[] = {"AUTH", address->password};
  const char *choice[] = {"SELECT", address->database};
  const char *script[] = {"SCRIPT", "LOAD", mr_redis_script};
  bool good = true;
  keeper->greetings = 1;
  if (address->password[0]) {
    keeper->greetings++;
    good = address->user[0] ? send_words(keeper, 3, login, NULL)
                            : send_words(keeper, 2, plain_login, NULL);
  }
  if (address->database[0]) {
    keeper->greetings++;
    good = good && send_words(keeper, 2, choice, NULL);
  }
  return good && send_words(keeper, 3, script, NULL);
}

static void begin(struct keeper *keeper);

/* Where none of a name's endpoints was reached yet the next one is, at once. */
static void lose(struct keeper *keeper, const char *why) {
  bool connecting = keeper->phase == CONNECTING;
  bool more = connecting && keeper->endpoint + 1 < keeper->address.endpoint_count;
  go_away(keeper,
          keeper->phase == READY ? "is gone"
          : connecting           ? "cannot be reached"
                                 : "hung up",
          why);
  if (more) begin(keeper);
}

static void begin(struct keeper *keeper) {
  const struct mr_redis_endpoint *endpoint = &keeper->address.endpoints[keeper->endpoint];
  char why[MR_REDIS_WHY];
  keeper->since_us = mr_clock_now(&keeper->clock);
  keeper->phase = CONNECTING;
  keeper->reader = redisReaderCreate();
  if (!keeper->reader || !greet(keeper))
    go_away(keeper, "cannot be greeted", "out of memory");
  else if (!mr_redis_wire_open(&keeper->wire, endpoint, keeper->tls, why))
    lose(keeper, why);
}

static bool is_open(const struct keeper *keeper) {
  return keeper->wire.socket >= 0;
}

/* Bytes wait in the output until the connection is there: a send tells, too, whether it came about. */
static void flush(struct keeper *keeper) {
  while (is_open(keeper) && keeper->written < keeper->output.size) {
    char why[MR_REDIS_WHY];
    long sent = mr_redis_wire_send(&keeper->wire, keeper->output.data + keeper->written,
                                   keeper->output.size - keeper->written, why);
    if (sent == 0) return;
    if (sent < 0) {
      lose(keeper, why);
      return;
    }
    if (keeper->phase == CONNECTING) keeper->phase = GREETING;
    keeper->written += (size_t)sent;
  }
  if (is_open(keeper) && keeper->written > 0) {
    mr_buffer_clear(&keeper->output);
    keeper->written = 0;
  }
}

static void fill(struct keeper *keeper) {
  char bytes[16384], why[MR_REDIS_WHY];
  while (is_open(keeper) && keeper->phase != CONNECTING) {
    long got = mr_redis_wire_receive(&keeper->wire, bytes, sizeof(bytes), why);
    if (got == 0) return;
    if (got > 0) {
      if (redisReaderFeed(keeper->reader, bytes, (size_t)got) != REDIS_OK)
        go_away(keeper, "says what nobody understands", NULL);
      continue;
    }
    bool idle = keeper->phase == READY && keeper->count == 0; /* nothing is lost */
    if (!idle) {
      lose(keeper, why);
      return;
    }
    hang_up(keeper);
    begin(keeper);
    return;
  }
}

/* NULL: none yet, or the connection is lost. */
static redisReply *next_reply(struct keeper *keeper) {
  void *reply = NULL;
  if (!keeper->reader) return NULL;
  if (redisReaderGetReply(keeper->reader, &reply) == REDIS_OK) return reply;
  go_away(keeper, "says what nobody understands", NULL);
  return NULL;
}

/* Redis repeats the words of a command that it does not know: the password, where somebody has renamed AUTH. */
static const char *without_words(char *refusal) {
  char *words = strstr(refusal, ", with args");
  if (words) *words = '\0';
  return refusal;
}

static void hear_greeting(struct keeper *keeper) {
  redisReply *reply;
  while (keeper->phase == GREETING && (reply = next_reply(keeper))) {
    bool last = --keeper->greetings == 0;
    if (reply->type == REDIS_REPLY_ERROR)
      go_away(keeper, "refuses", without_words(reply->str));
    else if (last && reply->type == REDIS_REPLY_STRING)
      snprintf(keeper->sha, sizeof(keeper->sha), "%s", reply->str);
    if (last && keeper->phase == GREETING) keeper->phase = READY;
    freeReplyObject(reply);
  }
}

static void watch_time(struct keeper *keeper) {
  int64_t now_us = mr_clock_now(&keeper->clock);
  bool greeting = keeper->phase == CONNECTING || keeper->phase == GREETING;
  bool waiting = keeper->phase == READY && keeper->count > 0;
  if (greeting && now_us - keeper->since_us > CONNECT_US)
    go_away(keeper,
            keeper->phase == CONNECTING && keeper->tls ? "does not answer, or not in TLS"
                                                       : "does not answer",
            NULL);
  else if (waiting && now_us - keeper->asks[keeper->first].sent_us > ANSWER_US)
    go_away(keeper, "does not answer in time", NULL);
  else if (keeper->phase == AWAY && now_us >= keeper->retry_us)
    begin(keeper);
}

static enum mr_keeper_state keeper_step(void *context, struct mr_error *error) {
  struct keeper *keeper = context;
  watch_time(keeper);
  flush(keeper);
  fill(keeper);
  hear_greeting(keeper);
  if (keeper->phase == AWAY) *error = keeper->error;
  if (keeper->phase == READY) return MR_KEEPER_HERE;
  return keeper->phase == AWAY ? MR_KEEPER_AWAY : MR_KEEPER_COMING;
}

/* }====================================================== */

/*
** {======================================================
** Asking
** =======================================================
*/

struct command {
  const char *words[WORDS];
  size_t sizes[WORDS];
  int count;
  char numbers[WORDS][WORD_SIZE];
  char keys[2 * MR_KEEPER_WINDOWS + 1][KEY_SIZE];
  int key_count;
};

static void add_word(struct command *command, const char *word) {
  command->words[command->count] = word;
  command->sizes[command->count++] = strlen(word);
}

static void add_number(struct command *command, int64_t number) {
  char *text = command->numbers[command->count];
  snprintf(text, WORD_SIZE, "%lld", (long long)number);
  add_word(command, text);
}

static void add_key(struct command *command, const struct mr_keeper_window *window,
                    const char *what) {
  char *text = command->keys[command->key_count++];
  snprintf(text, KEY_SIZE, "moonrest:%s:%lld:%s", window->key,
           (long long)(window->period_us / MR_MILLISECOND), what);
  add_word(command, text);
}

static void fill_command(struct command *command, const struct keeper *keeper,
                         const struct mr_keeper_ask *ask) {
  add_word(command, "EVALSHA");
  add_word(command, keeper->sha);
  add_number(command, 2 * ask->window_count + 1);
  for (uint32_t i = 0; i < ask->window_count; i++) {
    add_key(command, &ask->windows[i], "held");
    add_key(command, &ask->windows[i], "state");
  }
  add_key(command, &ask->windows[0], "sharers");
  add_word(command, ""); /* the server's time */
  add_number(command, ask->units);
  add_number(command, ask->horizon_us);
  add_number(command, ask->pause_us);
  add_number(command, ask->careful);
  add_word(command, keeper->who);
  add_number(command, CELLS);
  for (uint32_t i = 0; i < ask->window_count; i++) {
    add_number(command, ask->windows[i].count);
    add_number(command, ask->windows[i].hold_us);
    add_number(command, ask->windows[i].burst);
  }
}

static bool keeper_ask(void *context, const struct mr_keeper_ask *ask) {
  struct keeper *keeper = context;
  if (keeper->phase != READY || keeper->count == UNDER_WAY || ask->window_count == 0) return false;
  struct command *command = mr_alloc_zero(1, sizeof(*command));
  if (!command) return false;
  fill_command(command, keeper, ask);
  bool sent = send_words(keeper, command->count, command->words, command->sizes);
  mr_free(command);
  if (!sent) return false;
  keeper->asks[(keeper->first + keeper->count++) % UNDER_WAY] =
      (struct under_way){.tag = ask->tag, .sent_us = mr_clock_now(&keeper->clock)};
  flush(keeper);
  return keeper->phase == READY;
}

/* Times in the script are doubles: what is beyond their integers is nothing that it said. */
static int64_t number_at(const redisReply *reply, size_t index) {
  const redisReply *item = index < reply->elements ? reply->element[index] : NULL;
  if (!item || item->type != REDIS_REPLY_STRING) return 0;
  long long number = strtoll(item->str, NULL, 10);
  return number < 0 ? 0 : number > EXACT_MAX ? EXACT_MAX : number;
}

/* The server's clock read 'server_us' somewhere between the ask and its answer, which may have lain here unheard: the
** quickest exchange not long ago tells best. One that contradicts it means that a clock was set. */
static int64_t offset_of(struct keeper *keeper, int64_t server_us, int64_t sent_us,
                         int64_t heard_us) {
  int64_t took_us = heard_us - sent_us;
  int64_t doubt_us = keeper->offset_took_us + (heard_us - keeper->offset_at_us) / DRIFT_PART;
  int64_t expected_us = server_us + keeper->offset_us;
  bool contradicts = expected_us < sent_us - doubt_us || expected_us > heard_us + doubt_us;
  if (keeper->offset_at_us == 0 || took_us <= doubt_us || contradicts) {
    keeper->offset_us = sent_us + took_us / 2 - server_us;
    keeper->offset_took_us = took_us;
    keeper->offset_at_us = heard_us;
  }
  return keeper->offset_us;
}

static void read_answer(struct keeper *keeper, const redisReply *reply, int64_t sent_us,
                        int64_t heard_us, struct mr_keeper_answer *answer) {
  int64_t offset_us = offset_of(keeper, number_at(reply, 0), sent_us, heard_us);
  answer->sharers = number_at(reply, 1);
  answer->wait_us = number_at(reply, 2);
  for (size_t i = 3; i < reply->elements && answer->slot_count < MR_KEEPER_SLOTS; i++)
    answer->slots_us[answer->slot_count++] = number_at(reply, i) + offset_us;
}

static bool keeper_answer(void *context, struct mr_keeper_answer *answer) {
  struct keeper *keeper = context;
  redisReply *reply = keeper->phase == READY && keeper->count > 0 ? next_reply(keeper) : NULL;
  if (!reply) return false;
  struct under_way *under_way = &keeper->asks[keeper->first];
  *answer = (struct mr_keeper_answer){.tag = under_way->tag};
  bool good = reply->type == REDIS_REPLY_ARRAY;
  if (good) read_answer(keeper, reply, under_way->sent_us, mr_clock_now(&keeper->clock), answer);
  keeper->first = (keeper->first + 1) % UNDER_WAY;
  keeper->count--;
  if (!good) go_away(keeper, "refuses", reply->type == REDIS_REPLY_ERROR ? reply->str : NULL);
  freeReplyObject(reply);
  return good;
}

/* }====================================================== */

static void keeper_close(void *context) {
  struct keeper *keeper = context;
  hang_up(keeper);
  mr_redis_tls_close(keeper->tls);
  mr_buffer_free(&keeper->output);
  mr_wipe(&keeper->address, sizeof(keeper->address));
  mr_free(keeper);
}

static void name_self(struct keeper *keeper) {
  mr_random_seed(&keeper->random, mr_random_seed_from_system());
  snprintf(keeper->who, sizeof(keeper->who), "%016llx",
           (unsigned long long)mr_random_next(&keeper->random));
}

static void keeper_forked(void *context) {
  struct keeper *keeper = context;
  hang_up(keeper);
  name_self(keeper);
  keeper->phase = AWAY;
  keeper->retry_us = 0;
}

static bool set_up(struct keeper *keeper, const char *url, struct mr_error *error) {
  if (mr_redis_address_read(&keeper->address, url, error)) return false;
  if (!keeper->address.tls) return true;
  keeper->tls = mr_redis_tls_open(&keeper->address, error);
  return keeper->tls != NULL;
}

static void *keeper_open(const struct mr_clock *clock, const char *url, struct mr_error *error) {
  struct keeper *keeper = mr_alloc_for("the connection to Redis", sizeof(*keeper), error);
  if (!keeper) return NULL;
  keeper->clock = *clock;
  keeper->wire.socket = -1;
  mr_buffer_init(&keeper->output, OUTPUT_MAX);
  keeper->output.secret = true;
  name_self(keeper);
  if (set_up(keeper, url, error)) return keeper;
  keeper_close(keeper);
  return NULL;
}

const struct mr_keeper_type mr_keeper_redis = {.version = MR_KEEPER_VERSION,
                                               .name = "redis",
                                               .open = keeper_open,
                                               .close = keeper_close,
                                               .forked = keeper_forked,
                                               .step = keeper_step,
                                               .ask = keeper_ask,
                                               .answer = keeper_answer};
