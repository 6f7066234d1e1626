#include "failing_allocator.h"

#include "core/digest.h"
#include "core/fingerprint.h"

/* RFC 4231 sections 4.3 and 4.7: a short key, and one over a block. */
static void test_published(void **state) {
  (void)state;
  char print[MR_FINGERPRINT_SIZE + 1];
  mr_fingerprint("Jefe", 4, "what do ya want for nothing?", print);
  assert_string_equal(print, "5bdcc146bf60754e6a042426089575c7");
  char key[131];
  memset(key, 0xaa, sizeof(key));
  mr_fingerprint(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", print);
  assert_string_equal(print, "60e431591ee0b67f0d8a26aacbf5b77f");
}

static void assert_like_libcrypto(const char *key, size_t key_size, const char *salt) {
  uint8_t digest[MR_SHA256_SIZE];
  char print[MR_FINGERPRINT_SIZE + 1];
  struct mr_buffer hex;
  mr_buffer_init(&hex, 64);
  assert_true(mr_hmac_sha256(key, key_size, salt, strlen(salt), digest));
  assert_int_equal(mr_hex(&hex, digest, MR_FINGERPRINT_SIZE / 2), MR_NONE);
  mr_fingerprint(key, key_size, salt, print);
  assert_string_equal(print, hex.data);
  mr_buffer_free(&hex);
}

/* Every length around the ends of blocks, of credential and salt, with bytes of all values. */
static void test_like_libcrypto(void **state) {
  (void)state;
  char key[300], salt[300] = "";
  for (size_t i = 0; i < sizeof(key); i++)
    key[i] = (char)(i * 37);
  for (size_t i = 0; i < 260; i++) {
    assert_like_libcrypto(key, i, salt);
    salt[i] = (char)(1 + i * 91 % 255);
    salt[i + 1] = '\0';
  }
  assert_like_libcrypto(NULL, 0, "salt");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_published),
      cmocka_unit_test(test_like_libcrypto),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
