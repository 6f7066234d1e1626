#include "hash_table.h"

#include "memory.h"

#define FIRST_CHAINS 16

void mr_hash_table_free(struct mr_hash_table *table) {
  mr_free(table->chains);
  *table = (struct mr_hash_table){0};
}

static struct mr_hash_link **chain_of(const struct mr_hash_table *table, uint64_t hash) {
  return &table->chains[hash & (table->chain_count - 1)];
}

static void grow(struct mr_hash_table *table) {
  struct mr_hash_table larger = {.size = table->size};
  larger.chain_count = table->chain_count ? table->chain_count * 2 : FIRST_CHAINS;
  larger.chains = mr_alloc_zero(larger.chain_count, sizeof(*larger.chains));
  if (!larger.chains) return;
  for (uint32_t i = 0; i < table->chain_count; i++) {
    struct mr_hash_link *link = table->chains[i];
    while (link) {
      struct mr_hash_link *next = link->next;
      struct mr_hash_link **chain = chain_of(&larger, link->hash);
      link->next = *chain;
      *chain = link;
      link = next;
    }
  }
  mr_free(table->chains);
  *table = larger;
}

bool mr_hash_table_add(struct mr_hash_table *table, struct mr_hash_link *link, uint64_t hash) {
  if (table->size >= table->chain_count) grow(table);
  if (!table->chains) return false;
  struct mr_hash_link **chain = chain_of(table, hash);
  link->hash = hash;
  link->next = *chain;
  *chain = link;
  table->size++;
  return true;
}

void mr_hash_table_remove(struct mr_hash_table *table, struct mr_hash_link *link) {
  struct mr_hash_link **at = chain_of(table, link->hash);
  while (*at != link)
    at = &(*at)->next;
  *at = link->next;
  table->size--;
}

static struct mr_hash_link *same_hash(struct mr_hash_link *link, uint64_t hash) {
  while (link && link->hash != hash)
    link = link->next;
  return link;
}

struct mr_hash_link *mr_hash_table_find(const struct mr_hash_table *table, uint64_t hash) {
  return table->chains ? same_hash(*chain_of(table, hash), hash) : NULL;
}

struct mr_hash_link *mr_hash_table_next(const struct mr_hash_link *link) {
  return same_hash(link->next, link->hash);
}

void mr_hash_table_each(struct mr_hash_table *table,
                        void (*visit)(void *context, struct mr_hash_link *link), void *context) {
  for (uint32_t i = 0; i < table->chain_count; i++) {
    struct mr_hash_link *link = table->chains[i];
    while (link) {
      struct mr_hash_link *next = link->next;
      visit(context, link);
      link = next;
    }
  }
}

/* A multiplication and a fold: spreads the low bits that pointers and counters lack. */
uint64_t mr_hash_mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);
  return hash ^ (hash >> 29);
}

uint64_t mr_hash_bytes(uint64_t seed, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  uint64_t hash = mr_hash_mix(seed, size);
  for (size_t i = 0; i < size; i++)
    hash = (hash ^ at[i]) * UINT64_C(0x100000001B3);
  return mr_hash_mix(hash, hash >> 32);
}
