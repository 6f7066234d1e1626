/*
** An engine whose transport and time are virtual, with a limiter of its own.
**
**   mr_virtual_network_init(&network, &clock, serve, context);
**   struct mr_limiter *limiter = NULL;
**   struct mr_engine *engine = virtual_engine_open(&network, &limiter);     -- NULL without memory
**   virtual_engine_close(engine, limiter, &network);                        -- also after that
*/
#ifndef VIRTUAL_ENGINE_H
#define VIRTUAL_ENGINE_H

#include "core/engine.h"
#include "virtual_transport.h"

struct mr_engine *virtual_engine_open(struct mr_virtual_network *network,
                                      struct mr_limiter **limiter);
void virtual_engine_close(struct mr_engine *engine, struct mr_limiter *limiter,
                          struct mr_virtual_network *network);

#endif
