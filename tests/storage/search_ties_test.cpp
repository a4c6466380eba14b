// Equal scores come in order of id, and it is the ids that decide who is among the first k: against
// a full sort by score and id.

#include <algorithm>
#include <cmath>
#include <map>
#include <random>

#include <catch2/catch.hpp>

#include "storage/distance.h"
#include "storage/tie_break.h"
#include "tests/storage/shard_fixture.h"

namespace quiver::storage::test {
namespace {

using Ids = std::vector<PointId>;

Options options_of(std::size_t exact_search_points) {
  Options options;
  options.exact_search_points = exact_search_points;
  return options;
}

/// Ids of both kinds, far from the order in which they are stored.
PointId scrambled_id(std::size_t i) {
  const std::uint64_t number = i * 7919 % 104'729;
  return number % 3 == 0 ? *PointId::from_text("s" + std::to_string(number)) : PointId(number);
}

struct Wanted {
  float squared;
  PointId id;
  bool rare;
};

/// A grid of few places with many points on each: whatever is asked for is tied many times over.
class Crowd {
 public:
  Crowd(std::size_t points, std::size_t exact_search_points)
      : shard_(dir_.path() / "0", spec_of(2), options_of(exact_search_points)) {
    REQUIRE(error_of(shard_.open()).empty());
    std::mt19937 random(11);
    for (std::size_t i = 0; i < points; ++i) put(scrambled_id(i), random);
    write();
    // Replaced points have new slots, in another order still.
    for (std::size_t i = 0; i < points; i += 3) put(scrambled_id(i), random);
    write();
    REQUIRE(shard_->flush_index(CallContext{}).ok());
  }

  Ids expected(float x, std::size_t k, bool rare_only) const {
    std::vector<Wanted> all;
    for (const auto& [id, point] : points_) {
      const bool rare = point.payload.contains("rare");
      if (rare_only && !rare) continue;
      const float dx = point.vector[0] - x;
      all.push_back({dx * dx + point.vector[1] * point.vector[1], id, rare});
    }
    std::sort(all.begin(), all.end(), [](const Wanted& a, const Wanted& b) {
      return a.squared != b.squared ? a.squared < b.squared : a.id < b.id;
    });
    Ids ids;
    for (std::size_t i = 0; i < std::min(k, all.size()); ++i) ids.push_back(all[i].id);
    return ids;
  }

  Ids found(float x, std::size_t k, bool rare_only, bool exact, std::size_t ef = 0) {
    ShardQuery query;
    query.vector = {x, 0};
    query.k = k;
    query.exact = exact;
    query.ef = ef;
    if (rare_only) query.filter = *Filter::parse(Json::parse(R"({"rare":{"$gte":0}})"));
    const auto hits = shard_->search(CallContext{}, query);
    INFO(error_of(hits));
    REQUIRE(hits.ok());
    return ids_of(*hits);
  }

 private:
  void put(const PointId& id, std::mt19937& random) {
    std::vector<float> place{static_cast<float>(random() % 6), static_cast<float>(random() % 3)};
    Json payload = Json::object();
    if (random() % 5 == 0) payload["rare"] = random() % 100;
    auto point = point_of(id, std::move(place), std::move(payload));
    points_.insert_or_assign(id, point);
    upsert_.points.push_back(std::move(point));
  }
  void write() {
    REQUIRE(error_of(shard_.write(std::move(upsert_))).empty());
    upsert_ = {};
  }

  ScratchDirectory dir_;
  TestShard shard_;
  std::map<PointId, Point> points_;
  UpsertPoints upsert_;
};

TEST_CASE("ties: a scan gives the first by score and id", "[storage][shard][ties]") {
  Crowd crowd(1500, 4000);
  for (const std::size_t k : {1U, 2U, 10U, 99U, 400U, 1000U}) {
    for (const float x : {0.0F, 2.0F, 2.5F}) {
      CAPTURE(k, x);
      CHECK(crowd.found(x, k, false, true) == crowd.expected(x, k, false));
      CHECK(crowd.found(x, k, true, true) == crowd.expected(x, k, true));
      CHECK(crowd.found(x, k, false, false) == crowd.expected(x, k, false));
    }
  }
}

TEST_CASE("ties: a walk that cannot hold all that tie falls back to the scan",
          "[storage][shard][ties]") {
  Crowd crowd(1500, 100);
  for (const std::size_t k : {1U, 2U, 10U, 99U, 400U, 1000U}) {
    CAPTURE(k);
    CHECK(crowd.found(0, k, false, true) == crowd.expected(0, k, false));
    CHECK(crowd.found(2.5F, k, false, true) == crowd.expected(2.5F, k, false));
    CHECK(crowd.found(0, k, false, false) == crowd.expected(0, k, false));
    CHECK(crowd.found(0, k, false, false, 16) == crowd.expected(0, k, false));
    CHECK(crowd.found(0, k, true, false) == crowd.expected(0, k, true));
  }
}

TEST_CASE("ties: a walk orders what it found, and fewer are the beginning of more",
          "[storage][shard][ties]") {
  // On few places a graph is hardly connected: a walk may miss one of two that are equally near.
  Crowd crowd(1500, 100);
  const Ids all = crowd.found(2.5F, 60, false, false);
  REQUIRE(all.size() == 60);
  CHECK(std::is_sorted(all.begin(), all.end()));
  for (std::size_t k = 1; k < all.size(); ++k) {
    CHECK(crowd.found(2.5F, k, false, false) ==
          Ids(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k)));
  }
}

TEST_CASE("ties: what clients see as equal is equal, though the distances differ",
          "[storage][shard][ties]") {
  // The cosine of parallel vectors is 1, and the sums behind it round to either side of it.
  ScratchDirectory dir;
  TestShard shard(dir.path() / "0", spec_of(3, Metric::Cosine), Options{});
  REQUIRE(error_of(shard.open()).empty());
  UpsertPoints upsert;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const float length = 0.37F + 0.013F * static_cast<float>(i * 37 % 200);
    upsert.points.push_back(
        point_of(PointId(1000 - i), {0.3F * length, 0.7F * length, 0.11F * length}));
  }
  REQUIRE(shard.write(upsert).ok());
  ShardQuery query;
  query.vector = {0.3F, 0.7F, 0.11F};
  query.k = 200;
  const auto all = shard->search(CallContext{}, query).value();
  for (std::size_t i = 1; i < all.size(); ++i) {
    CAPTURE(i, all[i - 1].score, all[i].score);
    const bool ordered = all[i - 1].score > all[i].score || (all[i - 1].score == all[i].score &&
                                                             all[i - 1].point.id < all[i].point.id);
    CHECK(ordered);
  }
  for (query.k = 1; query.k < 200; ++query.k) {
    const auto some = shard->search(CallContext{}, query).value();
    CHECK(ids_of(some) == [&] {
      auto ids = ids_of(all);
      ids.resize(query.k);
      return ids;
    }());
  }
}

TEST_CASE("farthest_alike: the last distance with the same score", "[storage][index][ties]") {
  const auto next_up = [](float x) { return std::nextafter(x, INFINITY); };
  for (const auto metric : {Metric::Cosine, Metric::Dot, Metric::Euclidean}) {
    for (const float distance : {-1e-7F, 0.0F, 1e-9F, 0.3F, 1.0F, 1.9999999F, 2.5F, 1e20F}) {
      if (metric == Metric::Euclidean && distance < 0) continue;
      CAPTURE(distance, metric);
      const float farthest = farthest_alike(metric, distance);
      CHECK(farthest >= distance);
      CHECK(score(metric, farthest) == score(metric, distance));
      if (!std::isinf(farthest)) {
        CHECK(score(metric, next_up(farthest)) != score(metric, distance));
      }
    }
  }
}

}  // namespace
}  // namespace quiver::storage::test
