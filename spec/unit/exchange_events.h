/*
** The events of an exchange, each the function of that name in the file that takes them.
*/
#ifndef EXCHANGE_EVENTS_H
#define EXCHANGE_EVENTS_H

#define EXCHANGE_EVENTS                                                                            \
  {                                                                                                \
    .on_sent = on_sent, .on_status = on_status, .on_header = on_header,                            \
    .on_headers_end = on_headers_end, .on_body = on_body, .on_read = on_read, .on_done = on_done   \
  }

#endif
