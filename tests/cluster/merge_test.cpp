// Hand-worked merges.

#include "cluster/merge.h"

#include <algorithm>

#include <catch2/catch.hpp>

namespace quiver::cluster {
namespace {

ScoredPoint hit(std::uint64_t id, float score) {
  ScoredPoint out;
  out.point.id = PointId(id);
  out.score = score;
  return out;
}

std::vector<std::string> ids(const std::vector<ScoredPoint>& hits) {
  std::vector<std::string> out;
  for (const auto& one : hits) out.push_back(one.point.id.display());
  return out;
}

TEST_CASE("merge_hits: nearest first over shards, ties in order of id", "[cluster]") {
  const auto merged =
      merge_hits({{hit(1, 0.9F), hit(9, 0.5F)}, {hit(4, 0.7F), hit(2, 0.5F)}, {}}, 10);
  CHECK(ids(merged) == std::vector<std::string>{"1", "4", "2", "9"});
}

TEST_CASE("merge_hits: keeps k", "[cluster]") {
  CHECK(ids(merge_hits({{hit(1, 0.9F), hit(2, 0.8F)}, {hit(3, 0.85F)}}, 2)) ==
        std::vector<std::string>{"1", "3"});
  CHECK(merge_hits({}, 3).empty());
}

TEST_CASE("merge_hits: fewer hits are the beginning of more hits, ties or not", "[cluster]") {
  const std::vector<ScoredPoint> a{hit(1, 0.5F), hit(7, 0.5F), hit(9, 0.5F)};
  const std::vector<ScoredPoint> b{hit(2, 0.5F), hit(8, 0.5F), hit(3, 0.4F)};
  const std::vector<std::string> all{"1", "2", "7", "8", "9", "3"};
  for (std::size_t k = 1; k <= 6; ++k) {
    const auto end = static_cast<std::ptrdiff_t>(std::min<std::size_t>(k, 3));
    const auto some =
        ids(merge_hits({{a.begin(), a.begin() + end}, {b.begin(), b.begin() + end}}, k));
    CHECK(some ==
          std::vector<std::string>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k)));
  }
}

TEST_CASE("merge_pages: ids in order over shards", "[cluster]") {
  const auto point = [](std::uint64_t id) {
    Point out;
    out.id = PointId(id);
    return out;
  };
  const auto page = merge_pages({{point(1), point(4)}, {point(2), point(3)}}, 3);
  REQUIRE(page.size() == 3);
  CHECK(page[0].id == PointId(1));
  CHECK(page[2].id == PointId(3));
}

}  // namespace
}  // namespace quiver::cluster
