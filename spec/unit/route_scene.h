/*
** A wire, a server that follows a script, with TLS or without, and a call between them that has a URL and a route of
** its own.
*/
#ifndef ROUTE_SCENE_H
#define ROUTE_SCENE_H

#include <stdlib.h>

#include "fault_server.h"
#include "made_certificates.h"
#include "wire.h"

static const struct fault_script keeps = {{DO_REQUEST, DO_SEND(FAULT_OK), DO_AGAIN}};

struct scene {
  struct wire wire;
  struct fault_server *server;
  struct call call;
};

static inline void open_tls(struct scene *scene, const char *certificate,
                            const struct fault_script *script, bool wants_client) {
  struct fault_server_options options = {
      .scripts = script,
      .script_count = 1,
      .certificate = certificate,
      .key = certificates.key,
      .client_ca = certificates.ca,
      .wants_client = wants_client,
  };
  wire_open(&scene->wire);
  scene->wire.route.ca_file = certificates.ca;
  scene->server = fault_server_start(&options);
}

static inline void open_plain(struct scene *scene, const struct fault_script *script) {
  wire_open(&scene->wire);
  scene->server = fault_server_run(script);
}

static inline void close_scene(struct scene *scene) {
  wire_close(&scene->wire);
  fault_server_stop(scene->server);
}

/* Routes are tested without a proxy from outside. */
static inline int open_routes(void **state) {
  static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                      "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    unsetenv(names[i]);
  return make_certificates(state);
}

#endif
