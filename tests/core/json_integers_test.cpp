#include "core/json_integers.h"

#include <catch2/catch.hpp>

namespace quiver {
namespace {

TEST_CASE("find_integer_too_large: what 64 bits hold passes", "[core][json]") {
  CHECK_FALSE(find_integer_too_large("18446744073709551615"));
  CHECK_FALSE(find_integer_too_large("-9223372036854775808"));
  CHECK_FALSE(find_integer_too_large(R"([0,-1,1.5,1e30,1E30,-2.5e-7,18446744073709551616.0])"));
  CHECK_FALSE(find_integer_too_large(R"({"a":"18446744073709551616"})"));
}

TEST_CASE("find_integer_too_large: the first beyond them is named as it is written",
          "[core][json]") {
  CHECK(find_integer_too_large("18446744073709551616") == "18446744073709551616");
  CHECK(find_integer_too_large("-9223372036854775809") == "-9223372036854775809");
  CHECK(find_integer_too_large(R"({"a":{"b":[1,99999999999999999999]},"c":-1e1})") ==
        "99999999999999999999");
}

TEST_CASE("find_integer_too_large: text that is not JSON has none", "[core][json]") {
  CHECK_FALSE(find_integer_too_large(R"({"a":)"));
  CHECK_FALSE(find_integer_too_large(""));
}

TEST_CASE("integer_too_large: shows the number, cut when long", "[core][json]") {
  CHECK_THAT(integer_too_large("18446744073709551616"),
             Catch::Contains("the integer 18446744073709551616 does not fit 64 bits"));
  CHECK(integer_too_large(std::string(100'000, '9')).size() < 300);
}

}  // namespace
}  // namespace quiver
