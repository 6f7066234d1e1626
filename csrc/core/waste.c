#include "waste.h"

#include <string.h>

#include "memory.h"

/* Others cost no time to speak of. */
#define LARGE_BYTES 65536

bool mr_waste_is_large(const struct mr_buffer *buffer) {
  return buffer->capacity >= LARGE_BYTES;
}

void mr_waste_take(struct mr_waste *waste, struct mr_buffer *buffer) {
  if (!mr_waste_is_large(buffer)) return;
  if (buffer->secret) mr_wipe(buffer->data, buffer->capacity);
  void *block = buffer->data;
  memcpy(block, &waste->first, sizeof waste->first);
  waste->first = block;
  buffer->data = NULL;
  buffer->size = buffer->capacity = 0;
}

bool mr_waste_free_one(struct mr_waste *waste) {
  void *block = waste->first;
  if (!block) return false;
  memcpy(&waste->first, block, sizeof waste->first);
  mr_free(block);
  return true;
}

void mr_waste_free(struct mr_waste *waste) {
  while (mr_waste_free_one(waste))
    continue;
}
