#include "failing_memory.h"

#include <stdatomic.h>
#include <stdlib.h>

static struct {
  atomic_size_t lua_blocks, core_blocks;
  atomic_size_t growths;
  atomic_size_t fail_at;
  atomic_int mode;
  atomic_bool fails_again, is_failing, has_failed;
  atomic_uint frame, failed_in;
} memory;

static bool fails(bool is_lua) {
  bool now = atomic_fetch_add(&memory.growths, 1) + 1 == memory.fail_at;
  bool again = is_lua && atomic_exchange(&memory.fails_again, false);
  if (now && is_lua && memory.mode == FAIL_TWICE) atomic_store(&memory.fails_again, true);
  if (now && memory.mode == FAIL_ALL_AFTER) atomic_store(&memory.is_failing, true);
  if (!now && !again && !atomic_load(&memory.is_failing)) return false;
  atomic_store(&memory.failed_in, atomic_load(&memory.frame));
  atomic_store(&memory.has_failed, true);
  return true;
}

static void *release(void *block, atomic_size_t *blocks) {
  if (block) atomic_fetch_sub(blocks, 1);
  free(block);
  return NULL;
}

static void *grow(void *block, size_t size, atomic_size_t *blocks) {
  void *moved = fails(blocks == &memory.lua_blocks) ? NULL : realloc(block, size);
  if (moved && !block) atomic_fetch_add(blocks, 1);
  return moved;
}

void *failing_memory_for_lua(void *context, void *block, size_t old_size, size_t size) {
  (void)context;
  if (size == 0) return release(block, &memory.lua_blocks);
  if (block && size <= old_size) return realloc(block, size); /* Lua counts on it */
  return grow(block, size, &memory.lua_blocks);
}

void *failing_memory_for_core(void *context, void *block, size_t size) {
  (void)context;
  if (size == 0) return release(block, &memory.core_blocks);
  return grow(block, size, &memory.core_blocks);
}

void failing_memory_begin(size_t n, enum failing_mode mode) {
  failing_memory_relent();
  atomic_store(&memory.growths, 0);
  atomic_store(&memory.has_failed, false);
  atomic_store(&memory.frame, 0);
  memory.mode = mode;
  memory.fail_at = n;
}

void failing_memory_frame(void) {
  atomic_fetch_add(&memory.frame, 1);
  atomic_store(&memory.is_failing, false);
}

void failing_memory_relent(void) {
  memory.fail_at = 0;
  atomic_store(&memory.fails_again, false);
  atomic_store(&memory.is_failing, false);
}

size_t failing_memory_growths(void) {
  return atomic_load(&memory.growths);
}

bool failing_memory_has_failed(void) {
  return atomic_load(&memory.has_failed);
}

unsigned failing_memory_frames(void) {
  return atomic_load(&memory.frame) - atomic_load(&memory.failed_in);
}

size_t failing_memory_lua_blocks(void) {
  return atomic_load(&memory.lua_blocks);
}

size_t failing_memory_core_blocks(void) {
  return atomic_load(&memory.core_blocks);
}
