#include "service/time_text.h"

#include <catch2/catch.hpp>

namespace quiver::service {
namespace {

TEST_CASE("rfc3339: writes UTC, with milliseconds if there are any", "[service]") {
  CHECK(rfc3339(0) == "1970-01-01T00:00:00Z");
  CHECK(rfc3339(1'700'000'000'000) == "2023-11-14T22:13:20Z");
  CHECK(rfc3339(1'700'000'000'007) == "2023-11-14T22:13:20.007Z");
  CHECK(rfc3339(951'782'400'000) == "2000-02-29T00:00:00Z");
  CHECK(rfc3339(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("rfc3339: stays within the years that can be written", "[service]") {
  CHECK(rfc3339(INT64_MAX) == "9999-12-31T23:59:59.999Z");
  CHECK(rfc3339(INT64_MIN) == "0000-01-01T00:00:00Z");
}

}  // namespace
}  // namespace quiver::service
