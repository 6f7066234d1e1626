/*
** A transport that has another one drive the wire in a thread of its own: config->inner, which must outlive
** it. What its owner calls are the same functions; its step only collects what the thread has seen, gives
** it out as the same events, and never waits for the network but as long as it is told to.
**
** The thread blocks all signals, sleeps when nothing happens, and allocates through memory.h: the
** allocator of a host is then called from several threads.
*/
#ifndef MR_TRANSPORT_THREAD_H
#define MR_TRANSPORT_THREAD_H

#include "transport.h"

extern const struct mr_transport_type mr_transport_thread;

#endif
