/*
** A keeper of limits in Redis. hiredis formats and parses; the bytes go over a
** connection of our own that never blocks (redis_wire.h). The host's name is
** resolved, and the files for TLS are read, once: when the limits are configured.
*/
#ifndef MR_LIMITER_REDIS_H
#define MR_LIMITER_REDIS_H

#include "limiter_remote.h"

extern const char mr_redis_script[];
extern const struct mr_keeper_type mr_keeper_redis;

#endif
