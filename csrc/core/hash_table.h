/*
** A chained hash table of things that carry their own link: it allocates only
** its array, and when there is no memory for a larger one its chains get longer.
*/
#ifndef MR_HASH_TABLE_H
#define MR_HASH_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mr_hash_link { /* the first member of what is stored */
  struct mr_hash_link *next;
  uint64_t hash;
};

struct mr_hash_table {
  struct mr_hash_link **chains;
  uint32_t chain_count; /* a power of two, or 0 before the first item */
  uint32_t size;
};

void mr_hash_table_free(struct mr_hash_table *table); /* the array; the items are the owner's */

/* false: no memory for the very first array. */
bool mr_hash_table_add(struct mr_hash_table *table, struct mr_hash_link *link, uint64_t hash);
void mr_hash_table_remove(struct mr_hash_table *table, struct mr_hash_link *link);

/* The first of those with that hash; go on with mr_hash_table_next. Other keys may share it. */
struct mr_hash_link *mr_hash_table_find(const struct mr_hash_table *table, uint64_t hash);
struct mr_hash_link *mr_hash_table_next(const struct mr_hash_link *link);

/* Calls visit for all of them; it may remove and free the one it is given. */
void mr_hash_table_each(struct mr_hash_table *table,
                        void (*visit)(void *context, struct mr_hash_link *link), void *context);

uint64_t mr_hash_mix(uint64_t hash, uint64_t value);
uint64_t mr_hash_bytes(uint64_t seed, const void *bytes, size_t size);

#endif
