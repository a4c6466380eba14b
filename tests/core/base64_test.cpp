// Test vectors of RFC 4648, section 10.

#include "core/base64.h"

#include <random>

#include <catch2/catch.hpp>

namespace quiver {
namespace {

TEST_CASE("base64: encodes the vectors of the RFC", "[core]") {
  const auto standard = [](const char* text) { return base64_encode(text, Base64::Standard); };
  CHECK(standard("") == "");
  CHECK(standard("f") == "Zg==");
  CHECK(standard("fo") == "Zm8=");
  CHECK(standard("foo") == "Zm9v");
  CHECK(standard("foob") == "Zm9vYg==");
  CHECK(standard("fooba") == "Zm9vYmE=");
  CHECK(standard("foobar") == "Zm9vYmFy");
  CHECK(base64_encode("\xFB\xFF", Base64::Standard) == "+/8=");
  CHECK(base64_encode("\xFB\xFF", Base64::Url) == "-_8");
}

TEST_CASE("base64: what was encoded decodes to itself", "[core]") {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 100; ++size) {
    std::string bytes(size, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    for (const auto alphabet : {Base64::Standard, Base64::Url}) {
      CHECK(base64_decode(base64_encode(bytes, alphabet), alphabet) == bytes);
    }
  }
}

TEST_CASE("base64: each text of bytes has one spelling, all others are refused", "[core]") {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Z===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n",
                           "====", "-_8=", "Zg==Zg=="}) {
    INFO(text);
    CHECK_FALSE(base64_decode(text, Base64::Standard).has_value());
  }
  for (const char* text : {"Z", "Zg==", "Zh", "+/8"}) {
    INFO(text);
    CHECK_FALSE(base64_decode(text, Base64::Url).has_value());
  }
}

}  // namespace
}  // namespace quiver
