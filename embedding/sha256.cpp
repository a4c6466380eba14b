#include "embedding/sha256.h"

#include <openssl/evp.h>

namespace quiver::embedding {

Result<Sha256> sha256(std::string_view bytes) {
  Sha256 digest{};
  unsigned size = 0;
  const int done =
      EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  if (done != 1 || size != digest.size()) {
    return Error{ErrorCode::Internal, "SHA-256 is not available from the crypto library"};
  }
  return digest;
}

std::string hex(const Sha256& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * digest.size());
  for (const std::uint8_t byte : digest) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 0xf]);
  }
  return text;
}

}  // namespace quiver::embedding
