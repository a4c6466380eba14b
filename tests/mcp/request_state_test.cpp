// What a client holds for the server: it comes back whole and in time, with its request, or not at
// all. Every single character is altered once.

#include "mcp/request_state.h"

#include <string>

#include <catch2/catch.hpp>

#include "tests/support/manual_clock.h"

namespace quiver::mcp {
namespace {

const Json kRequest{{"method", "tools/call"}, {"params", {{"name", "a"}}}};
const Json kState{{"step", 2}};

TEST_CASE("RequestState: comes back with its own request", "[mcp]") {
  const ManualClock clock;
  const RequestState states(clock);
  const std::string text = states.seal(kRequest, kState);
  CHECK(states.open(kRequest, text) == kState);
  CHECK(states.open({{"method", "tools/call"}, {"params", {{"name", "b"}}}}, text) == std::nullopt);
  CHECK(RequestState(clock).open(kRequest, text) == std::nullopt);
}

TEST_CASE("RequestState: any alteration is noticed", "[mcp]") {
  const ManualClock clock;
  const RequestState states(clock);
  const std::string text = states.seal(kRequest, kState);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string altered = text;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    INFO(i);
    CHECK(states.open(kRequest, altered) == std::nullopt);
    CHECK(states.open(kRequest, text.substr(0, i)) == std::nullopt);
  }
  CHECK(states.open(kRequest, text + "A") == std::nullopt);
  CHECK(states.open(kRequest, text + "-TAMPERED") == std::nullopt);
}

TEST_CASE("RequestState: is good for its life and no longer", "[mcp]") {
  ManualClock clock;
  const RequestState states(clock, std::chrono::seconds(10));
  const std::string text = states.seal(kRequest, kState);
  clock.advance_ms(10'000);
  CHECK(states.open(kRequest, text) == kState);
  clock.advance_ms(1);
  CHECK(states.open(kRequest, text) == std::nullopt);
}

}  // namespace
}  // namespace quiver::mcp
