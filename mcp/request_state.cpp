#include "mcp/request_state.h"

#include <random>
#include <string_view>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "mcp/json_rpc.h"
#include "service/base64.h"

namespace quiver::mcp {
namespace {

using service::Base64;

std::int64_t milliseconds(std::chrono::steady_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

RequestState::RequestState(const Clock& clock, std::chrono::seconds life)
    : clock_(clock), life_(life) {
  std::random_device source;
  for (auto& byte : key_) byte = static_cast<unsigned char>(source());
}

std::string RequestState::mac(const Json& request, const std::string& body) const {
  // The separator is in no base64 text, so that nothing can move from one part to the other.
  const std::string bound = body + "\n" + to_text(request);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (::HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
             reinterpret_cast<const unsigned char*>(bound.data()), bound.size(), digest.data(),
             &size) == nullptr) {
    throw std::bad_alloc();
  }
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string RequestState::seal(const Json& request, const Json& state) const {
  const Json content{{"state", state}, {"until", milliseconds(clock_.now() + life_)}};
  const std::string body = service::base64_encode(to_text(content), Base64::Url);
  return body + "." + service::base64_encode(mac(request, body), Base64::Url);
}

std::optional<Json> RequestState::open(const Json& request, const std::string& text) const {
  const auto dot = text.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const std::string body = text.substr(0, dot);
  const auto given = service::base64_decode(std::string_view(text).substr(dot + 1), Base64::Url);
  const std::string wanted = mac(request, body);
  if (!given || given->size() != wanted.size() ||
      CRYPTO_memcmp(given->data(), wanted.data(), wanted.size()) != 0) {
    return std::nullopt;
  }
  const auto content = service::base64_decode(body, Base64::Url);
  Json json = Json::parse(content.value_or(""), nullptr, false);
  if (json.is_discarded() || json["until"] < milliseconds(clock_.now())) return std::nullopt;
  return std::move(json["state"]);
}

}  // namespace quiver::mcp
