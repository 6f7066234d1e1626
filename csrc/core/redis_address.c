#include "redis_address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ascii.h"
#include "memory.h"

static int hex(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  digit = mr_ascii_lower(digit);
  return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

static bool decode(const char *text, size_t size, char *out, size_t capacity) {
  size_t used = 0;
  for (size_t i = 0; i < size; i++) {
    char byte = text[i];
    if (byte == '%') {
      if (i + 2 >= size || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
      byte = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      i += 2;
    }
    if (used + 1 >= capacity || byte == '\0') return false;
    out[used++] = byte;
  }
  out[used] = '\0';
  return true;
}

/* Without a colon all of it is the password, as redis-cli reads it. */
static bool read_login(struct mr_redis_address *address, const char *text, size_t size) {
  const char *colon = memchr(text, ':', size);
  const char *password = colon ? colon + 1 : text;
  if (colon && !decode(text, (size_t)(colon - text), address->user, sizeof(address->user)))
    return false;
  return decode(password, (size_t)(text + size - password), address->password,
                sizeof(address->password));
}

static bool read_database(struct mr_redis_address *address, const char *text, size_t size) {
  if (size >= sizeof(address->database) || strspn(text, "0123456789") < size) return false;
  memcpy(address->database, text, size);
  return true;
}

static bool read_port(const char *text, size_t size, char port[8]) {
  if (size == 0) return snprintf(port, 8, "6379") > 0;
  if (text[0] != ':' || size > 6) return false;
  if (size == 1) return snprintf(port, 8, "6379") > 0;
  snprintf(port, 8, "%.*s", (int)size - 1, text + 1);
  long number = strtol(port, NULL, 10);
  return strspn(port, "0123456789") == size - 1 && number > 0 && number <= 65535;
}

static bool read_place(struct mr_redis_address *address, const char *text, size_t size,
                       char port[8]) {
  bool bracketed = size > 0 && text[0] == '[';
  const char *end = bracketed ? memchr(text, ']', size) : memchr(text, ':', size);
  if (bracketed && !end) return false;
  const char *start = bracketed ? text + 1 : text;
  size_t host_size = end ? (size_t)(end - start) : size;
  const char *rest = bracketed ? end + 1 : end ? end : text + size;
  return decode(start, host_size, address->host, sizeof(address->host)) &&
         read_port(rest, (size_t)(text + size - rest), port);
}

/* One "name=value" of the query. */
static bool read_field(struct mr_redis_address *address, const char *text, size_t size) {
  const struct {
    const char *name;
    char *value;
  } fields[] = {{"ca_file=", address->ca_file},
                {"client_cert=", address->client_cert},
                {"client_key=", address->client_key}};
  for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
    size_t name_size = strlen(fields[i].name);
    if (size > name_size && memcmp(text, fields[i].name, name_size) == 0)
      return decode(text + name_size, size - name_size, fields[i].value, MR_REDIS_PATH);
  }
  return false;
}

/* Files make sense with TLS alone, and a certificate needs its key. */
static bool read_query(struct mr_redis_address *address, const char *text) {
  while (*text) {
    size_t size = strcspn(text, "&");
    if (!read_field(address, text, size)) return false;
    text += size + (text[size] == '&');
  }
  bool named = address->ca_file[0] || address->client_cert[0] || address->client_key[0];
  return (address->tls || !named) && !address->client_cert[0] == !address->client_key[0];
}

static enum mr_kind look_up(struct mr_redis_address *address, const char *port,
                            struct mr_error *error) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *found = NULL;
  if (!address->host[0]) snprintf(address->host, sizeof(address->host), "localhost");
  int code = getaddrinfo(address->host, port, &hints, &found);
  if (code != 0)
    return mr_fail(error, MR_IO, "cannot find the host '%.100s' of Redis: %s", address->host,
                   gai_strerror(code));
  for (struct addrinfo *one = found; one; one = one->ai_next) {
    if (address->endpoint_count == MR_REDIS_ENDPOINTS) break;
    struct mr_redis_endpoint *endpoint = &address->endpoints[address->endpoint_count++];
    memcpy(&endpoint->address, one->ai_addr, one->ai_addrlen);
    endpoint->size = one->ai_addrlen;
  }
  freeaddrinfo(found);
  snprintf(address->name, sizeof(address->name), "%s:%s", address->host, port);
  return MR_NONE;
}

static const char *skip_scheme(struct mr_redis_address *address, const char *url) {
  address->tls = strncmp(url, "rediss://", 9) == 0;
  if (address->tls) return url + 9;
  return strncmp(url, "redis://", 8) == 0 ? url + 8 : NULL;
}

/* 'text' is what stands behind the scheme. */
static bool read_parts(struct mr_redis_address *address, const char *text, char port[8]) {
  size_t size = strcspn(text, "/?");
  const char *at = NULL, *rest = text + size;
  for (size_t i = 0; i < size; i++)
    if (text[i] == '@') at = text + i;
  if (at && !read_login(address, text, (size_t)(at - text))) return false;
  const char *place = at ? at + 1 : text;
  if (!read_place(address, place, (size_t)(rest - place), port)) return false;
  if (*rest == '/') rest++;
  size = strcspn(rest, "?");
  if (!read_database(address, rest, size)) return false;
  return rest[size] == '\0' || read_query(address, rest + size + 1);
}

enum mr_kind mr_redis_address_read(struct mr_redis_address *address, const char *url,
                                   struct mr_error *error) {
  char port[8];
  memset(address, 0, sizeof(*address));
  const char *text = skip_scheme(address, url);
  if (!text) return mr_fail(error, MR_IO, "the URL of Redis must begin with redis:// or rediss://");
  if (read_parts(address, text, port)) return look_up(address, port, error);
  mr_wipe(address, sizeof(*address));
  return mr_fail(error, MR_IO,
                 "the URL of Redis is not redis://[[user]:password@]host[:port][/database], nor "
                 "the same with rediss:// and perhaps ?ca_file=, &client_cert= and &client_key=");
}
