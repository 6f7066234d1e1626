/*
** What the wire tells the thread: written down for the owner, who gets it in the same order.
**
** Whether a request leaves is settled under the lock, once: either the thread finds that the owner has dropped
** it, and nothing leaves, or the owner finds that it has left. So a slot is given back only for what the server
** will never see, as without a thread.
*/
#include <string.h>

#include "memory.h"
#include "thread_parts.h"

/* ---- sending ---- */

static enum mr_flow on_sent(struct mr_exchange *x, int64_t at_us) {
  struct mr_parcel *parcel = x->owner;
  struct mr_transport *transport = parcel->transport;
  pthread_mutex_lock(&transport->lock);
  bool leaves = !parcel->mail.is_dropped;
  if (leaves) {
    parcel->mail.is_sent = true;
    parcel->mail.sent_us = at_us;
    mr_thread_announce(transport, parcel, !x->sends_quietly);
  }
  pthread_mutex_unlock(&transport->lock);
  x->stop_kind = MR_CANCELLED;
  return leaves ? MR_FLOW_ON : MR_FLOW_STOP;
}

/* Takes what the owner has read of the body; asks for more in time, for one piece at a time. */
static void look_for_feed(struct mr_parcel *parcel) {
  struct mr_transport *transport = parcel->transport;
  if (parcel->feed.first && (parcel->feed.first != parcel->feed.last || parcel->feed.last->ends))
    return;
  pthread_mutex_lock(&transport->lock);
  if (parcel->mail.feed.first) {
    mr_letters_move(&parcel->feed, &parcel->mail.feed);
    parcel->feed_asked = false;
  }
  bool asks = !parcel->feed_asked && (!parcel->feed.last || !parcel->feed.last->ends);
  if (asks) {
    parcel->feed_asked = parcel->mail.wants_feed = true;
    mr_thread_announce(transport, parcel, true);
  }
  pthread_mutex_unlock(&transport->lock);
}

static int64_t on_read(struct mr_exchange *x, char *bytes, size_t size) {
  struct mr_parcel *parcel = x->owner;
  look_for_feed(parcel);
  struct mr_letter *letter = parcel->feed.first;
  if (!letter) return MR_READ_LATER;
  size_t left = letter->size - letter->used;
  if (left == 0) return letter->failed ? -1 : 0; /* only the last one is ever empty */
  if (size > left) size = left;
  memcpy(bytes, letter->bytes + letter->used, size);
  letter->used += size;
  if (letter->used == letter->size && !letter->ends) mr_letter_free(mr_letters_take(&parcel->feed));
  return (int64_t)size;
}

/* ---- receiving ---- */

static enum mr_flow stop(struct mr_exchange *x, enum mr_kind kind) {
  struct mr_parcel *parcel = x->owner;
  parcel->no_memory |= kind == MR_LIMIT;
  x->stop_kind = kind;
  return MR_FLOW_STOP;
}

static void post(struct mr_parcel *parcel, struct mr_letter *letter) {
  struct mr_transport *transport = parcel->transport;
  pthread_mutex_lock(&transport->lock);
  mr_letters_add(&parcel->mail.letters, letter);
  parcel->mail.waiting += sizeof *letter + letter->size;
  mr_thread_announce(transport, parcel, true);
  pthread_mutex_unlock(&transport->lock);
}

static enum mr_flow on_status(struct mr_exchange *x, int status) {
  struct mr_parcel *parcel = x->owner;
  parcel->status = status;
  parcel->head_open = true;
  mr_buffer_clear(&parcel->head);
  return MR_FLOW_ON;
}

static enum mr_flow on_header(struct mr_exchange *x, const char *line, size_t size) {
  struct mr_parcel *parcel = x->owner;
  enum mr_kind kind = mr_buffer_append(&parcel->head, line, size);
  if (!kind) kind = mr_buffer_byte(&parcel->head, '\n');
  return kind ? stop(x, kind) : MR_FLOW_ON;
}

static enum mr_flow post_head(struct mr_exchange *x, bool is_whole, int64_t at_us) {
  struct mr_parcel *parcel = x->owner;
  size_t size = parcel->head.size;
  struct mr_letter *letter = mr_letter_new(MR_LETTER_HEAD, size);
  parcel->head_open = false;
  if (!letter) return stop(x, MR_LIMIT);
  if (size > 0) memcpy(letter->bytes, parcel->head.data, size);
  letter->status = parcel->status;
  letter->is_whole = is_whole;
  letter->at_us = at_us;
  mr_buffer_free(&parcel->head);
  post(parcel, letter);
  return MR_FLOW_ON;
}

static enum mr_flow on_headers_end(struct mr_exchange *x, int64_t at_us) {
  return post_head(x, true, at_us);
}

/* With the lock. Whether so many bytes more must wait until the owner has taken some of those that wait. */
static bool must_pause(struct mr_parcel *parcel, size_t waiting, size_t size, size_t window) {
  bool full = waiting > 0 && waiting + size > window;
  parcel->mail.is_paused |= full;
  return full;
}

static bool is_full(struct mr_parcel *parcel, size_t size) {
  struct mr_transport *transport = parcel->transport;
  size_t window = parcel->exchange.bulk ? MR_MAIL_WINDOW_BULK : MR_MAIL_WINDOW;
  pthread_mutex_lock(&transport->lock);
  bool full = must_pause(parcel, parcel->mail.waiting, size, window);
  pthread_mutex_unlock(&transport->lock);
  return full;
}

/* ---- a body that is gathered ---- */

/* Of a body whose size nobody has told: most have less, and more would not be known to the owner's bounds. */
#define UNTOLD_BLOCK_SIZE ((size_t)64 * 1024)

/* The owner has it at the end, so that it need not copy anything; or before, when it is not known how much comes, or is
** too much. What follows is given as without a block. */
static void post_block(struct mr_parcel *parcel) {
  struct mr_letter *letter = parcel->gathering;
  if (!letter) return;
  parcel->gathering = NULL;
  parcel->has_gathered = true;
  letter->size = letter->block.size;
  if (letter->size > 0)
    post(parcel, letter);
  else
    mr_letter_free(letter);
}

/* As is_full, of a block that is not in the mail yet. Until the owner has the head, it is not known what it waits for. */
static bool is_block_full(struct mr_parcel *parcel, size_t size, int64_t *awaited) {
  struct mr_transport *transport = parcel->transport;
  size_t gathered = parcel->gathering ? parcel->gathering->block.size : 0;
  pthread_mutex_lock(&transport->lock);
  *awaited = parcel->mail.awaited;
  size_t window = *awaited > MR_MAIL_WINDOW ? (size_t)*awaited : MR_MAIL_WINDOW;
  bool full = must_pause(parcel, parcel->mail.waiting + gathered, size, window);
  pthread_mutex_unlock(&transport->lock);
  return full;
}

/* Room for a block of so many bytes: of all that come, where that is known. */
static bool make_room(struct mr_parcel *parcel, size_t size, int64_t awaited) {
  struct mr_letter *letter = parcel->gathering;
  if (!letter) letter = parcel->gathering = mr_letter_new(MR_LETTER_BLOCK, 0);
  if (!letter) return false;
  size_t there = letter->block.size;
  if (awaited > (int64_t)(there + size))
    mr_buffer_reserve(&letter->block, (size_t)awaited - there); /* or what comes */
  return mr_buffer_reserve(&letter->block, size) == MR_NONE;
}

static enum mr_flow gather(struct mr_exchange *x, const char *bytes, size_t size) {
  struct mr_parcel *parcel = x->owner;
  int64_t awaited;
  if (is_block_full(parcel, size, &awaited)) {
    if (awaited >= 0) post_block(parcel);
    return MR_FLOW_PAUSE;
  }
  if (!make_room(parcel, size, awaited)) return stop(x, MR_LIMIT);
  struct mr_buffer *block = &parcel->gathering->block;
  mr_buffer_append(block, bytes, size);
  atomic_fetch_add_explicit(&parcel->arrived, size, memory_order_relaxed);
  if ((awaited == 0 && block->size >= UNTOLD_BLOCK_SIZE) || block->size > x->max_body)
    post_block(parcel);
  return MR_FLOW_ON;
}

static enum mr_flow on_body(struct mr_exchange *x, const char *bytes, size_t size) {
  struct mr_parcel *parcel = x->owner;
  if (x->gathers && !parcel->has_gathered) return gather(x, bytes, size);
  if (is_full(parcel, size)) return MR_FLOW_PAUSE;
  struct mr_letter *letter = mr_letter_new(MR_LETTER_BODY, size);
  if (!letter) return stop(x, MR_LIMIT);
  memcpy(letter->bytes, bytes, size);
  post(parcel, letter);
  return MR_FLOW_ON;
}

/* ---- the end ---- */

static void add_lag(struct mr_timings *timings, int64_t lag_us) {
  int64_t *times[] = {&timings->resolved_us, &timings->connected_us,  &timings->secured_us,
                      &timings->sent_us,     &timings->first_byte_us, &timings->done_us};
  for (size_t i = 0; i < sizeof times / sizeof *times; i++)
    if (*times[i] >= 0) *times[i] += lag_us;
}

static void on_done(struct mr_exchange *x, const struct mr_exchange_result *result) {
  struct mr_parcel *parcel = x->owner;
  struct mr_transport *transport = parcel->transport;
  if (parcel->head_open) post_head(x, false, 0);
  post_block(parcel);
  parcel->result = *result;
  parcel->has_ended = true;
  add_lag(&parcel->result.timings, parcel->lag_us);
  if (result->kind && parcel->no_memory)
    mr_fail(&parcel->result.error, MR_LIMIT, "out of memory for the answer of a server");
  pthread_mutex_lock(&transport->lock);
  parcel->mail.is_over = true;
  mr_thread_announce(transport, parcel, true);
  pthread_mutex_unlock(&transport->lock);
}

const struct mr_exchange_events mr_thread_events = {
    .on_sent = on_sent,
    .on_status = on_status,
    .on_header = on_header,
    .on_headers_end = on_headers_end,
    .on_body = on_body,
    .on_read = on_read,
    .on_done = on_done,
};
