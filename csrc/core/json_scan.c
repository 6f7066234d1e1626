#include "json_scan.h"

#include <math.h>
#include <string.h>

#include "json_number.h"
#include "json_text.h"
#include "memory.h"

#define FIRST_CAPACITY 32

/* Levels kept over a reset: a text of unusual depth must not cost memory for ever. */
#define KEPT_CAPACITY 1024

/* What one scanned piece means for the loop. */
enum step { GO_ON, STARVED, FAILED, NO_MEMORY };

/* One call of mr_json_scan. */
struct scan {
  struct mr_json_scanner *scanner;
  const char *data;
  const char *end;
  const char *p;
  bool more;
  struct mr_json_token *next; /* free; there is always one when a step begins */
  struct mr_json_tape *tape;
};

/* {====== Life ====== */

void mr_json_scanner_reset(struct mr_json_scanner *scanner, struct mr_json_limits limits) {
  struct mr_json_level *levels = scanner->levels;
  uint32_t capacity = scanner->capacity;
  if (capacity > KEPT_CAPACITY) {
    mr_free(levels);
    levels = NULL;
    capacity = 0;
  }
  *scanner = (struct mr_json_scanner){.limits = limits, .levels = levels, .capacity = capacity};
  if (levels) levels[0] = (struct mr_json_level){0};
}

void mr_json_scanner_free(struct mr_json_scanner *scanner) {
  mr_free(scanner->levels);
  *scanner = (struct mr_json_scanner){0};
}

size_t mr_json_scanner_needed(const struct mr_json_scanner *scanner) {
  return scanner->in_string ? scanner->string_start - 1 : scanner->position;
}

void mr_json_scanner_drop(struct mr_json_scanner *scanner, size_t size) {
  scanner->position -= size;
  if (scanner->in_string) scanner->string_start -= size;
}

static bool ensure_level(struct mr_json_scanner *scanner, uint32_t level) {
  if (level < scanner->capacity) return true;
  uint32_t capacity = scanner->capacity ? scanner->capacity * 2 : FIRST_CAPACITY;
  struct mr_json_level *levels = mr_realloc(scanner->levels, capacity * sizeof *levels);
  if (!levels) return false;
  if (!scanner->levels) levels[0] = (struct mr_json_level){0};
  scanner->levels = levels;
  scanner->capacity = capacity;
  return true;
}

/* }====== */

/* {====== Messages ====== */

static enum step fail_at(struct scan *scan, const char *at, const char *problem) {
  scan->p = at;
  scan->scanner->problem = problem;
  return FAILED;
}

static bool is_in_object(const struct mr_json_scanner *scanner) {
  return scanner->levels[scanner->depth].is_object;
}

static const char *expectation(const struct mr_json_scanner *scanner) {
  switch (scanner->expected) {
  case MR_JSON_EXPECT_FIRST_ELEMENT:
    return "expected a value or ']'";
  case MR_JSON_EXPECT_FIRST_KEY:
    return "expected a field name in double quotes or '}'";
  case MR_JSON_EXPECT_KEY:
    return "expected a field name in double quotes";
  case MR_JSON_EXPECT_COLON:
    return "expected ':' after the field name";
  case MR_JSON_EXPECT_NEXT:
    return is_in_object(scanner) ? "expected ',' or '}'" : "expected ',' or ']'";
  case MR_JSON_EXPECT_NOTHING:
    return "expected nothing more after the value";
  default:
    return "expected a value";
  }
}

static const char *ending(const struct mr_json_scanner *scanner) {
  if (scanner->in_string) return "the string is not closed: the text ends inside it";
  if (scanner->depth == 0) return "expected a value, but the text is empty";
  return is_in_object(scanner) ? "the text ends inside an object" : "the text ends inside an array";
}

static enum step fail_unexpected(struct scan *scan) {
  static const char byte_order_mark[] = "\xef\xbb\xbf";
  if (scan->end - scan->p >= 3 && memcmp(scan->p, byte_order_mark, 3) == 0)
    return fail_at(scan, scan->p, "a byte order mark is not allowed in JSON");
  return fail_at(scan, scan->p, expectation(scan->scanner));
}

/* }====== */

/* {====== Values ====== */

static void skip_space(struct scan *scan) {
  const char *p = scan->p;
  while (p < scan->end && (unsigned char)*p <= ' ') {
    if (*p != ' ' && *p != '\n' && *p != '\t' && *p != '\r') break;
    p++;
  }
  scan->p = p;
}

static struct mr_json_token *emit(struct scan *scan, enum mr_json_token_kind kind) {
  scan->next->kind = kind;
  return scan->next++;
}

/* Behind an entry a comma most often follows at once: taken here, it saves a turn of the loop. */
static enum step expect_next(struct scan *scan) {
  struct mr_json_scanner *scanner = scan->scanner;
  if (scanner->depth == 0) {
    scanner->expected = MR_JSON_EXPECT_NOTHING;
  } else if (scan->p < scan->end && *scan->p == ',') {
    scan->p++;
    scanner->expected = is_in_object(scanner) ? MR_JSON_EXPECT_KEY : MR_JSON_EXPECT_VALUE;
  } else {
    scanner->expected = MR_JSON_EXPECT_NEXT;
  }
  return GO_ON;
}

static enum step end_value(struct scan *scan) {
  scan->scanner->levels[scan->scanner->depth].count++;
  return expect_next(scan);
}

static enum step scan_word(struct scan *scan, const char *word, enum mr_json_token_kind kind) {
  size_t size = strlen(word);
  size_t left = (size_t)(scan->end - scan->p);
  size_t common = left < size ? left : size;
  if (memcmp(scan->p, word, common) != 0) return fail_unexpected(scan);
  if (common < size) return scan->more ? STARVED : fail_unexpected(scan);
  scan->p += size;
  emit(scan, kind);
  return end_value(scan);
}

static enum step scan_null(struct scan *scan) {
  enum step step = scan_word(scan, "null", MR_JSON_TOKEN_NULL);
  struct mr_json_level *level = &scan->scanner->levels[scan->scanner->depth];
  if (step == GO_ON && level->is_object && !scan->scanner->limits.count_nulls) level->count--;
  return step;
}

static enum step end_float(struct scan *scan, const struct mr_json_number *number) {
  if (isinf(number->value.real))
    return fail_at(scan, scan->p, "the number is too large for a float");
  emit(scan, MR_JSON_TOKEN_FLOAT)->value.real = number->value.real;
  scan->p = number->stop;
  return end_value(scan);
}

static enum step end_big(struct scan *scan, const struct mr_json_number *number) {
  if (!scan->scanner->limits.big_as_string) return end_float(scan, number);
  struct mr_json_token *token = emit(scan, MR_JSON_TOKEN_STRING);
  token->value.offset = (size_t)(scan->p - scan->data);
  token->size = (uint32_t)(number->stop - scan->p);
  scan->p = number->stop;
  return end_value(scan);
}

static enum step scan_number(struct scan *scan) {
  struct mr_json_number number;
  switch (mr_json_read_number(scan->p, scan->end, scan->more, &number)) {
  case MR_JSON_NUMBER_INTEGER:
    emit(scan, MR_JSON_TOKEN_INTEGER)->value.integer = number.value.integer;
    scan->p = number.stop;
    return end_value(scan);
  case MR_JSON_NUMBER_FLOAT:
    return end_float(scan, &number);
  case MR_JSON_NUMBER_BIG:
    return end_big(scan, &number);
  case MR_JSON_NUMBER_STARVED:
    if (scan->end - scan->p <= MR_JSON_NUMBER_MAX) return STARVED;
    return fail_at(scan, scan->p, "the number is too long");
  default:
    return fail_at(scan, number.stop, number.problem);
  }
}

/* }====== */

/* {====== Strings and keys ====== */

static bool is_key_expected(const struct mr_json_scanner *scanner) {
  return scanner->expected == MR_JSON_EXPECT_KEY || scanner->expected == MR_JSON_EXPECT_FIRST_KEY;
}

/* A colon most often follows a key at once. */
static enum step end_key(struct scan *scan) {
  scan->scanner->expected = MR_JSON_EXPECT_COLON;
  if (scan->p < scan->end && *scan->p == ':') {
    scan->p++;
    scan->scanner->expected = MR_JSON_EXPECT_VALUE;
  }
  return GO_ON;
}

/* 'start' to 'quote' is the whole text between the quotes. */
static enum step end_string(struct scan *scan, const char *start, const char *quote, size_t saved) {
  size_t size = (size_t)(quote - start);
  if (size - saved > scan->scanner->limits.max_string || size > UINT32_MAX)
    return fail_at(scan, start - 1, "the string is longer than max_string allows");
  bool is_key = is_key_expected(scan->scanner);
  enum mr_json_token_kind plain = is_key ? MR_JSON_TOKEN_KEY : MR_JSON_TOKEN_STRING;
  enum mr_json_token_kind escaped =
      is_key ? MR_JSON_TOKEN_ESCAPED_KEY : MR_JSON_TOKEN_ESCAPED_STRING;
  struct mr_json_token *token = emit(scan, saved ? escaped : plain);
  token->size = (uint32_t)size;
  token->value.offset = (size_t)(start - scan->data);
  scan->p = quote + 1;
  return is_key ? end_key(scan) : end_value(scan);
}

static enum step suspend_string(struct scan *scan, const char *start,
                                const struct mr_json_string *string) {
  size_t size = (size_t)(string->at - start);
  if (size - string->saved > scan->scanner->limits.max_string)
    return fail_at(scan, start - 1, "the string is longer than max_string allows");
  scan->scanner->in_string = true;
  scan->scanner->string_start = (size_t)(start - scan->data);
  scan->scanner->string_saved = string->saved;
  scan->p = string->at;
  if (scan->more) return STARVED;
  return fail_at(scan, start - 1, ending(scan->scanner));
}

static enum step continue_string(struct scan *scan, const char *start, size_t saved) {
  struct mr_json_string string = {.at = scan->p, .saved = saved};
  enum mr_json_string_state state = mr_json_scan_string(&string, scan->end);
  scan->scanner->in_string = false;
  if (state == MR_JSON_STRING_BAD) return fail_at(scan, string.at, string.problem);
  if (state == MR_JSON_STRING_STARVED) return suspend_string(scan, start, &string);
  return end_string(scan, start, string.at, string.saved);
}

static enum step resume_string(struct scan *scan) {
  const struct mr_json_scanner *scanner = scan->scanner;
  return continue_string(scan, scan->data + scanner->string_start, scanner->string_saved);
}

/* Short plain strings end here, all others in continue_string. */
static enum step begin_string(struct scan *scan) {
  const char *start = scan->p + 1;
  const char *stop = mr_json_plain_end(start, scan->end);
  if (stop < scan->end && *stop == '"') return end_string(scan, start, stop, 0);
  scan->p = stop;
  return continue_string(scan, start, 0);
}

/* }====== */

/* {====== Arrays and objects ====== */

static enum step open_level(struct scan *scan, bool is_object) {
  struct mr_json_scanner *scanner = scan->scanner;
  if (scanner->depth >= scanner->limits.max_depth)
    return fail_at(scan, scan->p, "arrays and objects are nested deeper than max_depth allows");
  if (!ensure_level(scanner, scanner->depth + 1)) return NO_MEMORY;
  scanner->levels[scanner->depth].count++;
  scanner->levels[++scanner->depth] = (struct mr_json_level){
      .slot = (uint32_t)(scan->next - scan->tape->tokens), .is_object = is_object};
  emit(scan, is_object ? MR_JSON_TOKEN_OBJECT : MR_JSON_TOKEN_ARRAY)->size = 0;
  scanner->expected = is_object ? MR_JSON_EXPECT_FIRST_KEY : MR_JSON_EXPECT_FIRST_ELEMENT;
  scan->p++;
  return GO_ON;
}

static enum step close_level(struct scan *scan) {
  struct mr_json_scanner *scanner = scan->scanner;
  const struct mr_json_level *level = &scanner->levels[scanner->depth];
  if (scanner->depth > scanner->floor)
    scan->tape->tokens[level->slot].size = level->count;
  else
    scanner->floor--;
  scanner->depth--;
  emit(scan, MR_JSON_TOKEN_END);
  scan->p++;
  return expect_next(scan);
}

/* }====== */

/* {====== The loop ====== */

static enum step scan_value(struct scan *scan) {
  switch (*scan->p) {
  case '"':
    return begin_string(scan);
  case '{':
    return open_level(scan, true);
  case '[':
    return open_level(scan, false);
  case 't':
    return scan_word(scan, "true", MR_JSON_TOKEN_TRUE);
  case 'f':
    return scan_word(scan, "false", MR_JSON_TOKEN_FALSE);
  case 'n':
    return scan_null(scan);
  default:
    if (*scan->p == '-' || (*scan->p >= '0' && *scan->p <= '9')) return scan_number(scan);
    return fail_unexpected(scan);
  }
}

static enum step scan_key(struct scan *scan) {
  return *scan->p == '"' ? begin_string(scan) : fail_unexpected(scan);
}

static enum step scan_colon(struct scan *scan) {
  if (*scan->p != ':') return fail_unexpected(scan);
  scan->p++;
  scan->scanner->expected = MR_JSON_EXPECT_VALUE;
  return GO_ON;
}

static enum step scan_next(struct scan *scan) {
  if (*scan->p == ',') return expect_next(scan);
  char closing = is_in_object(scan->scanner) ? '}' : ']';
  return *scan->p == closing ? close_level(scan) : fail_unexpected(scan);
}

static enum step scan_piece(struct scan *scan) {
  switch (scan->scanner->expected) {
  case MR_JSON_EXPECT_VALUE:
    return scan_value(scan);
  case MR_JSON_EXPECT_FIRST_ELEMENT:
    return *scan->p == ']' ? close_level(scan) : scan_value(scan);
  case MR_JSON_EXPECT_FIRST_KEY:
    return *scan->p == '}' ? close_level(scan) : scan_key(scan);
  case MR_JSON_EXPECT_KEY:
    return scan_key(scan);
  case MR_JSON_EXPECT_COLON:
    return scan_colon(scan);
  case MR_JSON_EXPECT_NEXT:
    return scan_next(scan);
  default:
    return fail_unexpected(scan);
  }
}

static enum mr_json_scan_state at_end(struct scan *scan) {
  if (scan->more) return MR_JSON_SCAN_STARVED;
  if (scan->scanner->expected == MR_JSON_EXPECT_NOTHING) return MR_JSON_SCAN_DONE;
  fail_at(scan, scan->p, ending(scan->scanner));
  return MR_JSON_SCAN_FAILED;
}

static enum mr_json_scan_state stopped(enum step step) {
  if (step == STARVED) return MR_JSON_SCAN_STARVED;
  return step == FAILED ? MR_JSON_SCAN_FAILED : MR_JSON_SCAN_NO_MEMORY;
}

static enum mr_json_scan_state run(struct scan *scan) {
  const struct mr_json_token *last = scan->tape->tokens + scan->tape->capacity;
  if (!ensure_level(scan->scanner, 0)) return MR_JSON_SCAN_NO_MEMORY;
  enum step step = scan->scanner->in_string ? resume_string(scan) : GO_ON;
  while (step == GO_ON) {
    if (scan->next == last) return MR_JSON_SCAN_FULL;
    skip_space(scan);
    if (scan->p == scan->end) return at_end(scan);
    step = scan_piece(scan);
  }
  return stopped(step);
}

/* The levels that stay open get on this tape what they hold so far; on the next they are old. */
static void close_tape(struct scan *scan) {
  struct mr_json_scanner *scanner = scan->scanner;
  scan->tape->count = (uint32_t)(scan->next - scan->tape->tokens);
  for (uint32_t i = scanner->floor + 1; i <= scanner->depth; i++)
    scan->tape->tokens[scanner->levels[i].slot].size = scanner->levels[i].count;
  scanner->floor = scanner->depth;
  scanner->position = (size_t)(scan->p - scan->data);
}

enum mr_json_scan_state mr_json_scan(struct mr_json_scanner *scanner, const char *data, size_t size,
                                     bool more, struct mr_json_tape *tape) {
  struct scan scan = {
      .scanner = scanner,
      .data = data,
      .end = data + size,
      .p = data + scanner->position,
      .more = more,
      .next = tape->tokens,
      .tape = tape,
  };
  enum mr_json_scan_state state = run(&scan);
  close_tape(&scan);
  return state;
}

/* }====== */
