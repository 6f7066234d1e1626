/*
** The floor: what COUNT small GETs cost a plain program over libcurl's multi interface that throws the
** bodies away. Textbook curl_multi_perform and curl_multi_poll, easy handles and connections reused.
**
**   floor URL COUNT CONCURRENCY [bare]
**
** prints "wall_us cpu_us" per request. "bare" leaves out the three headers of the other benches.
*/
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage.h"

static size_t drop(char *bytes, size_t unit, size_t count, void *context) {
  (void)bytes, (void)context;
  return unit * count;
}

static CURL *prepare(const char *url, struct curl_slist *headers) {
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
  if (headers) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  return easy;
}

/* Takes what is done off the multi handle and puts it back on while there is more to do. */
static long reap(CURLM *multi, long *to_start) {
  CURLMsg *message;
  int left;
  long done = 0;
  while ((message = curl_multi_info_read(multi, &left))) {
    CURL *easy = message->easy_handle;
    if (message->msg != CURLMSG_DONE) continue;
    if (message->data.result) {
      fprintf(stderr, "floor: %s\n", curl_easy_strerror(message->data.result));
      exit(1);
    }
    curl_multi_remove_handle(multi, easy);
    if (*to_start > 0) {
      curl_multi_add_handle(multi, easy);
      (*to_start)--;
    }
    done++;
  }
  return done;
}

static void run(CURLM *multi, long count, long started) {
  long done = 0, to_start = count - started;
  while (done < count) {
    int running;
    curl_multi_perform(multi, &running);
    long ended = reap(multi, &to_start);
    done += ended;
    if (ended == 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: floor URL COUNT CONCURRENCY [bare]\n"), 2;
  long count = atol(argv[2]), concurrency = atol(argv[3]);
  struct curl_slist *headers = NULL;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  if (argc == 4) {
    headers = curl_slist_append(headers, "Accept: application/json");
    headers = curl_slist_append(headers, "Authorization: Bearer 0123456789abcdef");
    headers = curl_slist_append(headers, "User-Agent: bench");
  }
  CURLM *multi = curl_multi_init();
  CURL **handles = calloc((size_t)concurrency, sizeof *handles);
  struct usage usage = usage_begin();
  for (long i = 0; i < concurrency; i++) {
    handles[i] = prepare(argv[1], headers);
    curl_multi_add_handle(multi, handles[i]);
  }
  run(multi, count, concurrency);
  usage_print(&usage, count);
  for (long i = 0; i < concurrency; i++)
    curl_easy_cleanup(handles[i]);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  free(handles);
  return 0;
}
