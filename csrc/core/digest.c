/*
** The only file that knows libcrypto. Hex and base64 stand here for the sake of
** those who need them: signatures.
*/
#include "digest.h"

/* The functions of SHA-256 itself. OpenSSL 3 would have all go through EVP, which first makes a list of all that its
** providers know: 0.3 ms, before a program's first request. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#include "memory.h"

#define BASE64_BAD 64

static const char base64_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* {====== SHA-256 and HMAC (RFC 2104 section 2) ====== */

/* The digest of two texts, one behind the other. */
static bool digest_both(const void *first, size_t first_size, const void *second,
                        size_t second_size, uint8_t out[MR_SHA256_SIZE]) {
  SHA256_CTX context;
  bool ok = SHA256_Init(&context) && SHA256_Update(&context, first, first_size) &&
            SHA256_Update(&context, second, second_size) && SHA256_Final(out, &context);
  mr_wipe(&context, sizeof context);
  return ok;
}

bool mr_sha256(const void *data, size_t size, uint8_t out[MR_SHA256_SIZE]) {
  return digest_both(data, size, NULL, 0, out);
}

static void set_padding(uint8_t padding[SHA256_CBLOCK], const uint8_t key[SHA256_CBLOCK],
                        uint8_t byte) {
  for (size_t i = 0; i < SHA256_CBLOCK; i++)
    padding[i] = key[i] ^ byte;
}

bool mr_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                    uint8_t out[MR_SHA256_SIZE]) {
  uint8_t block[SHA256_CBLOCK] = {0}, padding[SHA256_CBLOCK];
  bool ok = true;
  if (key_size > sizeof block)
    ok = mr_sha256(key, key_size, block);
  else if (key_size > 0)
    memcpy(block, key, key_size);
  set_padding(padding, block, 0x36);
  ok = ok && digest_both(padding, sizeof padding, data, size, out);
  set_padding(padding, block, 0x5c);
  ok = ok && digest_both(padding, sizeof padding, out, MR_SHA256_SIZE, out);
  mr_wipe(block, sizeof block);
  mr_wipe(padding, sizeof padding);
  return ok;
}

/* }====== */

bool mr_equal(const void *a, size_t a_size, const void *b, size_t b_size) {
  return a_size == b_size && (a_size == 0 || CRYPTO_memcmp(a, b, a_size) == 0);
}

/* {====== Hex ====== */

enum mr_kind mr_hex(struct mr_buffer *out, const uint8_t *bytes, size_t size) {
  static const char digits[] = "0123456789abcdef";
  if (size > SIZE_MAX / 2) return MR_TOO_LARGE;
  enum mr_kind kind = mr_buffer_reserve(out, size * 2);
  for (size_t i = 0; kind == MR_NONE && i < size; i++) {
    char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    kind = mr_buffer_append(out, pair, 2);
  }
  return kind;
}

/* }====== */

/* {====== Base64 (RFC 4648 section 4) ====== */

/* One to three bytes become four letters. */
static void encode_group(const uint8_t *bytes, size_t size, char letters[4]) {
  uint32_t bits = (uint32_t)bytes[0] << 16;
  if (size > 1) bits |= (uint32_t)bytes[1] << 8;
  if (size > 2) bits |= bytes[2];
  letters[0] = base64_letters[bits >> 18];
  letters[1] = base64_letters[bits >> 12 & 63];
  letters[2] = letters[3] = '=';
  if (size > 1) letters[2] = base64_letters[bits >> 6 & 63];
  if (size > 2) letters[3] = base64_letters[bits & 63];
}

enum mr_kind mr_base64(struct mr_buffer *out, const uint8_t *bytes, size_t size) {
  if (size > SIZE_MAX / 2) return MR_TOO_LARGE;
  enum mr_kind kind = mr_buffer_reserve(out, size / 3 * 4 + (size % 3 ? 4 : 0));
  for (size_t i = 0; kind == MR_NONE && i < size; i += 3) {
    char letters[4];
    encode_group(bytes + i, size - i, letters);
    kind = mr_buffer_append(out, letters, 4);
  }
  return kind;
}

static unsigned base64_value(char c) {
  if (c >= 'A' && c <= 'Z') return (unsigned)(c - 'A');
  if (c >= 'a' && c <= 'z') return (unsigned)(c - 'a') + 26;
  if (c >= '0' && c <= '9') return (unsigned)(c - '0') + 52;
  return c == '+' ? 62 : c == '/' ? 63 : BASE64_BAD;
}

/* Four letters, of which 'count' are no padding. False when one is no letter of the alphabet, or
** when bits that belong to no byte are set: one text would then have several spellings (section
** 3.5). */
static bool decode_group(const char *letters, size_t count, uint8_t bytes[3]) {
  uint32_t bits = 0;
  for (size_t i = 0; i < 4; i++) {
    unsigned value = i < count ? base64_value(letters[i]) : 0;
    if (value == BASE64_BAD) return false;
    bits = bits << 6 | value;
  }
  bytes[0] = (uint8_t)(bits >> 16);
  bytes[1] = (uint8_t)(bits >> 8);
  bytes[2] = (uint8_t)bits;
  return count == 4 || (count == 3 && bytes[2] == 0) ||
         (count == 2 && bytes[1] == 0 && bytes[2] == 0);
}

static bool decode(const char *text, size_t size, struct mr_buffer *out) {
  for (size_t i = 0; i < size; i += 4) {
    size_t count = 4;
    while (i + 4 == size && count > 2 && text[i + count - 1] == '=')
      count--;
    uint8_t bytes[3];
    if (!decode_group(text + i, count, bytes) || mr_buffer_append(out, bytes, count - 1) != MR_NONE)
      return false;
  }
  return true;
}

bool mr_unbase64(const char *text, size_t size, struct mr_buffer *out) {
  size_t start = out->size;
  if (size % 4 == 0 && decode(text, size, out)) return true;
  out->size = start;
  if (out->data) out->data[start] = '\0';
  return false;
}

/* }====== */
