// What is due comes, in order of time; what was cancelled or outlived does not.

#include "mcp/deadlines.h"

#include <future>
#include <memory>
#include <vector>

#include <catch2/catch.hpp>

#include "support.h"

namespace quiver::mcp {
namespace {

using std::chrono::milliseconds;

TEST_CASE("Deadlines: calls come in order of time, whatever the order they were set in", "[mcp]") {
  std::vector<int> order;
  std::promise<void> done;
  Deadlines deadlines;
  const auto start = std::chrono::steady_clock::now();
  deadlines.at(start + milliseconds(60), [&] { done.set_value(); });
  deadlines.at(start + milliseconds(40), [&] { order.push_back(2); });
  deadlines.at(start + milliseconds(20), [&] { order.push_back(1); });
  REQUIRE(done.get_future().wait_for(test::kPatience) == std::future_status::ready);
  CHECK(order == std::vector<int>{1, 2});
  CHECK(std::chrono::steady_clock::now() >= start + milliseconds(60));
}

TEST_CASE("Deadlines: what was cancelled is let go of at once and never called", "[mcp]") {
  Deadlines deadlines;
  const auto owned = std::make_shared<int>(0);
  const auto id = deadlines.after(std::chrono::hours(1), [owned] { ++*owned; });
  CHECK(owned.use_count() == 2);
  CHECK(deadlines.cancel(id));
  CHECK(owned.use_count() == 1);
  CHECK_FALSE(deadlines.cancel(id));
  std::promise<void> done;
  const auto due = deadlines.after(milliseconds(0), [&] { done.set_value(); });
  REQUIRE(done.get_future().wait_for(test::kPatience) == std::future_status::ready);
  CHECK_FALSE(deadlines.cancel(due));
  CHECK(*owned == 0);
}

TEST_CASE("Deadlines: what is not due when they end is dropped", "[mcp]") {
  const auto owned = std::make_shared<int>(0);
  {
    Deadlines deadlines;
    deadlines.after(std::chrono::hours(1), [owned] { ++*owned; });
  }
  CHECK(owned.use_count() == 1);
  CHECK(*owned == 0);
}

}  // namespace
}  // namespace quiver::mcp
