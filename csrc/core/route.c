#include "route.h"

#include <stddef.h>
#include <string.h>

#include "memory.h"

#define TEXTS 7

/* The places of all texts of a route. */
static void find_texts(struct mr_route *route, char **texts[TEXTS]) {
  char **all[TEXTS] = {&route->proxy,       &route->no_proxy,   &route->ca_file,
                       &route->client_cert, &route->client_key, &route->unix_socket,
                       &route->resolve_host};
  memcpy(texts, all, sizeof all);
}

bool mr_route_copy(struct mr_route *copy, const struct mr_route *original) {
  char **texts[TEXTS];
  bool good = true;
  *copy = *original;
  find_texts(copy, texts);
  for (size_t i = 0; i < TEXTS; i++) {
    const char *text = *texts[i];
    *texts[i] = text && good ? mr_duplicate(text, strlen(text)) : NULL;
    good = good && (!text || *texts[i]);
  }
  if (!good) mr_route_free(copy);
  return good;
}

void mr_route_free(struct mr_route *route) {
  char **texts[TEXTS];
  find_texts(route, texts);
  for (size_t i = 0; i < TEXTS; i++) {
    mr_free(*texts[i]);
    *texts[i] = NULL;
  }
}
