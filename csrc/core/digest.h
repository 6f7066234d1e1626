/*
** Hashes and signatures over libcrypto. A module of its own, because loading
** libcrypto costs more than the rest of the library together.
*/
#ifndef MR_DIGEST_H
#define MR_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define MR_SHA256_SIZE 32

bool mr_sha256(const void *data, size_t size, uint8_t out[MR_SHA256_SIZE]);
bool mr_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t out[MR_SHA256_SIZE]);

/* In time that depends on the sizes alone; different sizes are different. */
bool mr_equal(const void *a, size_t a_size, const void *b, size_t b_size);

enum mr_kind mr_hex(struct mr_buffer *out, const uint8_t *bytes, size_t size); /* lower case */
enum mr_kind mr_base64(struct mr_buffer *out, const uint8_t *bytes, size_t size);
/* Strict RFC 4648, padding required. */
bool mr_unbase64(const char *text, size_t size, struct mr_buffer *out);

#endif
