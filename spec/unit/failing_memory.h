/*
** One allocator for a lua_State and for the core, for tests of whole programs: counts what is asked for and what is
** alive, in all threads of the process, and fails the n-th growth. All starts at zero; nothing fails before 'begin'.
*/
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

void *failing_memory_for_lua(void *context, void *block, size_t old_size, size_t size);
void *failing_memory_for_core(void *context, void *block, size_t size);

/* The n-th alone, which Lua survives by a collection and a second try; or with that second try; or with all that follow
** until the frame ends. */
enum failing_mode { FAIL_ONCE, FAIL_TWICE, FAIL_ALL_AFTER, FAIL_MODES };

/* Counts growths from 1 again; 0: none fails. */
void failing_memory_begin(size_t n, enum failing_mode mode);
void failing_memory_frame(void);  /* a frame begins: there is memory again */
void failing_memory_relent(void); /* nothing fails any more */

size_t failing_memory_growths(void);  /* since 'begin' */
bool failing_memory_has_failed(void); /* since 'begin' */
unsigned failing_memory_frames(void); /* since the last growth that failed; 0: in this frame */

/* Blocks that are alive. */
size_t failing_memory_lua_blocks(void);
size_t failing_memory_core_blocks(void);

#endif
