/*
** Large blocks that are to be freed, one at a time: giving back a megabyte takes the system a tenth of a millisecond,
** and a collector's finalizers would free ten of them in one go.
*/
#ifndef MR_WASTE_H
#define MR_WASTE_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

struct mr_waste {
  void *first; /* each begins with the address of the next */
};

bool mr_waste_is_large(const struct mr_buffer *buffer);
/* Takes the buffer's block over when it is a large one, which leaves the buffer empty. A secret is wiped at once. */
void mr_waste_take(struct mr_waste *waste, struct mr_buffer *buffer);
bool mr_waste_free_one(struct mr_waste *waste); /* false: there is none */
void mr_waste_free(struct mr_waste *waste);

#endif
