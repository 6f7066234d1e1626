#include "failing_allocator.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/digest.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void assert_digest(const uint8_t *digest, const char *expected_hex) {
  struct mr_buffer hex;
  mr_buffer_init(&hex, 64);
  assert_int_equal(mr_hex(&hex, digest, MR_SHA256_SIZE), MR_NONE);
  assert_string_equal(hex.data, expected_hex);
  mr_buffer_free(&hex);
}

/* FIPS 180-2 appendix B. */
static void test_sha256(void **state) {
  (void)state;
  uint8_t digest[MR_SHA256_SIZE];
  assert_true(mr_sha256("abc", 3, digest));
  assert_digest(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const char *two_blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  assert_true(mr_sha256(two_blocks, 56, digest));
  assert_digest(digest, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  assert_true(mr_sha256("", 0, digest));
  assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* RFC 4231 sections 4.2, 4.3 and 4.7. */
static void test_hmac(void **state) {
  (void)state;
  uint8_t digest[MR_SHA256_SIZE], key[131];
  memset(key, 0x0b, sizeof(key));
  assert_true(mr_hmac_sha256(key, 20, "Hi There", 8, digest));
  assert_digest(digest, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  assert_true(mr_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest));
  assert_digest(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, sizeof(key));
  const char *text = "Test Using Larger Than Block-Size Key - Hash Key First";
  assert_true(mr_hmac_sha256(key, sizeof(key), text, strlen(text), digest));
  assert_digest(digest, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_hmac_of_nothing(void **state) {
  (void)state;
  uint8_t digest[MR_SHA256_SIZE];
  assert_true(mr_hmac_sha256("Jefe", 4, "x", 1, digest));
  assert_true(mr_hmac_sha256(NULL, 0, "", 0, digest));
  assert_digest(digest, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void assert_like_libcrypto(const char *key, size_t key_size, const char *text, size_t size) {
  uint8_t digest[MR_SHA256_SIZE], theirs[MR_SHA256_SIZE];
  assert_true(mr_hmac_sha256(key, key_size, text, size, digest));
  HMAC(EVP_sha256(), key, (int)key_size, (const uint8_t *)text, size, theirs, NULL);
  assert_memory_equal(digest, theirs, sizeof digest);
}

/* Every length around the ends of blocks, of key and text, with bytes of all values. */
static void test_hmac_of_all_lengths(void **state) {
  (void)state;
  char key[260], text[260];
  for (size_t i = 0; i < sizeof key; i++) {
    key[i] = (char)(i * 37);
    text[i] = (char)(i * 91);
  }
  for (size_t i = 0; i < sizeof key; i++)
    assert_like_libcrypto(key, i, text, sizeof key - i);
}

static void test_equal(void **state) {
  (void)state;
  assert_true(mr_equal("abc", 3, "abc", 3));
  assert_true(mr_equal("", 0, NULL, 0));
  assert_true(mr_equal("a\0b", 3, "a\0b", 3));
  assert_false(mr_equal("a\0b", 3, "a\0c", 3));
  assert_false(mr_equal("abc", 3, "abd", 3));
  assert_false(mr_equal("abc", 3, "xbc", 3));
  assert_false(mr_equal("abc", 3, "abcd", 4));
  assert_false(mr_equal("abc", 3, "", 0));
}

/* RFC 4648 section 10, and all letters. */
static void test_base64(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\xFB\xEF\xBE\xFF", "++++/w=="},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct mr_buffer text, bytes;
    mr_buffer_init(&text, 100);
    mr_buffer_init(&bytes, 100);
    size_t size = strlen(cases[i][0]);
    assert_int_equal(mr_base64(&text, (const uint8_t *)cases[i][0], size), MR_NONE);
    assert_string_equal(mr_buffer_string(&text), cases[i][1]);
    assert_true(mr_unbase64(mr_buffer_string(&text), text.size, &bytes));
    assert_string_equal(mr_buffer_string(&bytes), cases[i][0]);
    mr_buffer_free(&text);
    mr_buffer_free(&bytes);
  }
}

static void test_base64_both_ways_for_every_byte(void **state) {
  (void)state;
  uint8_t all[259];
  for (size_t i = 0; i < sizeof(all); i++)
    all[i] = (uint8_t)(i * 7);
  for (size_t size = 256; size <= sizeof(all); size++) {
    struct mr_buffer text, bytes;
    mr_buffer_init(&text, 1000);
    mr_buffer_init(&bytes, 1000);
    assert_int_equal(mr_base64(&text, all, size), MR_NONE);
    assert_int_equal(text.size, (size + 2) / 3 * 4);
    assert_true(mr_unbase64(text.data, text.size, &bytes));
    assert_int_equal(bytes.size, size);
    assert_memory_equal(bytes.data, all, size);
    mr_buffer_free(&text);
    mr_buffer_free(&bytes);
  }
}

static void test_base64_that_is_none(void **state) {
  (void)state;
  static const char *const bad[] = {
      "Z",    "Zg",   "Zg=",     "Zm8",  "Zg===",    "=",      "====", "Z===",
      "=Zg=", "Zg=v", "Zh==",    "Zm9=", "Zg==Zg==", "Zm9v\n", "Zm9 ", "Zm9v====",
      "Zm-v", "Zm_v", "Zm9\x80", "Zm9.", "Zm9vZ",    "Zm=v",
  };
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    struct mr_buffer out;
    mr_buffer_init(&out, 100);
    mr_buffer_text(&out, "kept");
    if (mr_unbase64(bad[i], strlen(bad[i]), &out)) fail_msg("%s", bad[i]);
    assert_string_equal(out.data, "kept");
    assert_int_equal(out.size, 4);
    mr_buffer_free(&out);
  }
}

static void test_no_room(void **state) {
  (void)state;
  struct mr_buffer out;
  mr_buffer_init(&out, 7);
  assert_int_equal(mr_base64(&out, (const uint8_t *)"foobar", 6), MR_TOO_LARGE);
  assert_int_equal(mr_hex(&out, (const uint8_t *)"foobar", 6), MR_TOO_LARGE);
  assert_int_equal(mr_hex(&out, (const uint8_t *)"", SIZE_MAX), MR_TOO_LARGE);
  assert_int_equal(mr_base64(&out, (const uint8_t *)"", SIZE_MAX), MR_TOO_LARGE);
  assert_false(mr_unbase64("Zm9vYmFyZm9v", 12, &out));
  assert_int_equal(out.size, 0);
  assert_int_equal(mr_base64(&out, (const uint8_t *)"foo", 3), MR_NONE);
  assert_int_equal(mr_hex(&out, (const uint8_t *)"f", 1), MR_NONE);
  assert_string_equal(out.data, "Zm9v66");
  mr_buffer_free(&out);
}

static void test_every_allocation_fails_once(void **state) {
  (void)state;
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  for (size_t n = 1; failing_allocator_next(&memory, n); n++) {
    struct mr_buffer hex, text, bytes;
    mr_buffer_init(&hex, 1000);
    mr_buffer_init(&text, 1000);
    mr_buffer_init(&bytes, 1000);
    bool hex_ok = mr_hex(&hex, (const uint8_t *)"foo", 3) == MR_NONE;
    bool text_ok = mr_base64(&text, (const uint8_t *)"foo", 3) == MR_NONE;
    bool bytes_ok = mr_unbase64("Zm9v", 4, &bytes);
    assert_int_equal(hex_ok + text_ok + bytes_ok, memory.calls >= n ? 2 : 3);
    mr_buffer_free(&hex);
    mr_buffer_free(&text);
    mr_buffer_free(&bytes);
  }
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sha256),
      cmocka_unit_test(test_hmac),
      cmocka_unit_test(test_hmac_of_nothing),
      cmocka_unit_test(test_hmac_of_all_lengths),
      cmocka_unit_test(test_equal),
      cmocka_unit_test(test_base64),
      cmocka_unit_test(test_base64_both_ways_for_every_byte),
      cmocka_unit_test(test_base64_that_is_none),
      cmocka_unit_test(test_no_room),
      cmocka_unit_test(test_every_allocation_fails_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
