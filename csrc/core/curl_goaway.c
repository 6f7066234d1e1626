/*
** Which requests an HTTP/2 server has not begun with when it closes a connection: GOAWAY names the last stream that it
** has (RFC 9113 section 6.8). libcurl 7.88 tells it in its trace alone, to whichever exchange reads at that moment, and
** ends most of the streams above without a word. So exchanges that must not reach a server twice are traced, and what
** the trace says about GOAWAY is kept. A libcurl that words it otherwise brings no evidence, and no harm.
*/
#include <stdio.h>
#include <string.h>

#include "curl_parts.h"

#define TEXT_MAX 128

static bool is_same_place(const struct mr_curl_place *a, const struct mr_curl_place *b) {
  return a->local_port == b->local_port && a->remote_port == b->remote_port &&
         strcmp(a->remote, b->remote) == 0;
}

static struct mr_curl_goaway *find(struct mr_curl_goaways *goaways,
                                   const struct mr_curl_place *place) {
  for (size_t i = 0; i < MR_CURL_GOAWAYS; i++)
    if (goaways->list[i].place.local_port > 0 && is_same_place(&goaways->list[i].place, place))
      return &goaways->list[i];
  return NULL;
}

/* A server that closes with grace names the highest number first and the real one later. */
static void keep(struct mr_curl_goaways *goaways, const struct mr_curl_place *place,
                 unsigned last_stream) {
  struct mr_curl_goaway *goaway = find(goaways, place);
  if (!goaway) goaway = &goaways->list[goaways->next++ % MR_CURL_GOAWAYS];
  *goaway = (struct mr_curl_goaway){.place = *place, .last_stream = last_stream};
}

static void read_text(struct mr_curl_handle *handle, const char *text) {
  struct mr_curl_progress *progress = &handle->progress;
  const char *goaway = strstr(text, "eived GOAWAY, "); /* 7.88 spells it "recveived" */
  unsigned last_stream;
  if (sscanf(text, "Using Stream ID: %u", &progress->stream) == 1) return;
  if (!goaway || progress->place.local_port <= 0) return;
  const char *number = strstr(goaway, "last_stream=");
  if (number && sscanf(number, "last_stream=%u", &last_stream) == 1)
    keep(&handle->pool->transport->goaways, &progress->place, last_stream);
}

static bool begins(const char *bytes, size_t size, const char *with) {
  size_t most = strlen(with);
  return size >= most && memcmp(bytes, with, most) == 0;
}

/* Nothing else is copied: credentials pass here, too. */
static int on_trace(CURL *easy, curl_infotype type, char *bytes, size_t size, void *context) {
  char text[TEXT_MAX];
  (void)easy;
  bool known = begins(bytes, size, "Using Stream ID") || begins(bytes, size, "rec");
  if (type != CURLINFO_TEXT || size >= sizeof text || !known) return 0;
  memcpy(text, bytes, size);
  text[size] = '\0';
  read_text(context, text);
  return 0;
}

void mr_curl_goaway_install(struct mr_curl_handle *handle) {
  curl_easy_setopt(handle->easy, CURLOPT_DEBUGFUNCTION, on_trace);
  curl_easy_setopt(handle->easy, CURLOPT_DEBUGDATA, handle);
}

void mr_curl_goaway_watch(struct mr_curl_handle *handle, bool watch) {
  if (watch == handle->traced) return;
  handle->traced = watch;
  curl_easy_setopt(handle->easy, CURLOPT_VERBOSE, watch ? 1L : 0L);
}

void mr_curl_goaway_forget(struct mr_curl_goaways *goaways, const struct mr_curl_place *place) {
  struct mr_curl_goaway *goaway = find(goaways, place);
  if (goaway) *goaway = (struct mr_curl_goaway){0};
}

bool mr_curl_goaway_covers(const struct mr_curl_handle *handle) {
  const struct mr_curl_progress *progress = &handle->progress;
  const struct mr_curl_goaway *goaway = find(&handle->pool->transport->goaways, &progress->place);
  return goaway && progress->stream > goaway->last_stream;
}
