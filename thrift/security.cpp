#include "thrift/security.h"

#include <array>
#include <initializer_list>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

namespace quiver::thrift {
namespace {

constexpr std::size_t kTokenBytesMin = 16;
constexpr std::string_view kDomain = "quiver node greeting 1";

/// Every part with its length, so that no two lists of parts give the same bytes.
std::string joined(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const auto part : parts) {
    const auto size = static_cast<std::uint32_t>(part.size());
    for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<char>(size >> (8 * i)));
    out += part;
  }
  return out;
}

}  // namespace

Result<Security> Security::make(const SecurityOptions& options) {
  const auto wrong = [](const char* what) { return Error{ErrorCode::InvalidArgument, what}; };
  const bool any =
      !options.ca_file.empty() || !options.certificate_file.empty() || !options.key_file.empty();
  const bool all =
      !options.ca_file.empty() && !options.certificate_file.empty() && !options.key_file.empty();
  if (any && !all) {
    return wrong(
        "TLS between nodes needs three files: the authority's certificate, this node's "
        "certificate and its key");
  }
  if (!all && options.token.empty()) {
    return wrong(
        "calls between nodes need a cluster token or TLS certificates, so that strangers "
        "are refused");
  }
  if (!options.token.empty() && options.token.size() < kTokenBytesMin) {
    return wrong("the cluster token must have at least 16 bytes");
  }
  Security security{options.token, nullptr};
  if (all) {
    QV_TRY(security.tls, TlsContext::load(options));
  }
  return security;
}

Result<std::string> make_nonce() {
  std::array<unsigned char, kNonceBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return Error{ErrorCode::Unavailable, "the system's random source failed"};
  }
  return std::string(bytes.begin(), bytes.end());
}

std::string make_proof(const std::string& token, Side side, const Greeting& greeting) {
  const std::string said =
      joined({kDomain, side == Side::Client ? "client" : "server", greeting.cluster,
              greeting.client.id, std::to_string(greeting.client.incarnation), greeting.server.id,
              std::to_string(greeting.server.incarnation),
              std::to_string(static_cast<unsigned>(greeting.purpose)), greeting.client_nonce,
              greeting.server_nonce});
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned size = 0;
  HMAC(EVP_sha256(), token.data(), static_cast<int>(token.size()),
       reinterpret_cast<const unsigned char*>(said.data()), said.size(), code.data(), &size);
  return {code.begin(), code.begin() + size};
}

bool proof_holds(std::string_view proof, const std::string& token, Side side,
                 const Greeting& greeting) {
  const auto right = make_proof(token, side, greeting);
  return !right.empty() && proof.size() == right.size() &&
         CRYPTO_memcmp(proof.data(), right.data(), right.size()) == 0;
}

}  // namespace quiver::thrift
