#include "gate.h"

#include "memory.h"

static uint64_t bucket_hash(const struct mr_bucket *bucket) {
  return mr_hash_mix(0, (uintptr_t)bucket);
}

bool mr_gate_wake_before(const void *a, const void *b) {
  return ((const struct mr_gate *)a)->wake_us < ((const struct mr_gate *)b)->wake_us;
}

struct mr_gate *mr_gate_find(const struct mr_queue *queue, const struct mr_bucket *bucket) {
  struct mr_hash_link *link = mr_hash_table_find(&queue->gates, bucket_hash(bucket));
  while (link && ((struct mr_gate *)link)->bucket != bucket)
    link = mr_hash_table_next(link);
  return (struct mr_gate *)link;
}

static struct mr_gate *make(struct mr_queue *queue, struct mr_bucket *bucket) {
  if (mr_heap_reserve(&queue->wakes, queue->gates.size + 1)) return NULL;
  struct mr_gate *gate = mr_alloc_zero(1, sizeof(*gate));
  if (!gate) return NULL;
  gate->bucket = bucket;
  gate->wake_us = MR_NEVER;
  mr_heap_init(&gate->lanes, offsetof(struct mr_lane, parked_place), mr_lane_before);
  if (!mr_hash_table_add(&queue->gates, &gate->link, bucket_hash(bucket))) {
    mr_free(gate);
    return NULL;
  }
  mr_heap_add(&queue->wakes, gate);
  return gate;
}

static void leave(struct mr_queue *queue, struct mr_gate *gate) {
  if (gate->users > 0) return;
  mr_heap_remove(&queue->wakes, gate);
  mr_hash_table_remove(&queue->gates, &gate->link);
  mr_heap_free(&gate->lanes);
  mr_free(gate);
}

static struct mr_gate *enter(struct mr_queue *queue, struct mr_bucket *bucket) {
  struct mr_gate *gate = mr_gate_find(queue, bucket);
  if (!gate) gate = make(queue, bucket);
  if (!gate) return NULL;
  if (!mr_heap_reserve(&gate->lanes, gate->users + 1)) {
    gate->users++;
    return gate;
  }
  leave(queue, gate);
  return NULL;
}

enum mr_kind mr_gate_open_all(struct mr_queue *queue, struct mr_lane *lane,
                              struct mr_bucket *const *buckets, uint32_t bucket_count) {
  for (uint32_t i = 0; i < bucket_count; i++) {
    struct mr_gate *gate = enter(queue, buckets[i]);
    if (!gate) {
      mr_gate_close_all(queue, lane);
      return MR_LIMIT;
    }
    lane->gates[lane->gate_count++] = gate;
  }
  return MR_NONE;
}

void mr_gate_close_all(struct mr_queue *queue, struct mr_lane *lane) {
  if (lane->parked) mr_heap_remove(&lane->parked->lanes, lane);
  lane->parked = NULL;
  for (uint32_t i = 0; i < lane->gate_count; i++) {
    lane->gates[i]->users--;
    leave(queue, lane->gates[i]);
  }
  lane->gate_count = 0;
}

void mr_gate_park(struct mr_gate *gate, struct mr_lane *lane) {
  if (lane->parked == gate) {
    mr_heap_moved(&gate->lanes, lane);
    return;
  }
  if (lane->parked) mr_heap_remove(&lane->parked->lanes, lane);
  lane->parked = gate;
  mr_heap_add(&gate->lanes, lane);
}

void mr_gate_wake(struct mr_queue *queue, struct mr_gate *gate, int64_t wake_us) {
  gate->wake_us = wake_us;
  mr_heap_moved(&queue->wakes, gate);
}
