/* Bodies that the thread gathers in memory: the owner gets the block itself, and copies nothing. */
#include "thread_scene.h"

#include "failing_allocator.h"

#define PIECE ((size_t)16384)

static char bytes[4 * MR_MAIL_WINDOW];

/* Of the call that a test makes. */
static struct {
  bool declines;
  uint64_t awaited; /* as on_headers_end knows it */
  int blocks;
  struct mr_buffer block;
} owner;

static bool on_block(struct mr_exchange *x, struct mr_buffer *block) {
  owner.blocks++;
  tell(x, "block ");
  if (owner.declines) return false;
  mr_buffer_swap(&owner.block, block);
  return true;
}

static enum mr_flow on_known_end(struct mr_exchange *x, int64_t at_us) {
  x->awaited = owner.awaited;
  return on_headers_end(x, at_us);
}

static struct call *start_gathering(struct scene *scene, uint64_t awaited, bool declines) {
  static struct mr_exchange_events gathering = EXCHANGE_EVENTS;
  gathering.on_block = on_block;
  gathering.on_headers_end = on_known_end;
  memset(&owner, 0, sizeof owner);
  mr_buffer_init(&owner.block, SIZE_MAX / 4);
  owner.awaited = awaited;
  owner.declines = declines;
  struct call *call = make_call(scene, 0);
  call->exchange.events = &gathering;
  call->exchange.gathers = true;
  call->exchange.max_body = sizeof bytes;
  begin(scene, call);
  return call;
}

static void close_gathering(struct scene *scene) {
  mr_buffer_free(&owner.block);
  close_scene(scene);
}

/* Pieces from 'from' on, until the wire is to pause or all of 'size' was brought. Returns where it ended. */
static size_t bring(size_t from, size_t size) {
  while (from < size) {
    size_t piece = size - from < PIECE ? size - from : PIECE;
    if (act((struct action){.what = BODY, .text = bytes + from, .size = piece}) != MR_FLOW_ON)
      return from;
    from += piece;
  }
  return from;
}

static uint64_t arrived(const struct scene *scene, const struct call *call) {
  return mr_transport_thread.arrived(scene->transport, &call->exchange);
}

/* ---- what the owner gets ---- */

static void test_one_block(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 0, false);
  answer(0, "one, ");
  act((struct action){.what = BODY, .text = "two", .size = 3});
  assert_int_equal(arrived(&scene, call), 8);
  step(&scene, 0);
  assert_int_equal(owner.blocks, 0); /* it has not ended */
  done(0, MR_NONE);
  assert_int_equal(step(&scene, 0), 1);
  assert_string_equal(call->log, "sent 200 [A: 1] [B:] end block done:none");
  assert_string_equal(owner.block.data, "one, two");
  assert_int_equal(arrived(&scene, call), 0); /* it is in flight no more */
  close_gathering(&scene);
}

static void test_no_body(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  start_gathering(&scene, 0, false);
  answer(0, NULL);
  done(0, MR_NONE);
  assert_int_equal(step(&scene, 0), 1);
  assert_int_equal(owner.blocks, 0);
  close_gathering(&scene);
}

/* What came before it broke off is given as without a thread. */
static void test_broken_off(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 100, false);
  answer(0, "half");
  done(0, MR_TRUNCATED);
  assert_int_equal(step(&scene, 0), 1);
  assert_string_equal(owner.block.data, "half");
  assert_int_equal(call->result.kind, MR_TRUNCATED);
  close_gathering(&scene);
}

static void test_declined(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 0, true);
  answer(0, NULL);
  assert_int_equal(bring(0, 100000), 100000);
  done(0, MR_NONE);
  size_t before = 0;
  for (int i = 0; !call->dones; i++) { /* a slice at a time */
    step(&scene, 0);
    assert_in_range(call->body_size - before, 0, 64 * 1024);
    before = call->body_size;
    assert_true(i < 10);
  }
  assert_int_equal(call->body_size, 100000);
  assert_int_equal(owner.blocks, 1);
  close_gathering(&scene);
}

/* ---- how much is gathered ---- */

/* Until the owner has heard of the head, as much as waits for it otherwise; then all that it waits for. */
static void test_known_size(void **state) {
  struct scene scene;
  size_t size = sizeof bytes - 5;
  (void)state;
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (char)(i * 7 + i / 1000);
  open_scene(&scene);
  struct call *call = start_gathering(&scene, size, false);
  answer(0, NULL);
  size_t at = bring(0, size);
  assert_in_range(at, MR_MAIL_WINDOW / 2, MR_MAIL_WINDOW);
  assert_false(was_called("resume0"));
  step(&scene, 0);
  wait_for("resume0");
  assert_int_equal(bring(at, size), size);
  assert_int_equal(arrived(&scene, call), size);
  done(0, MR_NONE);
  assert_int_equal(step(&scene, 0), 1);
  assert_int_equal(owner.blocks, 1);
  assert_int_equal(owner.block.size, size);
  assert_memory_equal(owner.block.data, bytes, size);
  assert_in_range(owner.block.capacity, size + 1, size + 1); /* made for it */
  assert_int_equal(call->body_size, 0);
  close_gathering(&scene);
}

/* What follows the first block is copied; the window is the bound. */
static void test_unknown_size(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 0, false);
  answer(0, NULL);
  step(&scene, 0);
  size_t at = bring(0, sizeof bytes);
  assert_in_range(at, MR_MAIL_WINDOW / 2, MR_MAIL_WINDOW);
  while (owner.block.size + call->body_size < at)
    step(&scene, 0);
  assert_in_range(owner.block.size, 4 * PIECE, 5 * PIECE);
  wait_for("resume0");
  assert_int_equal(bring(at, at + 100000), at + 100000);
  done(0, MR_NONE);
  while (!call->dones)
    step(&scene, 0);
  assert_int_equal(owner.blocks, 1);
  assert_int_equal(owner.block.size + call->body_size, at + 100000);
  close_gathering(&scene);
}

/* The same when the window is full before the owner has the head. */
static void test_unknown_size_of_the_unheard(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 0, false);
  answer(0, NULL);
  size_t at = bring(0, sizeof bytes);
  assert_in_range(at, MR_MAIL_WINDOW / 2, MR_MAIL_WINDOW);
  step(&scene, 0);
  wait_for("resume0");
  size_t end = bring(at, sizeof bytes); /* now it is in the mail */
  assert_in_range(end, at, at + PIECE);
  step(&scene, 0);
  assert_int_equal(owner.block.size, end);
  assert_int_equal(bring(end, end + 3), end + 3);
  done(0, MR_NONE);
  while (!call->dones)
    step(&scene, 0);
  assert_int_equal(call->body_size, 3);
  close_gathering(&scene);
}

/* Who refuses it need not wait for the end, which may be far. */
static void test_too_much(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 0, true);
  answer(0, NULL);
  fake.started[0]->max_body = 2 * PIECE;
  assert_int_equal(bring(0, 2 * PIECE), 2 * PIECE);
  step(&scene, 0);
  assert_int_equal(owner.blocks, 0);
  assert_int_equal(bring(0, 1), 1);
  step(&scene, 0);
  assert_int_equal(owner.blocks, 1);
  assert_in_range(call->body_size, 1, 2 * PIECE + 1);
  cancel(&scene, call);
  close_gathering(&scene);
}

static void test_cancel(void **state) {
  struct scene scene;
  (void)state;
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 100000, false);
  answer(0, "some");
  step(&scene, 0);
  act((struct action){.what = BODY, .text = "more", .size = 4});
  cancel(&scene, call);
  wait_for("cancel0");
  assert_int_equal(owner.blocks, 0);
  close_gathering(&scene);
}

/* ---- what the owner gives back ---- */

/* Who freed the block that is watched. */
static struct {
  const void *block;
  pthread_t by;
} freed;

static void *watch(void *context, void *block, size_t size) {
  if (block && block == freed.block && size == 0) freed.by = pthread_self();
  return failing_allocator_call(context, block, size);
}

static void test_discard(void **state) {
  struct scene scene;
  struct failing_allocator memory;
  struct mr_buffer body;
  (void)state;
  failing_allocator_install(&memory);
  mr_memory_hook(watch, &memory);
  open_scene(&scene);
  mr_buffer_init(&body, sizeof bytes);
  assert_int_equal(mr_buffer_append(&body, bytes, sizeof bytes), MR_NONE);
  freed.block = body.data;
  freed.by = pthread_self();
  memory.fail_at = memory.calls + 1;
  assert_false(mr_transport_thread.discard(scene.transport, &body));
  assert_ptr_equal(body.data, freed.block);
  assert_true(mr_transport_thread.discard(scene.transport, &body));
  assert_null(body.data);
  assert_int_equal(body.size + body.capacity, 0);
  assert_int_equal(body.limit, sizeof bytes);
  close_gathering(&scene);
  assert_false(pthread_equal(freed.by, pthread_self()));
  failing_allocator_remove(&memory);
}

/* ---- no memory ---- */

/* What cannot be kept is no success: neither its letter nor its bytes. */
static void test_no_memory(void **state) {
  (void)state;
  for (size_t next = 1; next <= 2; next++) {
    struct scene scene;
    struct failing_allocator memory;
    failing_allocator_install(&memory);
    open_scene(&scene);
    struct call *call = start_gathering(&scene, 0, false);
    answer(0, NULL);
    memory.fail_at = memory.calls + next;
    assert_int_equal(act((struct action){.what = BODY, .text = "lost", .size = 4}), MR_FLOW_STOP);
    done(0, MR_LIMIT);
    assert_int_equal(step(&scene, 0), 1);
    assert_int_equal(call->result.kind, MR_LIMIT);
    assert_non_null(strstr(call->result.error.message, "out of memory"));
    assert_int_equal(owner.block.size, 0);
    close_gathering(&scene);
    failing_allocator_remove(&memory);
  }
}

/* Room for all is a hint: there may be some for what comes. */
static void test_no_memory_for_all(void **state) {
  struct scene scene;
  struct failing_allocator memory;
  (void)state;
  failing_allocator_install(&memory);
  open_scene(&scene);
  struct call *call = start_gathering(&scene, 1000000, false);
  answer(0, NULL);
  step(&scene, 0);
  memory.fail_at = memory.calls + 2;
  assert_int_equal(act((struct action){.what = BODY, .text = "fits", .size = 4}), MR_FLOW_ON);
  done(0, MR_NONE);
  assert_int_equal(step(&scene, 0), 1);
  assert_int_equal(call->result.kind, MR_NONE);
  assert_string_equal(owner.block.data, "fits");
  close_gathering(&scene);
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_block),
      cmocka_unit_test(test_no_body),
      cmocka_unit_test(test_broken_off),
      cmocka_unit_test(test_declined),
      cmocka_unit_test(test_known_size),
      cmocka_unit_test(test_unknown_size),
      cmocka_unit_test(test_unknown_size_of_the_unheard),
      cmocka_unit_test(test_too_much),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_discard),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_no_memory_for_all),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
