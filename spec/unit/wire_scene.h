/*
** A wire, a server that follows a script, and a call between them that has not been started.
*/
#ifndef WIRE_SCENE_H
#define WIRE_SCENE_H

#include "fault_server.h"
#include "wire.h"

struct scene {
  struct wire wire;
  struct fault_server *server;
  int port;
  struct call call; /* for "/" */
};

static inline void open_scene(struct scene *scene, const struct fault_script *script) {
  wire_open(&scene->wire);
  scene->server = fault_server_run(script);
  scene->port = fault_server_port(scene->server);
  call_init(&scene->call, &scene->wire, scene->port, "/");
}

static inline void close_scene(struct scene *scene) {
  call_free(&scene->call);
  wire_close(&scene->wire);
  fault_server_stop(scene->server);
}

static inline void cancel(struct call *call) {
  mr_transport_curl.cancel(call->wire->transport, &call->exchange);
}

#endif
