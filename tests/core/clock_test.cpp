#include "core/clock.h"

#include <ctime>

#include <catch2/catch.hpp>

namespace quiver {
namespace {

TEST_CASE("SystemClock: tells the time that the C library tells", "[core]") {
  const SystemClock clock;
  timespec before{};
  timespec after{};
  REQUIRE(::clock_gettime(CLOCK_REALTIME, &before) == 0);
  const auto told = clock.wall_ms();
  REQUIRE(::clock_gettime(CLOCK_REALTIME, &after) == 0);
  const auto ms = [](const timespec& t) {
    return std::int64_t{t.tv_sec} * 1000 + t.tv_nsec / 1'000'000;
  };
  CHECK(ms(before) <= told);
  CHECK(told <= ms(after));
}

TEST_CASE("SystemClock: never goes back and agrees with the steady clock", "[core]") {
  const SystemClock clock;
  const auto before = std::chrono::steady_clock::now();
  const auto first = clock.now();
  const auto second = clock.now();
  CHECK(before <= first);
  CHECK(first <= second);
  CHECK(second <= std::chrono::steady_clock::now());
}

}  // namespace
}  // namespace quiver
