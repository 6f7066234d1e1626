/*
** What becomes of a slot after it was granted. Every path ends in the idle
** state, with nothing held but the units that the server has counted.
*/
#include "limiter_parts.h"

static void give_back(struct mr_queue *queue, struct mr_ticket *ticket) {
  struct mr_limiter *limiter = mr_queue_limiter(queue);
  mr_limiter_begin(limiter, ticket->buckets, ticket->bucket_count);
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    mr_bucket_give_back(ticket->buckets[i]->state, mr_ticket_units(ticket));
  if (limiter->remote) mr_remote_give_back(limiter->remote, ticket);
  mr_limiter_end(limiter);
  ticket->state = MR_TICKET_IDLE;
  mr_queue_rearm(queue, ticket, true);
}

void mr_ticket_sent(struct mr_queue *queue, struct mr_ticket *ticket) {
  if (ticket->state != MR_TICKET_GRANTED) return;
  struct mr_limiter *limiter = mr_queue_limiter(queue);
  ticket->sent_us = mr_clock_now(mr_queue_clock(queue)) - ticket->lag_us;
  mr_limiter_begin(limiter, ticket->buckets, ticket->bucket_count);
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    mr_bucket_sent(ticket->buckets[i]->state, mr_ticket_units(ticket), &ticket->slots[i],
                   ticket->sent_us);
  mr_limiter_end(limiter);
  ticket->state = MR_TICKET_SENT;
  mr_queue_rearm(queue, ticket, false);
}

void mr_ticket_answered(struct mr_queue *queue, struct mr_ticket *ticket) {
  if (ticket->state != MR_TICKET_SENT) return;
  struct mr_limiter *limiter = mr_queue_limiter(queue);
  int64_t at_us = mr_clock_now(mr_queue_clock(queue)) - ticket->lag_us;
  mr_limiter_begin(limiter, ticket->buckets, ticket->bucket_count);
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    mr_bucket_answered(ticket->buckets[i]->state, mr_ticket_units(ticket), &ticket->slots[i],
                       at_us - ticket->sent_us, at_us);
  mr_limiter_end(limiter);
  ticket->state = MR_TICKET_ANSWERED;
  mr_queue_rearm(queue, ticket, false);
}

/* The slots stay readable in the ticket, for what is learnt afterwards. */
static void finish(struct mr_queue *queue, struct mr_ticket *ticket) {
  struct mr_limiter *limiter = mr_queue_limiter(queue);
  int64_t now_us = mr_clock_now(mr_queue_clock(queue));
  mr_limiter_begin(limiter, ticket->buckets, ticket->bucket_count);
  for (uint32_t i = 0; i < ticket->bucket_count; i++)
    mr_bucket_closed(ticket->buckets[i]->state, mr_ticket_units(ticket), &ticket->slots[i], now_us);
  mr_limiter_end(limiter);
  ticket->state = MR_TICKET_IDLE;
  mr_queue_rearm(queue, ticket, true);
}

void mr_ticket_closed(struct mr_queue *queue, struct mr_ticket *ticket) {
  if (ticket->state == MR_TICKET_GRANTED)
    give_back(queue, ticket);
  else if (ticket->state == MR_TICKET_SENT || ticket->state == MR_TICKET_ANSWERED)
    finish(queue, ticket);
}

void mr_ticket_cancel(struct mr_queue *queue, struct mr_ticket *ticket) {
  if (ticket->state == MR_TICKET_QUEUED)
    mr_queue_leave(queue, ticket);
  else
    mr_ticket_closed(queue, ticket);
}
