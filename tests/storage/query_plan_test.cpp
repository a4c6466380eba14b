// The planner is a pure function: a table of situations, and what must hold between neighbours.

#include "storage/query_plan.h"

#include <catch2/catch.hpp>

using namespace quiver::storage;

namespace {

QueryShape shape(std::size_t live, std::optional<std::size_t> matches, std::size_t k = 10) {
  QueryShape out;
  out.live = live;
  out.matches = matches;
  out.k = k;
  return out;
}

}  // namespace

TEST_CASE("query plan: nothing to find needs no search", "[storage][plan]") {
  CHECK(plan_query(shape(0, std::nullopt)).access == Access::Nothing);
  CHECK(plan_query(shape(1'000'000, 0)).access == Access::Nothing);
}

TEST_CASE("query plan: few points are scanned, many are walked to", "[storage][plan]") {
  CHECK(plan_query(shape(4000, std::nullopt)).access == Access::Scan);
  CHECK(plan_query(shape(4001, std::nullopt)).access == Access::Graph);
  CHECK(plan_query(shape(1'000'000, 4000)).access == Access::Scan);
  // A walk that keeps so many comes by nearly all, and may miss some.
  CHECK(plan_query(shape(27'000, std::nullopt, 1000)).access == Access::Scan);
  CHECK(plan_query(shape(27'001, std::nullopt, 1000)).access == Access::Graph);
}

TEST_CASE("query plan: a filter that leaves a tenth of the points is scanned for",
          "[storage][plan]") {
  CHECK(plan_query(shape(340'000, 34'000)).access == Access::Scan);
  CHECK(plan_query(shape(340'000, 36'000)).access == Access::Graph);
  // In more points a walk pays sooner, in fewer later.
  CHECK(plan_query(shape(3'400'000, 340'000)).access == Access::Graph);
  CHECK(plan_query(shape(10'000, 5'000)).access == Access::Scan);
  CHECK(plan_query(shape(10'000, 9'000)).access == Access::Graph);
}

TEST_CASE("query plan: the caller may insist on a scan", "[storage][plan]") {
  auto exact = shape(1'000'000, std::nullopt);
  exact.exact = true;
  CHECK(plan_query(exact).access == Access::Scan);
}

TEST_CASE("query plan: a wider walk makes a scan worth while sooner", "[storage][plan]") {
  auto wide = shape(340'000, 60'000);
  CHECK(plan_query(wide).access == Access::Graph);
  wide.ef = 1000;
  CHECK(plan_query(wide).access == Access::Scan);
}

TEST_CASE("query plan: as many are fetched as are asked for and exist", "[storage][plan]") {
  CHECK(plan_query(shape(100, std::nullopt)).fetch == 10);
  CHECK(plan_query(shape(7, std::nullopt)).fetch == 7);
  auto doubtful = shape(1000, 100);
  doubtful.matches_exact = false;
  CHECK(plan_query(doubtful).fetch == 20);
  doubtful.matches = 15;
  CHECK(plan_query(doubtful).fetch == 15);
}

TEST_CASE("query plan: a walk keeps at least what it fetches", "[storage][plan]") {
  CHECK(plan_query(shape(100'000, std::nullopt, 10)).ef == 128);
  CHECK(plan_query(shape(100'000, std::nullopt, 500)).ef == 500);
}

TEST_CASE("query plan: a page of rare matches is looked up, one of frequent ones walked to",
          "[storage][plan]") {
  CHECK(scroll_by_slots(1'000'000, 0, 10));
  CHECK(scroll_by_slots(1'000'000, 100, 10));
  CHECK_FALSE(scroll_by_slots(1'000'000, 500'000, 10));
  // With a limit beyond all matches every point is passed either way.
  CHECK(scroll_by_slots(1'000'000, 100'000, 1'000'000));
  CHECK_FALSE(scroll_by_slots(1'000'000, 900'000, 1'000'000));
}
