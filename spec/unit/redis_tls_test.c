/*
** TLS towards Redis, over a pair of sockets whose other end the test holds: an
** OpenSSL server, or nothing that understands. Neither end ever blocks.
*/
#include "failing_allocator.h"
#include "made_certificates.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/redis_tls.h"

struct fixture {
  int ends[2]; /* ours, the server's */
  struct mr_redis_tls *tls;
  struct mr_redis_tls_session *session;
  SSL_CTX *context;
  SSL *server;
  char why[MR_REDIS_WHY];
};

static struct mr_redis_address address_of(const char *host, const char *ca_file) {
  struct mr_redis_address address = {.tls = true};
  snprintf(address.host, sizeof(address.host), "%s", host);
  snprintf(address.ca_file, sizeof(address.ca_file), "%s", ca_file);
  return address;
}

static void begin(struct fixture *f, const struct mr_redis_address *address) {
  struct mr_error error = {0};
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, f->ends), 0);
  f->tls = mr_redis_tls_open(address, &error);
  if (!f->tls) fail_msg("%s", error.message);
  f->session = mr_redis_tls_begin(f->tls, f->ends[0]);
  assert_non_null(f->session);
}

/* To a server of that name, which the authority must have certified. */
static struct fixture greet(const char *host, const char *ca_file) {
  struct fixture f = {0};
  struct mr_redis_address address = address_of(host, ca_file);
  begin(&f, &address);
  return f;
}

static void serve(struct fixture *f, const char *certificate) {
  f->context = SSL_CTX_new(TLS_server_method());
  assert_int_equal(SSL_CTX_use_certificate_chain_file(f->context, certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(f->context, certificates.key, SSL_FILETYPE_PEM), 1);
  f->server = SSL_new(f->context);
  SSL_set_fd(f->server, f->ends[1]);
  SSL_set_accept_state(f->server);
}

static void end(struct fixture *f) {
  mr_redis_tls_end(f->session);
  mr_redis_tls_close(f->tls);
  SSL_free(f->server);
  SSL_CTX_free(f->context);
  close(f->ends[0]);
  if (f->ends[1] >= 0) close(f->ends[1]);
  ERR_clear_error();
}

/* Sends a word, in turns with the server, which hears it; -1 when the connection is lost, 0 when nothing came about. */
static long hand_over(struct fixture *f, char *heard, size_t size) {
  long sent = 0;
  int got = 0;
  for (int turn = 0; turn < 20 && got <= 0; turn++) {
    if (sent == 0) sent = mr_redis_tls_send(f->session, "PING", 4, f->why);
    if (sent < 0) return sent;
    ERR_clear_error();
    got = SSL_read(f->server, heard, (int)size);
  }
  return got > 0 ? got : 0;
}

static void test_both_ways(void **state) {
  (void)state;
  char heard[16];
  struct fixture f = greet("localhost", certificates.ca);
  serve(&f, certificates.good);
  assert_int_equal(hand_over(&f, heard, sizeof(heard)), 4);
  assert_memory_equal(heard, "PING", 4);
  assert_string_equal(SSL_get_servername(f.server, TLSEXT_NAMETYPE_host_name), "localhost");
  assert_int_equal(mr_redis_tls_receive(f.session, heard, sizeof(heard), f.why), 0);
  assert_int_equal(SSL_write(f.server, "+PONG\r\n", 7), 7);
  assert_int_equal(mr_redis_tls_receive(f.session, heard, sizeof(heard), f.why), 7);
  assert_memory_equal(heard, "+PONG\r\n", 7);
  SSL_shutdown(f.server);
  assert_int_equal(mr_redis_tls_receive(f.session, heard, sizeof(heard), f.why), -1);
  assert_string_equal(f.why, "");
  end(&f);
}

/* A number is no name: it is looked for among the certificate's addresses, and not told as a server name. */
static void test_a_number_as_host(void **state) {
  (void)state;
  char heard[16];
  struct fixture f = greet("127.0.0.1", certificates.ca);
  serve(&f, certificates.good);
  assert_int_equal(hand_over(&f, heard, sizeof(heard)), 4);
  assert_null(SSL_get_servername(f.server, TLSEXT_NAMETYPE_host_name));
  end(&f);
}

static void assert_untrusted(const char *host, const char *ca, const char *certificate,
                             const char *word) {
  char heard[16];
  struct fixture f = greet(host, ca);
  serve(&f, certificate);
  assert_int_equal(hand_over(&f, heard, sizeof(heard)), -1);
  if (!strstr(f.why, word)) fail_msg("no \"%s\" in: %s", word, f.why);
  assert_int_equal(ERR_peek_error(), 0); /* nothing is left for whoever uses OpenSSL next */
  end(&f);
}

static void test_certificates_that_are_refused(void **state) {
  (void)state;
  const struct certificates *c = &certificates;
  assert_untrusted("localhost", c->ca, c->wrong, "refused: hostname mismatch");
  assert_untrusted("127.0.0.1", c->ca, c->wrong, "refused: IP address mismatch");
  assert_untrusted("127.0.0.2", c->ca, c->good, "refused: IP address mismatch");
  assert_untrusted("localhos", c->ca, c->good, "refused: hostname mismatch");
  assert_untrusted("localhost", c->ca, c->expired, "refused: certificate has expired");
  assert_untrusted("localhost", c->other_ca, c->good, "?ca_file=");
  assert_untrusted("localhost", "", c->good, "?ca_file="); /* the system's */
}

static void test_a_server_that_is_too_old(void **state) {
  (void)state;
  char heard[16];
  struct fixture f = greet("localhost", certificates.ca);
  serve(&f, certificates.good);
  SSL_set_security_level(f.server, 0);
  SSL_set_min_proto_version(f.server, TLS1_VERSION);
  SSL_set_max_proto_version(f.server, TLS1_1_VERSION);
  assert_int_equal(hand_over(&f, heard, sizeof(heard)), -1);
  assert_non_null(strstr(f.why, "TLS: "));
  end(&f);
}

static void ask_for_certificate(struct fixture *f) {
  SSL_set_verify(f->server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  SSL_CTX_load_verify_file(f->context, certificates.ca);
}

static void test_a_server_that_asks_who_we_are(void **state) {
  (void)state;
  struct fixture f = {0};
  struct mr_redis_address address = address_of("localhost", certificates.ca);
  char heard[16];
  begin(&f, &address);
  serve(&f, certificates.good);
  ask_for_certificate(&f);
  hand_over(&f, heard,
            sizeof(heard)); /* the refusal comes after the handshake (RFC 8446, 4.4.2.4) */
  assert_int_equal(mr_redis_tls_receive(f.session, heard, sizeof(heard), f.why), -1);
  assert_non_null(strstr(f.why, "certificate required"));
  end(&f);
  snprintf(address.client_cert, sizeof(address.client_cert), "%s", certificates.client);
  snprintf(address.client_key, sizeof(address.client_key), "%s", certificates.key);
  f = (struct fixture){0};
  begin(&f, &address);
  serve(&f, certificates.good);
  ask_for_certificate(&f);
  assert_int_equal(hand_over(&f, heard, sizeof(heard)), 4);
  end(&f);
}

/* It refuses us and is gone before we come to send: its word is heard all the same. */
static void test_a_refusal_before_the_send(void **state) {
  (void)state;
  char heard[16];
  struct fixture f = greet("localhost", certificates.ca);
  serve(&f, certificates.good);
  ask_for_certificate(&f);
  hand_over(&f, heard, sizeof(heard));
  close(f.ends[1]);
  f.ends[1] = -1;
  assert_int_equal(mr_redis_tls_send(f.session, "PING", 4, f.why), -1);
  assert_non_null(strstr(f.why, "certificate required"));
  end(&f);
}

static void test_a_server_without_tls(void **state) {
  (void)state;
  struct fixture f = greet("localhost", certificates.ca);
  assert_int_equal(mr_redis_tls_send(f.session, "PING", 4, f.why), 0);
  const char *word = "-ERR unknown command\r\n";
  assert_int_equal(write(f.ends[1], word, strlen(word)), (ssize_t)strlen(word));
  assert_int_equal(mr_redis_tls_send(f.session, "PING", 4, f.why), -1);
  assert_string_equal(f.why, "TLS: wrong version number");
  end(&f);
}

static void test_a_server_that_stalls(void **state) {
  (void)state;
  char bytes[4096];
  struct fixture f = greet("localhost", certificates.ca);
  for (int look = 0; look < 100; look++)
    assert_int_equal(mr_redis_tls_send(f.session, "s3cret", 6, f.why), 0);
  ssize_t got = read(f.ends[1], bytes, sizeof(bytes));
  assert_true(got > 0); /* the greeting, and nothing of ours */
  assert_null(memmem(bytes, (size_t)got, "s3cret", 6));
  end(&f);
}

/* Without a signal, too. */
static void test_a_server_that_is_gone(void **state) {
  (void)state;
  struct fixture f = greet("localhost", certificates.ca);
  close(f.ends[1]);
  f.ends[1] = -1;
  assert_int_equal(mr_redis_tls_send(f.session, "PING", 4, f.why), -1);
  assert_string_equal(f.why, "Broken pipe");
  end(&f);
}

/* More than the sockets hold: part of it goes, and what is left goes when there is room, from another place. */
static void test_more_than_fits(void **state) {
  (void)state;
  enum { SIZE = 4 * 1024 * 1024 };
  char heard[20000];
  struct fixture f = greet("localhost", certificates.ca);
  serve(&f, certificates.good);
  assert_int_equal(hand_over(&f, heard, sizeof(heard)), 4);
  size_t sent = 0, got = 0;
  int full = 0;
  while (got < SIZE) {
    char *copy = calloc(1, SIZE - sent + 1);
    assert_non_null(copy);
    long went = sent < SIZE ? mr_redis_tls_send(f.session, copy, SIZE - sent, f.why) : 0;
    free(copy);
    assert_true(went >= 0);
    sent += (size_t)went;
    full += went == 0 && sent < SIZE;
    if (went > 0) continue;
    int came = SSL_read(f.server, heard, sizeof(heard));
    if (came > 0) got += (size_t)came;
  }
  assert_int_equal(sent, got);
  assert_true(full > 0);
  end(&f);
}

static void assert_no_files(const char *ca, const char *client, const char *key, const char *word) {
  struct mr_redis_address address = address_of("localhost", ca);
  struct mr_error error = {0};
  snprintf(address.client_cert, sizeof(address.client_cert), "%s", client);
  snprintf(address.client_key, sizeof(address.client_key), "%s", key);
  assert_null(mr_redis_tls_open(&address, &error));
  assert_int_equal(error.kind, MR_IO);
  if (!strstr(error.message, word)) fail_msg("no \"%s\" in: %s", word, error.message);
  assert_int_equal(ERR_peek_error(), 0);
}

static void test_files_that_are_of_no_use(void **state) {
  (void)state;
  const struct certificates *c = &certificates;
  assert_no_files("/nowhere/ca.pem", "", "", "/nowhere/ca.pem");
  assert_no_files(c->key, "", "", c->key);
  assert_no_files(c->ca, "/nowhere/c.pem", c->key, "certificate for Redis cannot be read");
  assert_no_files(c->ca, c->client, "/nowhere/k.pem", "key for Redis is of no use");
  assert_no_files(c->ca, c->client, c->client, "key for Redis is of no use");
}

static void test_out_of_memory(void **state) {
  (void)state;
  struct mr_redis_address address = address_of("localhost", certificates.ca);
  struct failing_allocator memory;
  failing_allocator_install(&memory);
  int rounds = 0;
  for (size_t n = 1; failing_allocator_next(&memory, n); n++, rounds++) {
    struct mr_error error = {0};
    struct mr_redis_tls *tls = mr_redis_tls_open(&address, &error);
    assert_true(tls || error.kind == MR_LIMIT);
    struct mr_redis_tls_session *session = tls ? mr_redis_tls_begin(tls, 0) : NULL;
    mr_redis_tls_end(session);
    mr_redis_tls_close(tls);
  }
  assert_int_equal(rounds, 3);
  failing_allocator_remove(&memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_both_ways),
                                     cmocka_unit_test(test_a_number_as_host),
                                     cmocka_unit_test(test_certificates_that_are_refused),
                                     cmocka_unit_test(test_a_server_that_is_too_old),
                                     cmocka_unit_test(test_a_server_that_asks_who_we_are),
                                     cmocka_unit_test(test_a_refusal_before_the_send),
                                     cmocka_unit_test(test_a_server_without_tls),
                                     cmocka_unit_test(test_a_server_that_stalls),
                                     cmocka_unit_test(test_a_server_that_is_gone),
                                     cmocka_unit_test(test_more_than_fits),
                                     cmocka_unit_test(test_files_that_are_of_no_use),
                                     cmocka_unit_test(test_out_of_memory)};
  return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
