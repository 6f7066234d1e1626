#include "certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY 86400L

struct issuer {
  X509 *certificate; /* NULL: signs itself */
  EVP_PKEY *key;
};

static void set_name(X509_NAME *name, const char *text) {
  int done =
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0);
  assert_int_equal(done, 1);
}

static void add_extension(X509 *certificate, int kind, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
  assert_non_null(extension);
  assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

/* 'hosts' as in openssl.cnf: "DNS:a,IP:b"; NULL makes an authority. */
static X509 *make(const struct issuer *issuer, const char *name, const char *hosts, long from_s,
                  long to_s) {
  static long serial = 1;
  X509 *certificate = X509_new();
  assert_non_null(certificate);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), to_s);
  X509_set_pubkey(certificate, issuer->key);
  set_name(X509_get_subject_name(certificate), name);
  const X509 *signer = issuer->certificate ? issuer->certificate : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer));
  add_extension(certificate, NID_basic_constraints, hosts ? "CA:FALSE" : "critical,CA:TRUE");
  if (hosts) add_extension(certificate, NID_subject_alt_name, hosts);
  assert_true(X509_sign(certificate, issuer->key, EVP_sha256()) > 0);
  return certificate;
}

static FILE *create(const struct certificates *certificates, const char *name, char path[96]) {
  snprintf(path, 96, "%s/%s.pem", certificates->folder, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  return file;
}

static void save(const struct certificates *certificates, const char *name, char path[96],
                 X509 *certificate) {
  FILE *file = create(certificates, name, path);
  assert_int_equal(PEM_write_X509(file, certificate), 1);
  fclose(file);
}

static void sign(struct certificates *certificates, const struct issuer *ca, const char *name,
                 const char *hosts, long from_s, long to_s, char path[96]) {
  X509 *certificate = make(ca, name, hosts, from_s, to_s);
  save(certificates, name, path, certificate);
  X509_free(certificate);
}

static void save_key(struct certificates *certificates, EVP_PKEY *key) {
  FILE *file = create(certificates, "key", certificates->key);
  assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
  fclose(file);
}

void certificates_make(struct certificates *certificates) {
  snprintf(certificates->folder, sizeof certificates->folder, "/tmp/moonrest-tls-XXXXXX");
  assert_non_null(mkdtemp(certificates->folder));
  EVP_PKEY *key = EVP_EC_gen("P-256");
  assert_non_null(key);
  struct issuer ca = {.key = key};
  ca.certificate = make(&ca, "moonrest test authority", NULL, -DAY, DAY);
  save(certificates, "ca", certificates->ca, ca.certificate);
  struct issuer self = {.key = key};
  sign(certificates, &self, "other", NULL, -DAY, DAY, certificates->other_ca);
  const char *here = "IP:127.0.0.1,DNS:localhost";
  sign(certificates, &ca, "good", here, -DAY, DAY, certificates->good);
  sign(certificates, &ca, "wrong", "DNS:elsewhere.test", -DAY, DAY, certificates->wrong);
  sign(certificates, &ca, "expired", here, -2 * DAY, -DAY, certificates->expired);
  sign(certificates, &ca, "client", "DNS:client.test", -DAY, DAY, certificates->client);
  save_key(certificates, key);
  X509_free(ca.certificate);
  EVP_PKEY_free(key);
}

void certificates_remove(const struct certificates *certificates) {
  const char *const paths[] = {certificates->ca,    certificates->other_ca, certificates->good,
                               certificates->wrong, certificates->expired,  certificates->client,
                               certificates->key};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    unlink(paths[i]);
  rmdir(certificates->folder);
}
