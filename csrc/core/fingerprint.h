/*
** Names for credentials: the same one has the same name wherever the salt is the same, and nobody gets from the name
** to the credential. Made here and not by libcrypto, because every program needs it before its first request:
** SHA256() and HMAC() of OpenSSL 3 take 0.7 ms the first time, and 0.3 ms where libcurl has it loaded and ready, which
** is longer than all the rest of moonrest.open. Its functions that need no start are deprecated. The unit test
** compares the two.
*/
#ifndef MR_FINGERPRINT_H
#define MR_FINGERPRINT_H

#include <stddef.h>

#define MR_FINGERPRINT_SIZE 32 /* characters, and a zero byte behind them */

/* The first half of HMAC-SHA-256 (RFC 2104, FIPS 180-4) of 'salt' under the credential, in hex. */
void mr_fingerprint(const void *credential, size_t size, const char *salt,
                    char out[MR_FINGERPRINT_SIZE + 1]);

#endif
