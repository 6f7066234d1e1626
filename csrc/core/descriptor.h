/* Descriptors that the library keeps. */
#ifndef MR_DESCRIPTOR_H
#define MR_DESCRIPTOR_H

/* In a program whose standard streams are closed the next descriptor is one of theirs, and what the program prints would
** go into a connection, a download or the shared limits. Takes a fresh descriptor over (-1 is fine) and returns the same
** file under a number that is none of theirs; -1, with errno, when there is none: the fresh one is closed then. */
int mr_descriptor_keep(int descriptor);

#endif
