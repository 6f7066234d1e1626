/*
** The transport over libcurl. Include no more than this: the type tells the rest.
*/
#ifndef MR_TRANSPORT_CURL_H
#define MR_TRANSPORT_CURL_H

#include "transport.h"

extern const struct mr_transport_type mr_transport_curl;

#endif
