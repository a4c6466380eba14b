#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "core/result.h"
#include "thrift/options.h"

namespace quiver::thrift {

/// This node's certificate and key, and the authority whose certificates it trusts, both as a
/// client and as a server: a peer without a certificate of the authority is refused.
///
/// Threads: any, once made.
class TlsContext {
 public:
  /// Reads the three PEM files of `options`. Makes the process ignore SIGPIPE, by which OpenSSL
  /// would otherwise end it when a peer goes away.
  ///
  /// Errors: InvalidArgument naming the file that cannot be used, and why.
  static Result<std::shared_ptr<const TlsContext>> load(const SecurityOptions& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  /// One side of a connection; the caller frees it.
  SSL* new_side() const;

 private:
  explicit TlsContext(SSL_CTX* context) : context_(context) {}

  SSL_CTX* const context_;
};

/// Whether the peer's certificate was made for the node `id`: a DNS name among its alternative
/// names is `id`, or it has none and its common name is.
bool peer_is(SSL* side, std::string_view id);

/// What OpenSSL last complained about on this thread; clears it.
std::string tls_problem();

}  // namespace quiver::thrift
