#include "thrift/tls.h"

#include <csignal>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace quiver::thrift {
namespace {

Error unusable(const std::string& what, const std::string& file) {
  return {ErrorCode::InvalidArgument, what + " \"" + file + "\" cannot be used: " + tls_problem()};
}

std::string_view view(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

enum class Match { Yes, No, NoNames };

Match alternative_name_is(X509* certificate, std::string_view id) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  if (names == nullptr) return Match::NoNames;
  Match match = Match::NoNames;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && match != Match::Yes; ++i) {
    const auto* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) match = view(name->d.dNSName) == id ? Match::Yes : Match::No;
  }
  GENERAL_NAMES_free(names);
  return match;
}

bool common_name_is(X509* certificate, std::string_view id) {
  const auto* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return false;
  return view(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))) == id;
}

}  // namespace

std::string tls_problem() {
  std::string problem;
  while (const auto code = ERR_get_error()) {
    const char* reason = ERR_reason_error_string(code);
    if (problem.empty()) problem = reason != nullptr ? reason : "unknown reason";
  }
  return problem.empty() ? "unknown reason" : problem;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::load(const SecurityOptions& options) {
  struct sigaction now {};
  if (::sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) {
    ::signal(SIGPIPE, SIG_IGN);
  }
  ERR_clear_error();
  const std::shared_ptr<const TlsContext> made(new TlsContext(SSL_CTX_new(TLS_method())));
  auto* context = made->context_;
  if (context == nullptr) return Error{ErrorCode::Internal, "no TLS: " + tls_problem()};
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  // Nothing is resumed: each connection shows its certificate, and no ticket arrives unasked.
  // Frames have lengths: an end without notice cuts nothing off unseen.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    return unusable("the authority's certificate", options.ca_file);
  }
  if (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1) {
    return unusable("the certificate", options.certificate_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return unusable("the key", options.key_file);
  }
  return made;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

SSL* TlsContext::new_side() const {
  return SSL_new(context_);
}

bool peer_is(SSL* side, std::string_view id) {
  X509* certificate = SSL_get1_peer_certificate(side);
  if (certificate == nullptr) return false;
  const auto match = alternative_name_is(certificate, id);
  const bool named =
      match == Match::Yes || (match == Match::NoNames && common_name_is(certificate, id));
  X509_free(certificate);
  return named;
}

}  // namespace quiver::thrift
