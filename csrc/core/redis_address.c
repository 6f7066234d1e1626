#include "redis_address.h"

#include <ctype.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

#define SCHEME "redis://"

static int hex(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  digit = (char)tolower((unsigned char)digit);
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool decode(const char *text, size_t size, char out[MR_REDIS_WORD]) {
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    char byte = text[i];
    if (byte == '%') {
      if (i + 2 >= size || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
      byte = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    }
    if (used + 1 >= MR_REDIS_WORD || byte == '\0') return false;
    out[used++] = byte;
  }
  out[used] = '\0';
  return true;
}

/* Without a colon all of it is the password, as redis-cli reads it. */
static bool read_login(struct mr_redis_address *address, const char *text, size_t size) {
  const char *colon = memchr(text, ':', size);
  if (!colon) return decode(text, size, address->password);
  size_t user_size = (size_t)(colon - text);
  return decode(text, user_size, address->user) &&
         decode(colon + 1, size - user_size - 1, address->password);
}

static bool read_database(struct mr_redis_address *address, const char *text) {
  size_t digits = strspn(text, "0123456789");
  if (text[digits] != '\0' || digits >= sizeof(address->database)) return false;
  snprintf(address->database, sizeof(address->database), "%s", text);
  return true;
}

static bool split_host(const char *text, size_t size, char host[MR_REDIS_WORD], char port[16]) {
  bool bracketed = size > 0 && text[0] == '[';
  const char *end = bracketed ? memchr(text, ']', size) : memchr(text, ':', size);
  if (bracketed && !end) return false;
  const char *start = bracketed ? text + 1 : text;
  size_t host_size = end ? (size_t)(end - start) : size;
  const char *rest = bracketed ? end + 1 : end ? end : text + size;
  size_t rest_size = (size_t)(text + size - rest);
  if (!decode(start, host_size, host) || (rest_size > 0 && rest[0] != ':') || rest_size > 6)
    return false;
  if (rest_size > 1)
    snprintf(port, 16, "%.*s", (int)rest_size - 1, rest + 1);
  else
    snprintf(port, 16, "6379");
  long number = strtol(port, NULL, 10);
  return strspn(port, "0123456789") == strlen(port) && number > 0 && number <= 65535;
}

static enum mr_kind look_up(struct mr_redis_address *address, const char *host, const char *port,
                            struct mr_error *error) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *found = NULL;
  int code = getaddrinfo(host[0] ? host : "localhost", port, &hints, &found);
  if (code != 0)
    return mr_fail(error, MR_IO, "cannot find the host '%.100s' of Redis: %s", host,
                   gai_strerror(code));
  memcpy(&address->socket_address, found->ai_addr, found->ai_addrlen);
  address->socket_address_size = found->ai_addrlen;
  freeaddrinfo(found);
  snprintf(address->name, sizeof(address->name), "%s:%s", host, port);
  return MR_NONE;
}

enum mr_kind mr_redis_address_read(struct mr_redis_address *address, const char *url,
                                   struct mr_error *error) {
  char host[MR_REDIS_WORD], port[16];
  memset(address, 0, sizeof(*address));
  if (strncmp(url, "rediss://", 9) == 0)
    return mr_fail(error, MR_IO,
                   "TLS to Redis is not built in: give redis:// and the local end of "
                   "a TLS tunnel, such as stunnel");
  if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
    return mr_fail(error, MR_IO, "the URL of Redis must begin with " SCHEME);
  const char *text = url + strlen(SCHEME);
  size_t size = strcspn(text, "/");
  const char *database = text[size] ? text + size + 1 : "";
  const char *at = NULL;
  for (size_t i = 0; i < size; i++)
    if (text[i] == '@') at = text + i;
  bool good = !at || read_login(address, text, (size_t)(at - text));
  const char *authority = at ? at + 1 : text;
  good = good && split_host(authority, (size_t)(text + size - authority), host, port) &&
         read_database(address, database);
  if (good) return look_up(address, host, port, error);
  mr_wipe(address->password, sizeof(address->password));
  return mr_fail(error, MR_IO,
                 "the URL of Redis is not redis://[[user]:password@]host[:port][/database]");
}
