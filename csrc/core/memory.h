/*
** Memory of ring 1. Every allocation of the core goes through these, so that
** a host can bring its own allocator and a test can fail the n-th call.
*/
#ifndef MR_MEMORY_H
#define MR_MEMORY_H

#include <stddef.h>

struct mr_error;

/* realloc-like: size 0 frees and returns NULL; NULL for size > 0 means "no memory". */
typedef void *(*mr_allocator)(void *context, void *block, size_t size);

/* Set once, before anything is allocated. NULL restores the C library's. */
void mr_memory_hook(mr_allocator allocator, void *context);

void *mr_alloc(size_t size);                    /* uninitialised */
void *mr_alloc_zero(size_t count, size_t size); /* checks the product */
/* One of that size, zeroed. Without memory NULL, and 'error' (may be NULL) says what it was for: "a transport". */
void *mr_alloc_for(const char *purpose, size_t size, struct mr_error *error);
void *mr_realloc(void *block, size_t size);
void mr_free(void *block);              /* NULL is fine */
void mr_wipe(void *block, size_t size); /* a zeroing that no compiler removes */
/* Has the C library join what was freed in small blocks, which it otherwise does all at once, later. */
void mr_memory_settle(void);
char *mr_duplicate(const char *text, size_t size); /* adds a final zero byte */

#endif
