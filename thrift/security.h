#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/result.h"
#include "thrift/calls.h"
#include "thrift/options.h"
#include "thrift/tls.h"

namespace quiver::thrift {

/// How this node shows who it is, and how it tells who others are.
struct Security {
  /// Empty: certificates alone decide.
  std::string token;
  /// Null: no TLS.
  std::shared_ptr<const TlsContext> tls;

  /// Errors: InvalidArgument for neither token nor certificates, a token of less than 16 bytes,
  /// some of the three files only, or files that cannot be used.
  static Result<Security> make(const SecurityOptions& options);
};

/// The process that a server or a client speaks for.
struct LocalNode {
  std::string cluster;
  NodeIdentity node;
};

/// What both ends of a new connection know; each proves to the other that it knows the token too.
struct Greeting {
  std::string cluster;
  NodeIdentity client;
  NodeIdentity server;
  Purpose purpose = Purpose::Control;
  /// Random, fresh for each connection.
  std::string client_nonce;
  std::string server_nonce;
};

inline constexpr std::size_t kNonceBytes = 32;

/// From the system's random source. Errors: Unavailable if that fails.
Result<std::string> make_nonce();

enum class Side : std::uint8_t { Client = 1, Server = 2 };
/// HMAC-SHA-256 over the greeting and the side that proves, keyed with the token: worth nothing on
/// another connection, for another node or for the other side.
std::string make_proof(const std::string& token, Side side, const Greeting& greeting);
/// In a time that does not tell how much of it is right.
bool proof_holds(std::string_view proof, const std::string& token, Side side,
                 const Greeting& greeting);

}  // namespace quiver::thrift
