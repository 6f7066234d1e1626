#include "fingerprint.h"

#include <stdint.h>
#include <string.h>

#include "memory.h"

#define BLOCK_SIZE  64
#define DIGEST_SIZE 32

/* {====== SHA-256 (FIPS 180-4 section 6.2) ====== */

struct sha256 {
  uint32_t state[8];
  uint8_t block[BLOCK_SIZE];
  uint64_t size; /* bytes so far; those of an unfinished block are in 'block' */
};

static const uint32_t first_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t word, int count) {
  return word >> count | word << (32 - count);
}

static uint32_t read_word(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void write_word(uint8_t *bytes, uint32_t word) {
  for (int i = 0; i < 4; i++)
    bytes[i] = (uint8_t)(word >> (24 - 8 * i));
}

static void schedule(uint32_t words[64], const uint8_t *block) {
  for (int i = 0; i < 16; i++)
    words[i] = read_word(block + 4 * (size_t)i);
  for (int i = 16; i < 64; i++) {
    uint32_t near = words[i - 2], far = words[i - 15];
    words[i] = words[i - 16] + words[i - 7] + (rotate(far, 7) ^ rotate(far, 18) ^ far >> 3) +
               (rotate(near, 17) ^ rotate(near, 19) ^ near >> 10);
  }
}

static void take_block(struct sha256 *hash) {
  uint32_t words[64], s[8];
  schedule(words, hash->block);
  memcpy(s, hash->state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    uint32_t one = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice +
                   constants[i] + words[i];
    uint32_t two = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
    memmove(s + 1, s, 7 * sizeof s[0]);
    s[4] += one;
    s[0] = one + two;
  }
  for (int i = 0; i < 8; i++)
    hash->state[i] += s[i];
  mr_wipe(words, sizeof words);
}

static void begin(struct sha256 *hash) {
  memcpy(hash->state, first_state, sizeof first_state);
  hash->size = 0;
}

static void add(struct sha256 *hash, const void *bytes, size_t size) {
  const uint8_t *next = bytes;
  for (size_t i = 0; i < size; i++) {
    hash->block[hash->size++ % BLOCK_SIZE] = next[i];
    if (hash->size % BLOCK_SIZE == 0) take_block(hash);
  }
}

static void finish(struct sha256 *hash, uint8_t digest[DIGEST_SIZE]) {
  static const uint8_t padding[BLOCK_SIZE] = {0x80};
  uint64_t bits = hash->size * 8;
  uint8_t length[8];
  write_word(length, (uint32_t)(bits >> 32));
  write_word(length + 4, (uint32_t)bits);
  add(hash, padding, 1 + (2 * BLOCK_SIZE - 9 - hash->size % BLOCK_SIZE) % BLOCK_SIZE);
  add(hash, length, sizeof length);
  for (int i = 0; i < 8; i++)
    write_word(digest + 4 * (size_t)i, hash->state[i]);
  mr_wipe(hash, sizeof *hash);
}

/* }====== */

/* {====== HMAC (RFC 2104 section 2) ====== */

static void keyed(const uint8_t key[BLOCK_SIZE], uint8_t pad, const void *text, size_t size,
                  uint8_t digest[DIGEST_SIZE]) {
  struct sha256 hash;
  begin(&hash);
  for (size_t i = 0; i < BLOCK_SIZE; i++) {
    uint8_t byte = key[i] ^ pad;
    add(&hash, &byte, 1);
  }
  add(&hash, text, size);
  finish(&hash, digest);
}

static void make_key(uint8_t key[BLOCK_SIZE], const void *bytes, size_t size) {
  memset(key, 0, BLOCK_SIZE);
  if (size <= BLOCK_SIZE) {
    if (size > 0) memcpy(key, bytes, size);
    return;
  }
  struct sha256 hash;
  begin(&hash);
  add(&hash, bytes, size);
  finish(&hash, key);
}

/* }====== */

void mr_fingerprint(const void *credential, size_t size, const char *salt,
                    char out[MR_FINGERPRINT_SIZE + 1]) {
  static const char digits[] = "0123456789abcdef";
  uint8_t key[BLOCK_SIZE], digest[DIGEST_SIZE];
  make_key(key, credential, size);
  keyed(key, 0x36, salt, strlen(salt), digest);
  keyed(key, 0x5c, digest, sizeof digest, digest);
  mr_wipe(key, sizeof key);
  for (size_t i = 0; i < MR_FINGERPRINT_SIZE; i++)
    out[i] = digits[i % 2 == 0 ? digest[i / 2] >> 4 : digest[i / 2] & 15];
  out[MR_FINGERPRINT_SIZE] = '\0';
}
