/*
** Our transport alone, as floor.c does it for libcurl:
**
**   transport URL COUNT CONCURRENCY [paths|headers]
**
** "paths" asks another path each time (URL?n=1, URL?n=2, ...), "headers" brings another header each time.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport_curl.h"
#include "usage.h"

struct job {
  struct mr_exchange exchange;
  char url[512];
  char headers[512];
  struct job *next;
};

struct bench {
  struct mr_transport *transport;
  struct job *ended;
  const char *url;
  bool paths, headers;
  long number;
};

static enum mr_flow on_sent(struct mr_exchange *x, int64_t at_us) {
  (void)x, (void)at_us;
  return MR_FLOW_ON;
}

static enum mr_flow on_status(struct mr_exchange *x, int status) {
  (void)x;
  return status == 200 ? MR_FLOW_ON : MR_FLOW_STOP;
}

static enum mr_flow on_bytes(struct mr_exchange *x, const char *bytes, size_t size) {
  (void)x, (void)bytes, (void)size;
  return MR_FLOW_ON;
}

static enum mr_flow on_headers_end(struct mr_exchange *x, int64_t at_us) {
  (void)x, (void)at_us;
  return MR_FLOW_ON;
}

static void on_done(struct mr_exchange *x, const struct mr_exchange_result *result) {
  struct bench *bench = x->owner;
  struct job *job = (struct job *)x;
  if (result->kind) {
    fprintf(stderr, "transport: %s\n", result->error.message);
    exit(1);
  }
  job->next = bench->ended;
  bench->ended = job;
}

static const struct mr_exchange_events events = {
    .on_sent = on_sent,
    .on_status = on_status,
    .on_header = on_bytes,
    .on_headers_end = on_headers_end,
    .on_body = on_bytes,
    .on_done = on_done,
};

static const char fixed_headers[] =
    "Accept: application/json\0Authorization: Bearer 0123456789abcdef\0User-Agent: bench\0";

static void start(struct bench *bench, struct job *job) {
  struct mr_exchange *x = &job->exchange;
  struct mr_error error;
  long number = bench->number++;
  if (bench->paths) {
    x->url_size = (size_t)snprintf(job->url, sizeof job->url, "%s?n=%ld", bench->url, number);
    x->url = job->url;
  }
  if (bench->headers) {
    char *more = job->headers + sizeof fixed_headers - 1;
    memcpy(job->headers, fixed_headers, sizeof fixed_headers);
    x->headers_size = sizeof fixed_headers + (size_t)snprintf(more, 64, "X-Number: %ld", number);
    job->headers[x->headers_size++] = '\0';
    x->headers = job->headers;
  }
  x->deadline_us = mr_clock_now(&mr_clock_system) + 60 * MR_SECOND;
  if (mr_transport_curl.start(bench->transport, x, &error)) {
    fprintf(stderr, "transport: %s\n", error.message);
    exit(1);
  }
}

static void prepare(struct bench *bench, struct job *job, const struct mr_route *route) {
  job->exchange = (struct mr_exchange){
      .events = &events,
      .owner = bench,
      .route = route,
      .method = "GET",
      .url = bench->url,
      .url_size = strlen(bench->url),
      .headers = fixed_headers,
      .headers_size = sizeof fixed_headers,
      .body_size = -1,
      .sends_quietly = true,
      .connect_timeout_us = 10 * MR_SECOND,
      .idle_timeout_us = 30 * MR_SECOND,
  };
}

static void run(struct bench *bench, long count, long started) {
  long done = 0;
  struct mr_error error;
  while (done < count) {
    if (mr_transport_curl.step(bench->transport, MR_SECOND, &error) < 0) exit(1);
    while (bench->ended) {
      struct job *job = bench->ended;
      bench->ended = job->next;
      done++;
      if (started++ < count) start(bench, job);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 4)
    return fprintf(stderr, "usage: transport URL COUNT CONCURRENCY [paths|headers]\n"), 2;
  long count = atol(argv[2]), concurrency = atol(argv[3]);
  struct mr_transport_config config = {.clock = &mr_clock_system};
  struct mr_route route = {.verify = true, .max_connections = 1024};
  struct mr_error error;
  struct bench bench = {.url = argv[1]};
  if (argc > 4)
    bench.paths = !strcmp(argv[4], "paths"), bench.headers = !strcmp(argv[4], "headers");
  bench.transport = mr_transport_curl.open(&config, &error);
  struct job *jobs = calloc((size_t)concurrency, sizeof *jobs);
  struct usage usage = usage_begin();
  for (long i = 0; i < concurrency; i++) {
    prepare(&bench, &jobs[i], &route);
    start(&bench, &jobs[i]);
  }
  run(&bench, count, concurrency);
  usage_print(&usage, count);
  mr_transport_curl.close(bench.transport);
  free(jobs);
  return 0;
}
