// Numbers are compared with long double, which on x86 holds every int64, uint64 and double exactly.

#include "core/scalar.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver {
namespace {

static_assert(std::numeric_limits<long double>::digits >= 64, "the oracle needs 64 bits");

long double exact(const Json& number) {
  if (number.is_number_unsigned()) return number.get<std::uint64_t>();
  if (number.is_number_integer()) return number.get<std::int64_t>();
  return number.get<double>();
}

std::vector<Json> edges() {
  std::vector<Json> numbers = {0,
                               -0.0,
                               0.5,
                               -0.5,
                               1,
                               -1,
                               5e-324,
                               -5e-324,
                               std::numeric_limits<double>::min(),
                               std::numeric_limits<double>::max(),
                               -std::numeric_limits<double>::max(),
                               std::numeric_limits<double>::infinity(),
                               -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<std::int64_t>::min(),
                               std::numeric_limits<std::int64_t>::max(),
                               std::numeric_limits<std::uint64_t>::max()};
  for (int exponent = 50; exponent < 65; ++exponent) {
    const double power = std::ldexp(1.0, exponent);
    for (const double d : {power, -power, std::nextafter(power, 0.0), std::nextafter(-power, 0.0),
                           std::nextafter(power, 1e300), std::nextafter(-power, -1e300)}) {
      numbers.emplace_back(d);
    }
    for (int near = -3; near <= 3; ++near) {
      if (exponent < 63) {
        const auto whole = (std::int64_t{1} << exponent) + near;
        numbers.emplace_back(whole);
        numbers.emplace_back(-whole);
      }
      if (exponent < 64) {
        numbers.emplace_back((std::uint64_t{1} << exponent) + static_cast<std::uint64_t>(near));
      }
    }
  }
  return numbers;
}

void check_pairs(const std::vector<Json>& numbers) {
  for (const auto& a : numbers) {
    for (const auto& b : numbers) {
      const auto wanted = exact(a) <=> exact(b);
      const auto got = *ExactNumber::of(a) <=> *ExactNumber::of(b);
      if ((wanted < 0) != (got < 0) || (wanted > 0) != (got > 0)) {
        FAIL(a.dump() << " and " << b.dump() << " compare wrongly");
      }
    }
  }
}

TEST_CASE("ExactNumber: numbers beyond the precision of double keep their order", "[core]") {
  const std::int64_t odd = (std::int64_t{1} << 53) + 1;
  CHECK(ExactNumber::of(odd) > ExactNumber::of(std::ldexp(1.0, 53)));
  CHECK(ExactNumber::of(odd) < ExactNumber::of(std::ldexp(1.0, 53) + 2.0));
  CHECK(ExactNumber::of(-odd) < ExactNumber::of(-std::ldexp(1.0, 53)));
  CHECK(ExactNumber::of(std::uint64_t{7}) == ExactNumber::of(7.0));
  CHECK(ExactNumber::of(0.0) == ExactNumber::of(-0.0));
  CHECK(ExactNumber::of(std::numeric_limits<std::uint64_t>::max()) <
        ExactNumber::of(std::ldexp(1.0, 64)));
  CHECK(ExactNumber::of(std::numeric_limits<std::int64_t>::min()) ==
        ExactNumber::of(-std::ldexp(1.0, 63)));
}

TEST_CASE("ExactNumber: agrees with exact arithmetic at every edge", "[core]") {
  check_pairs(edges());
}

TEST_CASE("ExactNumber: agrees with exact arithmetic on random numbers", "[core]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<Json> numbers;
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t bits = random() >> (random() % 64);
    numbers.emplace_back(bits);
    numbers.emplace_back(static_cast<std::int64_t>(random()) >> (random() % 64));
    numbers.emplace_back(static_cast<double>(bits));
  }
  check_pairs(numbers);
}

TEST_CASE("ExactNumber: turns back into the number that it was", "[core]") {
  for (const auto& number : edges()) {
    INFO(number.dump());
    const Json back = ExactNumber::of(number)->to_json();
    CHECK(exact(back) == exact(number));
    CHECK(ExactNumber::of(back) == ExactNumber::of(number));
  }
  CHECK(ExactNumber::of(2024.0).to_json().is_number_integer());
  CHECK(ExactNumber::of(std::int64_t{-3}).to_json().dump() == "-3");
  CHECK(ExactNumber::of(1.5).to_json().dump() == "1.5");
}

TEST_CASE("ExactNumber: is nothing for NaN and for what is no number", "[core]") {
  CHECK_FALSE(ExactNumber::of(Json(std::nan(""))));
  CHECK_FALSE(ExactNumber::of(Json("1")));
  CHECK_FALSE(ExactNumber::of(Json(true)));
}

TEST_CASE("scalar_view: sees scalars and nothing else", "[core]") {
  const Json text = "a";
  CHECK(scalar_view(Json(nullptr)) == ScalarView(Null{}));
  CHECK(scalar_view(Json(false)) == ScalarView(false));
  CHECK(scalar_view(text) == ScalarView(std::string_view("a")));
  CHECK(scalar_view(Json(2)) == ScalarView(ExactNumber::of(2.0)));
  CHECK_FALSE(scalar_view(Json::array()));
  CHECK_FALSE(scalar_view(Json::object()));
  CHECK_FALSE(scalar_view(Json::binary({1, 2})));
  CHECK_FALSE(scalar_view(Json(std::nan(""))));
}

TEST_CASE("scalar_view: of a Scalar is the same value", "[core]") {
  const Scalar text = std::string("a");
  CHECK(scalar_view(text) == ScalarView(std::string_view("a")));
  CHECK(scalar_view(Scalar(true)) == ScalarView(true));
  CHECK(scalar_view(Scalar(Null{})) == ScalarView(Null{}));
  CHECK(scalar_view(Scalar(ExactNumber::of(1.0))) == ScalarView(ExactNumber::of(1.0)));
  CHECK(scalar_view(Scalar(Instant{5, 6})) == ScalarView(Instant{5, 6}));
}

}  // namespace
}  // namespace quiver
