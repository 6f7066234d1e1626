/*
** Where a redirect leads, and whether to go there (RFC 9110 section 15.4). We follow less than a browser:
** a write is never repeated elsewhere, and https never becomes http.
*/
#ifndef MR_REDIRECT_H
#define MR_REDIRECT_H

#include <stdbool.h>

#include "request.h"

bool mr_redirect_is(int status);

/* Turns the request towards its next hop: method, URL, body, 'foreign'. MR_REDIRECT with a message that names
** the reason and the place when it must not be followed. */
enum mr_kind mr_redirect_turn(struct mr_request *request, struct mr_error *error);

#endif
