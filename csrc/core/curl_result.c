/*
** How an exchange ended: from libcurl's code and what we saw ourselves to a kind, a phase and a sentence
** that says what happened to which host and what to do next.
*/
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ascii.h"
#include "curl_coding.h"
#include "curl_parts.h"

struct ending {
  const struct mr_curl_handle *handle;
  struct mr_exchange_result *result;
  CURLcode code;
  const char *host;   /* "host:port" */
  const char *detail; /* libcurl's words */
};

static double seconds_since(const struct mr_curl_handle *handle) {
  int64_t now_us = mr_clock_now(handle->pool->transport->clock);
  return (double)(now_us - handle->started_us) / MR_SECOND;
}

/* ---- time ---- */

static void describe_late(const struct ending *end) {
  static const char *const missing[] = {
      [MR_PHASE_NONE] = "no connection to %s was free",
      [MR_PHASE_RESOLVE] = "the name of %s was not resolved",
      [MR_PHASE_CONNECT] = "there was no connection to %s",
      [MR_PHASE_SEND] = "%s did not answer",
      [MR_PHASE_RECEIVE] = "the answer of %s was not complete",
  };
  struct mr_buffer what;
  mr_buffer_init(&what, MR_MESSAGE_SIZE);
  mr_buffer_format(&what, missing[end->result->phase], end->host);
  mr_fail(&end->result->error, MR_TIMEOUT,
          "%s after %.2f s, when the time was up; a larger timeout waits longer",
          mr_buffer_string(&what), seconds_since(end->handle));
  mr_buffer_free(&what);
}

#define PROXY_ADVICE "does its URL begin with what it speaks, http:// or https://?"

static void describe_idle(const struct ending *end) {
  mr_fail(&end->result->error, MR_TIMEOUT,
          "no byte to or from %s for %.2f s; a larger idle timeout waits longer", end->host,
          (double)end->handle->x->idle_timeout_us / MR_SECOND);
}

/* Whether it ended with the proxy: the server itself is behind the answer to CONNECT only. */
static bool is_of_proxy(const struct ending *end) {
  long answered = 0;
  curl_easy_getinfo(end->handle->easy, CURLINFO_HTTP_CONNECTCODE, &answered);
  return end->handle->origin->over_http && answered == 0;
}

static void describe_slow_connect(const struct ending *end) {
  static const char *const missing[] = {
      [MR_PHASE_NONE] = "no connection to %s was free within %.2f s; is it reachable from here?",
      [MR_PHASE_RESOLVE] =
          "the name of %s was not resolved within %.2f s; does the resolver answer?",
      [MR_PHASE_CONNECT] = "cannot connect to %s within %.2f s; is it reachable from here?",
  };
  enum mr_exchange_phase phase = end->result->phase;
  if (phase > MR_PHASE_CONNECT) phase = MR_PHASE_CONNECT;
  bool proxy = phase == MR_PHASE_CONNECT && is_of_proxy(end);
  mr_fail(&end->result->error, MR_TIMEOUT,
          proxy ? "no connection to %s through the proxy within %.2f s; " PROXY_ADVICE
                : missing[phase],
          end->host, (double)end->handle->x->connect_timeout_us / MR_SECOND);
}

/* ---- connecting ---- */

static const char *connect_advice(int reason) {
  switch (reason) {
  case ECONNREFUSED:
    return "is the server running?";
  case ENOENT:
    return "does the socket exist?";
  case EACCES:
  case EPERM:
    return "is it allowed from here?";
  case EMFILE:
  case ENFILE:
    return "allow more (ulimit -n), or make fewer calls at once";
  default:
    return "is it reachable from here?";
  }
}

/* The system's words, in the middle of a sentence. */
static void say_reason(int reason, char *out, size_t size) {
  snprintf(out, size, "%s", strerror(reason));
  out[0] = mr_ascii_lower(out[0]);
}

/* libcurl's words have the whole address, in which a password may stand. */
static void describe_strange_proxy(const struct ending *end) {
  end->result->lasting = true;
  mr_fail(
      &end->result->error, MR_NETWORK,
      "cannot use the proxy on the way to %s: its URL begins with a scheme that libcurl does not "
      "know; http://, https://, socks4:// and socks5h:// are proxies",
      end->host);
}

static void describe_connect(const struct ending *end) {
  const struct mr_route *route = end->handle->pool->route;
  long reason = 0;
  curl_easy_getinfo(end->handle->easy, CURLINFO_OS_ERRNO, &reason);
  if (reason == 0) reason = end->handle->progress.socket_error;
  char words[80];
  say_reason((int)reason, words, sizeof words);
  const char *place = route->unix_socket ? route->unix_socket : end->host;
  bool proxied = !end->handle->origin->direct;
  if (proxied && !reason && strncmp(end->detail, "Unsupported proxy", 17) == 0) {
    describe_strange_proxy(end);
    return;
  }
  mr_fail(&end->result->error, MR_NETWORK, "cannot connect to %.120s%s: %s; %s", place,
          proxied ? " through the proxy" : "", reason ? words : end->detail,
          proxied && reason == ECONNREFUSED ? "is the proxy running?"
                                            : connect_advice((int)reason));
}

static void describe_resolve(const struct ending *end) {
  bool proxy = end->code == CURLE_COULDNT_RESOLVE_PROXY;
  mr_fail(&end->result->error, MR_NETWORK,
          proxy ? "cannot resolve the proxy on the way to %s; is its name right?"
                : "cannot resolve the host name of %s; is it right, and is the network up?",
          end->host);
}

/* X509_V_ERR_ numbers of libcrypto's x509_vfy.h, which are part of its documented interface. */
enum {
  NOT_YET_VALID = 9,
  EXPIRED = 10,
  SELF_SIGNED = 18,
  SELF_SIGNED_CHAIN = 19,
  NO_ISSUER = 20,
  NO_FIRST = 21
};

static const char *certificate_advice(long check) {
  switch (check) {
  case NOT_YET_VALID:
  case EXPIRED:
    return "renew it, or set this machine's clock";
  case SELF_SIGNED:
  case SELF_SIGNED_CHAIN:
  case NO_ISSUER:
  case NO_FIRST:
    return "name its issuer's certificate with ca_file";
  default:
    return "ca_file names issuers, the URL must name the host";
  }
}

static const char *owner_of(const struct ending *end) {
  return is_of_proxy(end) ? "the proxy on the way to " : "";
}

static void describe_certificate(const struct ending *end) {
  long check = 0;
  CURLINFO which = is_of_proxy(end) ? CURLINFO_PROXY_SSL_VERIFYRESULT : CURLINFO_SSL_VERIFYRESULT;
  curl_easy_getinfo(end->handle->easy, which, &check);
  end->result->lasting = true;
  mr_fail(&end->result->error, MR_NETWORK, "the certificate of %s%s was refused: %s; %s",
          owner_of(end), end->host, end->detail, certificate_advice(check));
}

static void describe_tls(const struct ending *end) {
  const struct mr_route *route = end->handle->pool->route;
  struct mr_error *error = &end->result->error;
  const char *certificate = route->client_cert ? route->client_cert : "(none)";
  switch ((int)end->code) {
  case CURLE_SSL_CACERT_BADFILE:
    mr_fail(error, MR_IO, "cannot read the issuers' certificates '%.100s' (ca_file)",
            route->ca_file ? route->ca_file : "of this system");
    break;
  case CURLE_SSL_CERTPROBLEM:
    mr_fail(error, MR_IO,
            "cannot use the client certificate '%.80s': %s; see client_cert and client_key",
            certificate, end->detail);
    break;
  case CURLE_SSL_CLIENTCERT:
    mr_fail(error, MR_AUTH, "%s asks for a client certificate: %s; see client_cert and client_key",
            end->host, end->detail);
    break;
  case CURLE_PEER_FAILED_VERIFICATION:
  case CURLE_SSL_ISSUER_ERROR:
    describe_certificate(end);
    break;
  default:
    mr_fail(error, MR_NETWORK, "no TLS connection to %s%s: %s; does it speak TLS on this port?",
            owner_of(end), end->host, end->detail);
  }
}

/* ---- the answer ---- */

static void describe_cut(const struct ending *end) {
  const struct mr_curl_progress *progress = &end->handle->progress;
  if (progress->part != MR_PART_BODY) {
    mr_fail(&end->result->error, MR_TRUNCATED, "the answer of %s was cut off in its headers",
            end->host);
    return;
  }
  curl_off_t length = -1;
  curl_easy_getinfo(end->handle->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  struct mr_buffer of;
  mr_buffer_init(&of, 64);
  if (length >= 0) mr_buffer_format(&of, " of %lld", (long long)length);
  mr_fail(&end->result->error, MR_TRUNCATED,
          "the answer of %s was cut off after %llu%s bytes of its body", end->host,
          (unsigned long long)end->result->bytes_received, mr_buffer_string(&of));
  mr_buffer_free(&of);
}

/* Tinyproxy says 401 of a wrong password, where RFC 9110 section 15.5.8 has 407. */
static const char *tunnel_advice(int status, bool has_login) {
  if (status >= 500) return "it cannot reach that host: ask whoever runs the proxy";
  if (status != 407 && status != 401) return "is that host allowed there?";
  return has_login ? "the user or the password in its URL is wrong"
                   : "it wants a user and a password: http://user:password@proxy";
}

/* Nothing of the request itself was sent. */
static void describe_tunnel(const struct ending *end, int status) {
  end->result->lasting = status == 407 || status == 401;
  mr_fail(&end->result->error, MR_NETWORK,
          "the proxy on the way to %s refused the tunnel with status %d; %s", end->host, status,
          tunnel_advice(status, end->handle->origin->has_login));
}

static void describe_lost_proxy(const struct ending *end) {
  mr_fail(&end->result->error, MR_NETWORK,
          "the proxy on the way to %s ended the connection: %s; " PROXY_ADVICE, end->host,
          end->detail);
}

/* An HTTP/2 server that closes a connection, or has enough to do, says which requests it will not look at. */
static void describe_unread(const struct ending *end) {
  mr_fail(&end->result->error, MR_NETWORK,
          "%s has not begun with the request, as it says, and wants it on another connection",
          end->host);
}

static void describe_lost(const struct ending *end) {
  long tunnel = 0;
  curl_easy_getinfo(end->handle->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
  if (tunnel >= 300 && end->result->phase < MR_PHASE_SEND) {
    describe_tunnel(end, (int)tunnel);
    return;
  }
  if (end->result->phase < MR_PHASE_SEND && is_of_proxy(end)) {
    describe_lost_proxy(end);
    return;
  }
  if (end->result->phase == MR_PHASE_RECEIVE) {
    describe_cut(end);
    return;
  }
  const char *what = end->result->stale ? "the kept connection to %s was closed meanwhile"
                     : end->code == CURLE_GOT_NOTHING
                         ? "%s closed the connection without an answer"
                         : "the connection to %s broke before an answer: %s";
  mr_fail(&end->result->error, MR_NETWORK, what, end->host, end->detail);
}

static void describe_coding(const struct ending *end) {
  const struct mr_curl_handle *handle = end->handle;
  const char *reason = handle->decoder ? mr_decoder_reason(handle->decoder) : "out of memory";
  if (handle->progress.coding == MR_CODING_STRANGE)
    mr_fail(&end->result->error, MR_DECODE,
            "cannot undo the Content-Encoding of %s, '%s': this build knows " MR_DECODER_KNOWN
            ", one at a time; ask the server for one of them, or send Accept-Encoding: identity",
            end->host, handle->strange);
  else
    mr_fail(&end->result->error, MR_DECODE, "cannot decompress the body of %s (%s): %s", end->host,
            handle->coding->name, reason);
}

static void describe_unfinished(const struct ending *end) {
  mr_fail(&end->result->error, MR_TRUNCATED,
          "the compressed body of %s ends too early, after %llu bytes", end->host,
          (unsigned long long)end->result->bytes_received);
}

static void describe_upload(const struct ending *end) {
  const struct mr_exchange *x = end->handle->x;
  if (end->handle->progress.short_read)
    mr_fail(&end->result->error, MR_IO, "the request body for %s ended after %lld of %lld bytes",
            end->host, (long long)end->handle->progress.read, (long long)x->body_size);
  else
    mr_fail(&end->result->error, MR_IO, "the request body for %s could not be read", end->host);
}

static void describe_large(const struct ending *end) {
  mr_fail(&end->result->error, MR_TOO_LARGE, "%s sent larger response headers than libcurl takes",
          end->host);
}

/* Once a status came it is HTTP, and somebody has broken a field of it. */
static void describe_strange(const struct ending *end) {
  int status = end->handle->progress.status;
  if (status > 0)
    mr_fail(&end->result->error, MR_NETWORK,
            "%s answered with status %d and a header that HTTP does not allow: %s; the server, or "
            "a proxy before "
            "it, must mend it",
            end->host, status, end->detail);
  else
    mr_fail(&end->result->error, MR_NETWORK,
            "%s does not answer in HTTP: %s; is it the right port?", end->host, end->detail);
}

static void describe_other(const struct ending *end) {
  switch ((int)end->code) {
  case CURLE_WEIRD_SERVER_REPLY:
  case CURLE_UNSUPPORTED_PROTOCOL:
    describe_strange(end);
    break;
  case CURLE_OUT_OF_MEMORY:
    mr_fail(&end->result->error, MR_LIMIT, "out of memory while talking to %s", end->host);
    break;
  case CURLE_PROXY:
    mr_fail(&end->result->error, MR_NETWORK, "the proxy on the way to %s refused: %s", end->host,
            end->detail);
    break;
  default:
    mr_fail(&end->result->error, MR_NETWORK, "the exchange with %s failed: %s", end->host,
            end->detail);
  }
}

/* ---- which of them ---- */

/* libcurl has no code of its own for these. */
static bool is_large_header(const struct ending *end) {
  const struct mr_curl_progress *progress = &end->handle->progress;
  if (progress->phase < MR_PHASE_SEND || progress->part == MR_PART_BODY) return false;
  return end->code == CURLE_OUT_OF_MEMORY || (int)end->code == 100 || /* CURLE_TOO_LARGE of 8.6 */
         strncmp(end->detail, "Too large response headers", 26) == 0;
}

static const struct {
  CURLcode code;
  void (*describe)(const struct ending *end);
} descriptions[] = {
    {CURLE_COULDNT_RESOLVE_HOST, describe_resolve},
    {CURLE_COULDNT_RESOLVE_PROXY, describe_resolve},
    {CURLE_COULDNT_CONNECT, describe_connect},
    {CURLE_OPERATION_TIMEDOUT, describe_slow_connect},
    {CURLE_SSL_CONNECT_ERROR, describe_tls},
    {CURLE_SSL_CERTPROBLEM, describe_tls},
    {CURLE_SSL_CIPHER, describe_tls},
    {CURLE_PEER_FAILED_VERIFICATION, describe_tls},
    {CURLE_SSL_CACERT_BADFILE, describe_tls},
    {CURLE_SSL_ISSUER_ERROR, describe_tls},
    {CURLE_SSL_CLIENTCERT, describe_tls},
    {CURLE_SEND_ERROR, describe_lost},
    {CURLE_RECV_ERROR, describe_lost},
    {CURLE_GOT_NOTHING, describe_lost},
    {CURLE_PARTIAL_FILE, describe_lost},
    {CURLE_HTTP2, describe_lost},
    {CURLE_HTTP2_STREAM, describe_lost},
    {CURLE_SEND_FAIL_REWIND, describe_lost},
};

static void describe_code(const struct ending *end) {
  size_t count = sizeof descriptions / sizeof *descriptions;
  size_t i = 0;
  while (i < count && descriptions[i].code != end->code)
    i++;
  if (i < count)
    descriptions[i].describe(end);
  else
    describe_other(end);
}

static void describe(const struct ending *end) {
  const struct mr_curl_progress *progress = &end->handle->progress;
  if (progress->stopped)
    mr_fail(&end->result->error, end->handle->x->stop_kind, "stopped while %s answered", end->host);
  else if (progress->late)
    describe_late(end);
  else if (progress->idle)
    describe_idle(end);
  else if (progress->failed_read || progress->short_read)
    describe_upload(end);
  else if (progress->refused)
    describe_coding(end);
  else if (end->result->unread)
    describe_unread(end);
  else if (end->result->stale)
    describe_lost(end);
  else if (end->code == CURLE_OK && progress->part == MR_PART_BODY)
    describe_unfinished(end);
  else if (end->code == CURLE_OK)
    describe_cut(end);
  else if (is_large_header(end))
    describe_large(end);
  else
    describe_code(end);
}

/* ---- the figures ---- */

static int64_t moment(CURL *easy, CURLINFO info) {
  curl_off_t us = 0;
  curl_easy_getinfo(easy, info, &us);
  return us > 0 ? (int64_t)us : -1;
}

static void fill_timings(const struct mr_curl_handle *handle, struct mr_timings *timings) {
  const struct mr_curl_progress *progress = &handle->progress;
  int64_t start_us = handle->started_us;
  *timings = (struct mr_timings){-1, -1, -1, -1, -1, -1};
  if (progress->connected) {
    timings->resolved_us = moment(handle->easy, CURLINFO_NAMELOOKUP_TIME_T);
    timings->connected_us = moment(handle->easy, CURLINFO_CONNECT_TIME_T);
    timings->secured_us = moment(handle->easy, CURLINFO_APPCONNECT_TIME_T);
  }
  if (progress->sent_us) timings->sent_us = progress->sent_us - start_us;
  if (progress->first_byte_us) timings->first_byte_us = progress->first_byte_us - start_us;
  timings->done_us = handle->pool->transport->now_us - start_us;
}

/* What libcurl was not given yet it still has the figures of another for. */
static void fill_sizes(const struct mr_curl_handle *handle, struct mr_exchange_result *result) {
  if (handle->progress.phase == MR_PHASE_NONE) return;
  curl_off_t sent = 0, received = 0;
  curl_easy_getinfo(handle->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
  curl_easy_getinfo(handle->easy, CURLINFO_SIZE_DOWNLOAD_T, &received);
  result->bytes_sent = sent > 0 ? (uint64_t)sent : 0;
  result->bytes_received = received > 0 ? (uint64_t)received : 0;
}

static bool lost_connection(CURLcode code) {
  return code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING ||
         code == CURLE_SEND_FAIL_REWIND || code == CURLE_HTTP2 || code == CURLE_HTTP2_STREAM;
}

/* Sent, and ended before a byte came back, by no wish of ours. */
static bool is_lost(const struct mr_curl_handle *handle) {
  const struct mr_curl_progress *progress = &handle->progress;
  return progress->phase == MR_PHASE_SEND && !progress->late && !progress->idle &&
         !progress->stopped;
}

/* Either libcurl wanted to send it again or it could not. Beside other streams it may call such an end a good one. */
static bool is_stale(const struct mr_curl_handle *handle, CURLcode code) {
  const struct mr_curl_progress *progress = &handle->progress;
  return progress->sends > 1 ||
         (!progress->connected && (lost_connection(code) || code == CURLE_OK));
}

/* libcurl is content with an answer that ends in its headers, and knows nothing of compression. */
static bool is_whole(const struct mr_curl_handle *handle, CURLcode code) {
  if (handle->x->connects_only) return code == CURLE_OK;
  return code == CURLE_OK && handle->progress.part == MR_PART_BODY &&
         (!handle->decoder || mr_decoder_is_complete(handle->decoder));
}

void mr_curl_result(struct mr_curl_handle *handle, CURLcode code,
                    struct mr_exchange_result *result) {
  const struct mr_curl_progress *progress = &handle->progress;
  *result = (struct mr_exchange_result){
      .status = progress->status,
      .phase = progress->phase,
      .reused = progress->sends > 0 && !progress->connected,
      .http_major = progress->http_major,
  };
  fill_sizes(handle, result);
  fill_timings(handle, &result->timings);
  if (is_whole(handle, code)) {
    result->phase = MR_PHASE_DONE;
    return;
  }
  bool lost = is_lost(handle);
  result->unread = lost && (progress->unread || mr_curl_goaway_covers(handle));
  result->stale = result->unread || (lost && is_stale(handle, code));
  const char *words = handle->message[0] ? handle->message : curl_easy_strerror(code);
  struct ending end = {handle, result, code, handle->origin->label, words};
  describe(&end);
  result->kind = result->error.kind;
}
