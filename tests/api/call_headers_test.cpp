// What a request says of its call in headers.

#include "api/rest/call_headers.h"

#include <catch2/catch.hpp>

namespace quiver::api {
namespace {

using Catch::Matchers::Contains;
using std::chrono::milliseconds;

constexpr milliseconds kMost{60'000};

HttpRequest with(const std::string& name, const std::string& value) {
  return {"GET", "/", {{name, value}}, ""};
}

TEST_CASE("Idempotency-Key: a UUID or 32 digits name a write", "[api]") {
  const std::string digits = "00112233445566778899aabbccddeeff";
  for (const char* form :
       {"00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff",
        "00112233-4455-6677-8899-AABBCCDDEEFF", "\"00112233445566778899aabbccddeeff\"",
        " 00112233-4455-6677-8899-aabbccddeeff "}) {
    INFO(form);
    const auto key = idempotency_key(with("idempotency-key", form));
    REQUIRE(key.ok());
    REQUIRE(*key);
    CHECK((*key)->hex() == digits);
  }
  const auto none = idempotency_key({});
  REQUIRE(none.ok());
  CHECK_FALSE(*none);
}

TEST_CASE("Idempotency-Key: anything else is refused", "[api]") {
  for (const char* form :
       {"", "\"\"", "order-17", "0011223344556677", "00112233445566778899aabbccddeeffaa",
        "0011223344556677-8899-aabbccddeeff-00", "00112233-4455-6677-8899-aabbccddeefg",
        "00112233-4455-6677-8899_aabbccddeeff", "00000000-0000-0000-0000-000000000000"}) {
    INFO(form);
    const auto key = idempotency_key(with("idempotency-key", form));
    REQUIRE_FALSE(key.ok());
    CHECK(key.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(key.error().message, Contains("header Idempotency-Key: must be a UUID"));
  }
}

TEST_CASE("Request-Timeout: seconds, at most what the server allows", "[api]") {
  const auto asked = [](const char* text) {
    return request_timeout(with("request-timeout", text), kMost);
  };
  CHECK(*request_timeout({}, kMost) == kMost);
  CHECK(*asked("2") == milliseconds(2000));
  CHECK(*asked("0.25") == milliseconds(250));
  CHECK(*asked("60") == kMost);
  CHECK(*asked("0.0001") == milliseconds(1));
  for (const char* text :
       {"", "0", "-1", "61", "1e2", "nan", "inf", "2s", "1,5", "99999999999999"}) {
    INFO(text);
    const auto out = asked(text);
    REQUIRE_FALSE(out.ok());
    CHECK(out.error().code == ErrorCode::InvalidArgument);
    CHECK_THAT(out.error().message, Contains("header Request-Timeout") && Contains("at most 60"));
  }
}

TEST_CASE("Accept: JSON must be allowed", "[api]") {
  CHECK(takes_json({}));
  for (const char* text : {"*/*", "application/json", "text/html, application/*;q=0.8",
                           "APPLICATION/JSON; charset=utf-8"}) {
    CHECK(takes_json(with("accept", text)));
  }
  for (const char* text : {"", "text/html", "text/event-stream", "application/xml"}) {
    CHECK_FALSE(takes_json(with("accept", text)));
  }
}

}  // namespace
}  // namespace quiver::api
