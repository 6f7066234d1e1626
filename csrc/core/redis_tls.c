#include "redis_tls.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "memory.h"

struct mr_redis_tls {
  SSL_CTX *context;
  BIO_METHOD *carrier;
  char host[MR_REDIS_WORD];
};

struct mr_redis_tls_session {
  SSL *ssl;
  int socket;
};

/*
** {======================================================
** The carrier: OpenSSL's own for sockets raises SIGPIPE, which is the host's
** =======================================================
*/

static int socket_of(BIO *bio) {
  return ((struct mr_redis_tls_session *)BIO_get_data(bio))->socket;
}

static int carry_out(BIO *bio, const char *bytes, int size) {
  ssize_t sent = send(socket_of(bio), bytes, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
  BIO_clear_retry_flags(bio);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN || errno == EINPROGRESS))
    BIO_set_retry_write(bio);
  return (int)sent;
}

static int carry_in(BIO *bio, char *bytes, int size) {
  ssize_t got = recv(socket_of(bio), bytes, (size_t)size, MSG_DONTWAIT);
  BIO_clear_retry_flags(bio);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return (int)got;
}

/* Nothing is kept back, so that a flush has nothing to do. */
static long control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_carrier(void) {
  BIO_METHOD *carrier = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "moonrest socket");
  if (!carrier) return NULL;
  BIO_meth_set_write(carrier, carry_out);
  BIO_meth_set_read(carrier, carry_in);
  BIO_meth_set_ctrl(carrier, control);
  return carrier;
}

/* }====================================================== */

/*
** {======================================================
** What sessions share
** =======================================================
*/

/* The last of OpenSSL's words, which are gone after; or what the system said first, of which the last tells nothing. */
static const char *last_word(void) {
  unsigned long first = ERR_peek_error();
  const char *word = ERR_SYSTEM_ERROR(first) ? strerror(ERR_GET_REASON(first))
                                             : ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return word ? word : "it says nothing more";
}

static enum mr_kind trust(SSL_CTX *context, const struct mr_redis_address *address,
                          struct mr_error *error) {
  bool named = address->ca_file[0] != '\0';
  int good = named ? SSL_CTX_load_verify_file(context, address->ca_file)
                   : SSL_CTX_set_default_verify_paths(context);
  if (good == 1) return MR_NONE;
  return mr_fail(error, MR_IO, "the authorities for TLS to Redis cannot be read%s%.100s: %.60s",
                 named ? " from " : "", address->ca_file, last_word());
}

static enum mr_kind introduce(SSL_CTX *context, const struct mr_redis_address *address,
                              struct mr_error *error) {
  if (!address->client_cert[0]) return MR_NONE;
  if (SSL_CTX_use_certificate_chain_file(context, address->client_cert) != 1)
    return mr_fail(error, MR_IO,
                   "the client's certificate for Redis cannot be read from %.100s: %.60s",
                   address->client_cert, last_word());
  if (SSL_CTX_use_PrivateKey_file(context, address->client_key, SSL_FILETYPE_PEM) != 1)
    return mr_fail(error, MR_IO, "the client's key for Redis is of no use in %.100s: %.60s",
                   address->client_key, last_word());
  return MR_NONE;
}

/* A key that is locked is an error, not a question on the terminal. */
static int no_passphrase(char *text, int size, int writing, void *context) {
  (void)text, (void)size, (void)writing, (void)context;
  return -1;
}

static SSL_CTX *make_context(const struct mr_redis_address *address, struct mr_error *error) {
  SSL_CTX *context = SSL_CTX_new(TLS_client_method());
  if (!context) {
    mr_fail(error, MR_LIMIT, "TLS to Redis cannot be set up: %.60s", last_word());
    return NULL;
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  if (!trust(context, address, error) && !introduce(context, address, error)) return context;
  SSL_CTX_free(context);
  return NULL;
}

struct mr_redis_tls *mr_redis_tls_open(const struct mr_redis_address *address,
                                       struct mr_error *error) {
  struct mr_redis_tls *tls = mr_alloc_for("TLS to Redis", sizeof(*tls), error);
  if (!tls) return NULL;
  memcpy(tls->host, address->host, sizeof(tls->host));
  tls->carrier = make_carrier();
  if (!tls->carrier) mr_fail(error, MR_LIMIT, "out of memory for TLS to Redis");
  if (tls->carrier) tls->context = make_context(address, error);
  if (tls->context) return tls;
  mr_redis_tls_close(tls);
  return NULL;
}

void mr_redis_tls_close(struct mr_redis_tls *tls) {
  if (!tls) return;
  SSL_CTX_free(tls->context);
  BIO_meth_free(tls->carrier);
  mr_free(tls);
}

/* }====================================================== */

/*
** {======================================================
** Sessions
** =======================================================
*/

/* A number is compared with the certificate's addresses and is no server name (RFC 6066, section 3). */
static bool expect_host(SSL *ssl, const char *host) {
  if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1) return true;
  ERR_clear_error();
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

struct mr_redis_tls_session *mr_redis_tls_begin(struct mr_redis_tls *tls, int socket) {
  struct mr_redis_tls_session *session = mr_alloc_zero(1, sizeof(*session));
  if (!session) return NULL;
  BIO *bio = BIO_new(tls->carrier);
  session->socket = socket;
  session->ssl = bio ? SSL_new(tls->context) : NULL;
  if (!session->ssl) {
    BIO_free(bio);
    mr_free(session);
    return NULL;
  }
  BIO_set_data(bio, session);
  BIO_set_init(bio, 1);
  SSL_set_bio(session->ssl, bio, bio); /* its owner now */
  SSL_set_connect_state(session->ssl);
  if (expect_host(session->ssl, tls->host)) return session;
  mr_redis_tls_end(session);
  return NULL;
}

void mr_redis_tls_end(struct mr_redis_tls_session *session) {
  if (!session) return;
  SSL_free(session->ssl);
  mr_free(session);
}

static const char *advice(long verdict) {
  bool unknown = verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
                 verdict == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
                 verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
                 verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
  return unknown ? " (?ca_file= says whom to trust)" : "";
}

/* OpenSSL's reasons name a certificate that is refused only as "certificate verify failed". */
static void explain(const SSL *ssl, int problem, int system_error, char why[MR_REDIS_WHY]) {
  long verdict = SSL_get_verify_result(ssl);
  bool refused = problem == SSL_ERROR_SSL && verdict != X509_V_OK;
  if (refused)
    snprintf(why, MR_REDIS_WHY, "its certificate is refused: %s%s",
             X509_verify_cert_error_string(verdict), advice(verdict));
  else if (problem == SSL_ERROR_SSL)
    snprintf(why, MR_REDIS_WHY, "TLS: %s", last_word());
  else if (problem == SSL_ERROR_SYSCALL && system_error != 0)
    snprintf(why, MR_REDIS_WHY, "%s", strerror(system_error));
  else
    why[0] = '\0';
}

static long outcome(struct mr_redis_tls_session *session, int code, char why[MR_REDIS_WHY]) {
  int system_error = errno;
  if (code > 0) return code;
  int problem = SSL_get_error(session->ssl, code);
  if (problem == SSL_ERROR_WANT_READ || problem == SSL_ERROR_WANT_WRITE) return 0;
  explain(session->ssl, problem, system_error, why);
  ERR_clear_error();
  return -1;
}

/* One record holds 16 KiB, so that no size is beyond an int. */
static int at_most_a_record(size_t size) {
  return size < 16384 ? (int)size : 16384;
}

/* A server that refuses us says so and hangs up, perhaps before this side comes to send: its word is then unread. */
static void hear_last_word(struct mr_redis_tls_session *session, char why[MR_REDIS_WHY]) {
  char byte;
  int code = SSL_read(session->ssl, &byte, 1);
  if (code <= 0 && SSL_get_error(session->ssl, code) == SSL_ERROR_SSL)
    explain(session->ssl, SSL_ERROR_SSL, 0, why);
  ERR_clear_error();
}

long mr_redis_tls_send(struct mr_redis_tls_session *session, const void *bytes, size_t size,
                       char why[MR_REDIS_WHY]) {
  ERR_clear_error(); /* SSL_get_error looks at the whole list */
  errno = 0;
  int code = SSL_write(session->ssl, bytes, at_most_a_record(size));
  bool broken = code <= 0 && SSL_get_error(session->ssl, code) == SSL_ERROR_SYSCALL;
  long result = outcome(session, code, why);
  if (broken && SSL_is_init_finished(session->ssl)) hear_last_word(session, why);
  return result;
}

long mr_redis_tls_receive(struct mr_redis_tls_session *session, void *bytes, size_t size,
                          char why[MR_REDIS_WHY]) {
  ERR_clear_error();
  errno = 0;
  return outcome(session, SSL_read(session->ssl, bytes, at_most_a_record(size)), why);
}

/* }====================================================== */
