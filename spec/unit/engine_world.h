/*
** An engine on virtual time, an endpoint with a credential, and a network whose answers are a script.
*/
#ifndef ENGINE_WORLD_H
#define ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/engine.h"
#include "virtual_engine.h"
#include "virtual_transport.h"

#define CANARY "canary-5150"

struct world {
  struct mr_virtual_clock clock;
  struct mr_virtual_network network;
  struct mr_route route;
  struct mr_limiter *limiter;
  struct mr_engine *engine;
  struct mr_endpoint *endpoint;
  struct mr_secret *secret;
  const struct mr_virtual_answer *script; /* one per exchange; the last is repeated */
  size_t script_size, served;
};

static inline void serve(void *context, const struct mr_virtual_sent *sent,
                         struct mr_virtual_answer *answer) {
  struct world *world = context;
  (void)sent;
  size_t place = world->served < world->script_size ? world->served : world->script_size - 1;
  world->served++;
  *answer = world->script[place];
}

static inline bool open_endpoint(struct world *world, const char *method, enum mr_repeat repeat) {
  struct mr_error error = {0};
  const char *base = "https://api.example.com/v1";
  world->endpoint = mr_endpoint_new();
  if (!world->endpoint) return false;
  world->endpoint->route = &world->route;
  world->endpoint->repeat = repeat;
  if (mr_endpoint_target(world->endpoint, method, base, strlen(base), &error)) return false;
  if (mr_endpoint_header(world->endpoint, "Accept: a/b", 11, &error)) return false;
  if (mr_endpoint_header(world->endpoint, "X-Tenant: t", 11, &error)) return false;
  if (mr_secret_open(MR_SECRET_LITERAL, CANARY, strlen(CANARY), false, &world->secret, &error))
    return false;
  return !mr_endpoint_credential(world->endpoint, "Authorization", NULL, "Bearer ", world->secret,
                                 &error);
}

static inline bool open_world(struct world *world, const char *method, enum mr_repeat repeat,
                              const struct mr_virtual_answer *script, size_t script_size) {
  *world = (struct world){.script = script, .script_size = script_size};
  mr_virtual_clock_init(&world->clock, 5 * MR_SECOND, 1700000000 * MR_SECOND);
  mr_virtual_network_init(&world->network, &world->clock, serve, world);
  world->engine = virtual_engine_open(&world->network, &world->limiter);
  return world->engine && open_endpoint(world, method, repeat);
}

static inline void close_world(struct world *world) {
  mr_endpoint_release(world->endpoint);
  mr_secret_release(world->secret);
  virtual_engine_close(world->engine, world->limiter, &world->network);
}

static inline struct mr_request *prepare(struct world *world) {
  struct mr_request *request = mr_request_new(world->endpoint);
  if (!request) return NULL;
  struct mr_error error = {0};
  if (mr_buffer_text(&request->url, world->endpoint->base) || mr_buffer_text(&request->url, "/x") ||
      mr_request_target(request, false, &error)) {
    mr_request_free(request);
    return NULL;
  }
  return request;
}

static inline void run(struct world *world, struct mr_request *request) {
  struct mr_error error = {0};
  for (int i = 0; i < 1000 && !mr_request_is_finished(request); i++)
    assert_true(mr_engine_step(world->engine, 100 * MR_SECOND, &error) >= 0);
  assert_true(mr_request_is_finished(request));
}

static inline struct mr_request *perform(struct world *world) {
  struct mr_request *request = prepare(world);
  assert_non_null(request);
  mr_engine_start(world->engine, request);
  run(world, request);
  return request;
}

#define OPEN(method, repeat, ...)                                                                  \
  static const struct mr_virtual_answer script[] = {__VA_ARGS__};                                  \
  static struct world world; /* reachable also where a child ends in the middle of the test */     \
  assert_true(open_world(&world, method, repeat, script, sizeof script / sizeof *script))

static inline void close_all(struct world *world, struct mr_request *request) {
  mr_request_free(request);
  assert_int_equal(mr_engine_pending(world->engine), 0);
  assert_int_equal(world->network.in_flight, 0);
  close_world(world);
}

#endif
