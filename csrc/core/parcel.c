/* Parcels, their letters and the routes that they take: memory and lists. */
#include <string.h>

#include "memory.h"
#include "thread_parts.h"

/* Bytes of an answer's fields. Above what the engine takes, which stops at its own bound with its own words when it is
** given these lines, and above libcurl's. */
#define HEAD_MAX ((size_t)8 * MR_HEADERS_MAX_BYTES)

/* ---- lists of parcels ---- */

void mr_parcels_add(struct mr_parcel_list *list, enum mr_place place, struct mr_parcel *parcel) {
  struct mr_parcel_link *link = &parcel->links[place];
  if (link->is_in) return;
  *link = (struct mr_parcel_link){.previous = list->last, .is_in = true};
  if (list->last)
    list->last->links[place].next = parcel;
  else
    list->first = parcel;
  list->last = parcel;
}

void mr_parcels_remove(struct mr_parcel_list *list, enum mr_place place, struct mr_parcel *parcel) {
  struct mr_parcel_link *link = &parcel->links[place];
  if (!link->is_in) return;
  if (link->previous)
    link->previous->links[place].next = link->next;
  else
    list->first = link->next;
  if (link->next)
    link->next->links[place].previous = link->previous;
  else
    list->last = link->previous;
  *link = (struct mr_parcel_link){0};
}

/* ---- letters ---- */

struct mr_letter *mr_letter_new(enum mr_letter_kind kind, size_t size) {
  struct mr_letter *letter = mr_alloc(sizeof *letter + size);
  if (!letter) return NULL;
  *letter = (struct mr_letter){.kind = kind, .size = size};
  mr_buffer_init(&letter->block, SIZE_MAX / 4);
  return letter;
}

void mr_letter_free(struct mr_letter *letter) {
  if (letter) mr_buffer_free(&letter->block);
  mr_free(letter);
}

void mr_letters_add(struct mr_letters *letters, struct mr_letter *letter) {
  letter->next = NULL;
  if (letters->last)
    letters->last->next = letter;
  else
    letters->first = letter;
  letters->last = letter;
}

void mr_letters_move(struct mr_letters *to, struct mr_letters *from) {
  if (!from->first) return;
  if (to->last)
    to->last->next = from->first;
  else
    to->first = from->first;
  to->last = from->last;
  *from = (struct mr_letters){0};
}

struct mr_letter *mr_letters_take(struct mr_letters *letters) {
  struct mr_letter *letter = letters->first;
  if (!letter) return NULL;
  letters->first = letter->next;
  if (!letters->first) letters->last = NULL;
  return letter;
}

void mr_letters_free(struct mr_letters *letters) {
  struct mr_letter *letter;
  while ((letter = mr_letters_take(letters)))
    mr_letter_free(letter);
}

/* ---- parcels ---- */

/* Appends to the block what the exchange points to, and points to that. */
static const char *keep(char **end, const char *bytes, size_t size) {
  char *copy = *end;
  if (size > 0) memcpy(copy, bytes, size);
  copy[size] = '\0';
  *end += size + 1;
  return copy;
}

static bool copy_texts(struct mr_parcel *parcel, const struct mr_exchange *x) {
  size_t method_size = strlen(x->method);
  size_t body_size = x->body && x->body_size > 0 ? (size_t)x->body_size : 0;
  parcel->block_size = method_size + x->url_size + x->headers_size + body_size + 4;
  parcel->block = mr_alloc(parcel->block_size);
  if (!parcel->block) return false;
  char *end = parcel->block;
  parcel->exchange.method = keep(&end, x->method, method_size);
  parcel->exchange.url = keep(&end, x->url, x->url_size);
  parcel->exchange.headers = keep(&end, x->headers, x->headers_size);
  if (x->body) parcel->exchange.body = keep(&end, x->body, body_size);
  return true;
}

/* The copy of an open route, made when it is new. NULL: no memory. */
static const struct mr_route *find_route(struct mr_transport *transport,
                                         const struct mr_route *original);

struct mr_parcel *mr_parcel_new(struct mr_transport *transport, struct mr_exchange *x) {
  const struct mr_route *route = find_route(transport, x->route);
  struct mr_parcel *parcel = route ? mr_alloc_zero(1, sizeof *parcel) : NULL;
  if (!parcel) return NULL;
  parcel->transport = transport;
  parcel->x = x;
  parcel->left_us = parcel->mail.awaited = -1;
  parcel->ordered_us = mr_clock_now(transport->clock);
  parcel->exchange = *x;
  parcel->exchange.events = &mr_thread_events;
  parcel->exchange.owner = parcel;
  parcel->exchange.route = route;
  parcel->exchange.transport_data = NULL;
  mr_buffer_init(&parcel->head, HEAD_MAX);
  if (copy_texts(parcel, x)) return parcel;
  mr_parcel_free(parcel);
  return NULL;
}

void mr_parcel_free(struct mr_parcel *parcel) {
  mr_letters_free(&parcel->letters);
  mr_letters_free(&parcel->mail.letters);
  mr_letters_free(&parcel->mail.feed);
  mr_letters_free(&parcel->feed);
  mr_letter_free(parcel->gathering);
  mr_buffer_free(&parcel->head);
  if (parcel->block) mr_wipe(parcel->block, parcel->block_size);
  mr_free(parcel->block);
  mr_free(parcel);
}

/* ---- routes ---- */

static struct mr_thread_route *copy_route(const struct mr_route *original) {
  struct mr_thread_route *copy = mr_alloc_zero(1, sizeof *copy);
  if (!copy) return NULL;
  copy->original = original;
  if (mr_route_copy(&copy->route, original)) return copy;
  mr_free(copy);
  return NULL;
}

static const struct mr_route *find_route(struct mr_transport *transport,
                                         const struct mr_route *original) {
  struct mr_thread_route *copy = transport->routes;
  while (copy && copy->original != original)
    copy = copy->next;
  if (!copy) {
    copy = copy_route(original);
    if (!copy) return NULL;
    copy->next = transport->routes;
    transport->routes = copy;
  }
  return &copy->route;
}

void mr_thread_route_free(struct mr_thread_route *copy) {
  mr_route_free(&copy->route);
  mr_free(copy);
}
