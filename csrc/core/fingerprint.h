/*
** Names for credentials: the same one has the same name wherever the salt is the same, and nobody gets from the name
** to the credential. Made here and not by libcrypto, because every program needs it before its first request, and
** libcrypto takes longer to get ready for it than all the rest of moonrest.open.
*/
#ifndef MR_FINGERPRINT_H
#define MR_FINGERPRINT_H

#include <stddef.h>

#define MR_FINGERPRINT_SIZE 32 /* characters, and a zero byte behind them */

/* The first half of HMAC-SHA-256 (RFC 2104, FIPS 180-4) of 'salt' under the credential, in hex. */
void mr_fingerprint(const void *credential, size_t size, const char *salt,
                    char out[MR_FINGERPRINT_SIZE + 1]);

#endif
