#include "virtual_engine.h"

struct mr_engine *virtual_engine_open(struct mr_virtual_network *network,
                                      struct mr_limiter **limiter) {
  const struct mr_clock *clock = &network->clock->clock;
  mr_virtual_network_use(network);
  *limiter = mr_limiter_open(clock, NULL);
  if (!*limiter) return NULL;
  struct mr_engine_config config = {
      .clock = clock, .seed = 7, .limiter = *limiter, .transport = &mr_transport_virtual};
  return mr_engine_open(&config, NULL);
}

void virtual_engine_close(struct mr_engine *engine, struct mr_limiter *limiter,
                          struct mr_virtual_network *network) {
  mr_engine_close(engine);
  if (limiter) mr_limiter_close(limiter);
  mr_virtual_network_free(network);
}
