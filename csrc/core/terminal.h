/*
** The terminal, if there is one, that people read our lines on.
*/
#ifndef MR_TERMINAL_H
#define MR_TERMINAL_H

/* Characters in a line of the terminal at this descriptor; 80 where it does not tell, 0 when there is no terminal. */
int mr_terminal_columns(int descriptor);

#endif
