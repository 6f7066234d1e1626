/*
** What libcurl calls back. It may do so from many of its functions, so an exchange that is being
** cancelled is taken off its handle first: without one, all of these do nothing.
*/
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ascii.h"
#include "curl_parts.h"
#include "descriptor.h"

/* ---- connecting ---- */

/* libcurl says so, and 7.88 then writes over it that the reply was empty, which it does for no other second try. */
static bool wants_older_version(const char *message) {
  return strstr(message, "HTTP_1_1_REQUIRED") || strstr(message, "Empty reply");
}

/* Why libcurl wants to send it once more: the server refused the stream, of which there is no message, while there is
** one of every broken connection; or it asks for HTTP/1.1. */
static void note_reason(struct mr_curl_handle *handle) {
  if (!handle->multiplexed || !handle->pool->transport->tells_unread) return;
  bool wants_older = wants_older_version(handle->message);
  handle->progress.unread = wants_older || handle->message[0] == '\0';
  if (wants_older) handle->origin->multiplexed = false;
}

/* A second try would be a request sent again behind our back: it ends before it connects anywhere. */
static bool tries_again(struct mr_curl_handle *handle) {
  struct mr_curl_progress *progress = &handle->progress;
  if (progress->sends == 1) note_reason(handle);
  if (progress->sends > 0) progress->sends++;
  return progress->sends > 0;
}

static void reached(struct mr_curl_handle *handle, enum mr_exchange_phase phase) {
  if (handle->progress.phase < phase) handle->progress.phase = phase;
}

static int on_resolve(void *state, void *reserved, void *context) {
  struct mr_curl_handle *handle = context;
  (void)state, (void)reserved;
  if (!handle->x) return 0;
  if (tries_again(handle)) return 1;
  reached(handle, MR_PHASE_RESOLVE);
  return 0;
}

static curl_socket_t on_open(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  struct mr_curl_handle *handle = context;
  (void)purpose;
  if (!handle->x) return CURL_SOCKET_BAD;
  if (tries_again(handle)) return CURL_SOCKET_BAD;
  int descriptor = mr_descriptor_keep(
      socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol));
  handle->progress.socket_error = descriptor < 0 ? errno : 0;
  if (descriptor < 0) return CURL_SOCKET_BAD;
  struct mr_curl_pool *pool = handle->pool;
  if (!mr_curl_loop_opened(&pool->transport->loop, descriptor, pool->route)) {
    handle->progress.socket_error = ENOMEM;
    close(descriptor);
    return CURL_SOCKET_BAD;
  }
  handle->progress.connected = true;
  mr_curl_entry_opens(handle);
  reached(handle, MR_PHASE_CONNECT);
  return descriptor;
}

/* The connection may outlive the handle that opened it, so the context is the transport. */
static int on_close(void *context, curl_socket_t descriptor) {
  struct mr_transport *transport = context;
  mr_curl_loop_closing(&transport->loop, descriptor);
  return close(descriptor);
}

static void note_place(struct mr_curl_handle *handle, const char *remote, int remote_port,
                       int local_port) {
  struct mr_curl_place *place = &handle->progress.place;
  snprintf(place->remote, sizeof place->remote, "%s", remote ? remote : "");
  place->remote_port = remote_port;
  place->local_port = local_port;
  if (handle->progress.connected) mr_curl_goaway_forget(&handle->pool->transport->goaways, place);
}

static int on_ready(void *context, char *remote, char *local, int remote_port, int local_port) {
  struct mr_curl_handle *handle = context;
  (void)local;
  if (!handle->x || tries_again(handle)) return CURL_PREREQFUNC_ABORT;
  handle->progress.sends = 1;
  mr_curl_entry_has_place(handle);
  if (handle->multiplexed) note_place(handle, remote, remote_port, local_port);
  if (handle->x->connects_only) return CURL_PREREQFUNC_OK;
  struct mr_transport *transport = handle->pool->transport;
  int64_t now_us = mr_clock_now(transport->clock);
  transport->told |= !handle->x->sends_quietly;
  if (handle->x->events->on_sent(handle->x, now_us) == MR_FLOW_STOP) {
    handle->progress.stopped = true;
    return CURL_PREREQFUNC_ABORT;
  }
  handle->progress.sent_us = handle->active_us = now_us;
  reached(handle, MR_PHASE_SEND);
  return CURL_PREREQFUNC_OK;
}

/* ---- the body of the request ---- */

static size_t on_read(char *bytes, size_t unit, size_t count, void *context) {
  struct mr_curl_handle *handle = context;
  struct mr_exchange *x = handle->x;
  struct mr_curl_progress *progress = &handle->progress;
  if (!x) return CURL_READFUNC_ABORT;
  int64_t left = x->body_size - progress->read;
  size_t room = unit * count;
  if (left <= 0) return 0;
  if ((int64_t)room > left) room = (size_t)left;
  int64_t size = x->events->on_read(x, bytes, room);
  if (size == MR_READ_LATER) {
    progress->paused = true;
    return CURL_READFUNC_PAUSE;
  }
  progress->failed_read = size < 0;
  progress->short_read = size == 0;
  if (size <= 0) return CURL_READFUNC_ABORT;
  progress->read += size;
  handle->active_us = handle->pool->transport->now_us;
  return (size_t)size;
}

/* ---- the answer ---- */

/* What libcurl is to be told for a chunk of 'size' bytes. */
static size_t answer(struct mr_curl_handle *handle, enum mr_flow flow, size_t size) {
  handle->pool->transport->told = true;
  if (flow == MR_FLOW_ON) return size;
  if (flow == MR_FLOW_PAUSE) {
    handle->progress.paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  handle->progress.stopped = true;
  return CURL_WRITEFUNC_ERROR;
}

/* The answer to a chunk of a body that was taken: where its exchange had enough for this turn it pauses, without
** anybody's knowing, and the transport resumes it when the others had theirs. Of what libcurl has read already it
** brings the rest nevertheless, in further pieces. */
static size_t taken(struct mr_curl_handle *handle, size_t size) {
  struct mr_transport *transport = handle->pool->transport;
  transport->told = true;
  if (handle->progress.resume_asked) return size;
  if (size < transport->turn_left) {
    transport->turn_left -= size;
    return size;
  }
  if (curl_easy_pause(handle->easy, CURLPAUSE_RECV) == CURLE_OK) {
    handle->progress.paused = handle->progress.resume_asked = true;
    mr_curl_line_add(&transport->resuming, handle);
  }
  return size;
}

static void note_received(struct mr_curl_handle *handle) {
  struct mr_curl_progress *progress = &handle->progress;
  const struct mr_transport *transport = handle->pool->transport;
  handle->active_us = transport->now_us;
  if (progress->first_byte_us == 0) {
    progress->first_byte_us = mr_clock_now(transport->clock);
    progress->first_act = transport->acts;
  }
  reached(handle, MR_PHASE_RECEIVE);
}

/* Headers that came with the first byte came when that did: the clock is not read twice. */
static int64_t headers_us(const struct mr_curl_handle *handle) {
  const struct mr_curl_progress *progress = &handle->progress;
  const struct mr_transport *transport = handle->pool->transport;
  if (progress->first_act == transport->acts) return progress->first_byte_us;
  return mr_clock_now(transport->clock);
}

static enum mr_flow on_decoded(void *context, const char *bytes, size_t size) {
  struct mr_curl_handle *handle = context;
  return handle->x->events->on_body(handle->x, bytes, size);
}

static size_t refuse_coding(struct mr_curl_handle *handle) {
  handle->progress.refused = true;
  return CURL_WRITEFUNC_ERROR;
}

static size_t decode(struct mr_curl_handle *handle, const char *bytes, size_t size) {
  if (handle->progress.coding == MR_CODING_STRANGE) return refuse_coding(handle);
  if (!handle->decoder) handle->decoder = mr_decoder_open(handle->coding);
  if (!handle->decoder) return refuse_coding(handle);
  switch (mr_decoder_feed(handle->decoder, bytes, size, on_decoded, handle)) {
  case MR_DECODER_ON:
    return taken(handle, size);
  case MR_DECODER_PAUSED:
    return answer(handle, MR_FLOW_PAUSE, size);
  case MR_DECODER_STOPPED:
    return answer(handle, MR_FLOW_STOP, size);
  default:
    return refuse_coding(handle);
  }
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context) {
  struct mr_curl_handle *handle = context;
  size_t size = unit * count;
  if (!handle->x) return CURL_WRITEFUNC_ERROR;
  if (size == 0) return 0;
  note_received(handle);
  if (handle->progress.pause_wanted) {
    handle->progress.pause_wanted = false;
    return answer(handle, MR_FLOW_PAUSE, size);
  }
  if (handle->progress.coding) return decode(handle, bytes, size);
  enum mr_flow flow = handle->x->events->on_body(handle->x, bytes, size);
  return flow == MR_FLOW_ON ? taken(handle, size) : answer(handle, flow, size);
}

/* "HTTP/1.1 200 OK": the version in front of the dot and the three digits, or 0. */
static int read_status(const char *line, size_t size, int *http_major) {
  const char *space = memchr(line, ' ', size);
  if (!space || space < line + 6 || line + size - space < 4) return 0;
  if (!mr_ascii_is_digit(line[5])) return 0;
  *http_major = line[5] - '0';
  int status = 0;
  for (int i = 1; i <= 3; i++) {
    if (!mr_ascii_is_digit(space[i])) return 0;
    status = status * 10 + (space[i] - '0');
  }
  return status;
}

/* libcurl itself takes 101 as the last answer, since nobody asked to switch. */
static bool is_interim(int status) {
  return status >= 100 && status < 200 && status != 101;
}

static enum mr_flow take_status(struct mr_curl_handle *handle, const char *line, size_t size) {
  struct mr_curl_progress *progress = &handle->progress;
  int status = read_status(line, size, &progress->http_major);
  progress->part = is_interim(status) ? MR_PART_INTERIM : MR_PART_FIELDS;
  if (is_interim(status)) return MR_FLOW_ON;
  progress->status = status;
  mr_curl_entry_answered(handle);
  return handle->x->events->on_status(handle->x, status);
}

/* For a message: it may be anything. */
static void note_strange(struct mr_curl_handle *handle, const char *value, size_t size) {
  size_t room = sizeof handle->strange - 1;
  if (size > room) size = room;
  for (size_t i = 0; i < size; i++)
    handle->strange[i] = (char)(value[i] < ' ' || value[i] > '~' ? '?' : value[i]);
  handle->strange[size] = '\0';
}

/* Several codings, in one field or in two, are as strange as an unknown one. */
static void take_coding(struct mr_curl_handle *handle, const char *value, size_t size) {
  struct mr_curl_progress *progress = &handle->progress;
  bool first = !progress->coding;
  handle->coding = first ? mr_decoder_find(value, size) : NULL;
  progress->coding = handle->coding ? MR_CODING_KNOWN : MR_CODING_STRANGE;
  if (!first)
    note_strange(handle, "several", 7);
  else if (!handle->coding)
    note_strange(handle, value, size);
}

static void note_coding(struct mr_curl_handle *handle, const char *line, size_t size) {
  static const char name[] = "content-encoding:";
  size_t from = sizeof name - 1;
  if (size <= from || line[from - 1] != ':' || !mr_ascii_same(line, from, name, from)) return;
  while (from < size && (line[from] == ' ' || line[from] == '\t'))
    from++;
  while (size > from && (line[size - 1] == ' ' || line[size - 1] == '\t'))
    size--;
  bool plain = size == from || mr_ascii_same(line + from, size - from, "identity", 8);
  if (!plain) take_coding(handle, line + from, size - from);
}

static enum mr_flow take_field(struct mr_curl_handle *handle, const char *line, size_t size) {
  note_coding(handle, line, size);
  return handle->x->events->on_header(handle->x, line, size);
}

static enum mr_flow take_line(struct mr_curl_handle *handle, const char *line, size_t size) {
  struct mr_curl_progress *progress = &handle->progress;
  const struct mr_exchange_events *events = handle->x->events;
  switch (progress->part) {
  case MR_PART_STATUS:
    return take_status(handle, line, size);
  case MR_PART_INTERIM:
    if (size == 0) progress->part = MR_PART_STATUS;
    return MR_FLOW_ON;
  case MR_PART_FIELDS:
    if (size > 0) return take_field(handle, line, size);
    progress->part = MR_PART_BODY;
    return events->on_headers_end(handle->x, headers_us(handle));
  default: /* a trailer */
    return MR_FLOW_ON;
  }
}

/* libcurl, paused here, would give all further lines in one piece: the pause waits for the body. */
static size_t on_header(char *bytes, size_t unit, size_t count, void *context) {
  struct mr_curl_handle *handle = context;
  size_t size = unit * count, bare = size;
  if (!handle->x) return CURL_WRITEFUNC_ERROR;
  note_received(handle);
  while (bare > 0 && (bytes[bare - 1] == '\n' || bytes[bare - 1] == '\r'))
    bare--;
  enum mr_flow flow = take_line(handle, bytes, bare);
  if (flow == MR_FLOW_PAUSE) handle->progress.pause_wanted = true;
  return answer(handle, flow == MR_FLOW_PAUSE ? MR_FLOW_ON : flow, size);
}

/* ---- the multi handle's ---- */

int mr_curl_on_socket(CURL *easy, curl_socket_t descriptor, int what, void *context, void *unused) {
  struct mr_transport *transport = context;
  struct mr_curl_handle *handle = NULL;
  int watch = 0;
  (void)unused;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) watch |= MR_WATCH_IN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) watch |= MR_WATCH_OUT;
  if (watch) curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&handle);
  mr_curl_loop_watch(&transport->loop, descriptor, watch, handle);
  return 0;
}

int mr_curl_on_timer(CURLM *multi, long timeout_ms, void *context) {
  struct mr_transport *transport = context;
  (void)multi;
  if (timeout_ms < 0)
    transport->due_us = MR_NEVER;
  else if (timeout_ms == 0)
    transport->due_us = 0;
  else
    transport->due_us = mr_time_after(transport->now_us, timeout_ms * MR_MILLISECOND);
  return 0;
}

void mr_curl_events_install(struct mr_curl_handle *handle) {
  CURL *easy = handle->easy;
  mr_curl_goaway_install(handle);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, handle);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, handle->message);
  curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
  curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, handle);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, handle);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, handle->pool->transport);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, handle);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
  curl_easy_setopt(easy, CURLOPT_READDATA, handle);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, handle);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, handle);
}
