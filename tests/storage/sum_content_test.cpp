// What a shard's disk holds, summed up, against a std::map that the same was done to.

#include <algorithm>
#include <map>
#include <random>

#include <catch2/catch.hpp>

#include "core/content_sums.h"
#include "core/payload.h"
#include "tests/storage/shard_fixture.h"

namespace quiver::storage::test {
namespace {

using Model = std::map<PointId, Point>;

ContentSums expected(const Model& model, LogPosition applied) {
  ContentSums out;
  out.applied = applied;
  out.points = model.size();
  out.buckets.resize(kContentBuckets);
  for (const auto& [id, point] : model) out.buckets[content_bucket(id)] += content_hash(point);
  return out;
}

const std::function<Status(std::size_t)> kAtOnce = [](std::size_t) { return Status(Done{}); };

ContentSums sums_of(TestShard& shard) {
  auto sums = shard->content_sums({}, kAtOnce);
  INFO(error_of(sums));
  REQUIRE(sums.ok());
  return std::move(*sums);
}

Point random_point(std::mt19937& random) {
  auto point = point_of(PointId(std::uint64_t{random() % 700}),
                        {static_cast<float>(random() % 9), static_cast<float>(random() % 9)},
                        Json{{"n", random() % 5}});
  if (random() % 3 == 0) point.text = "t" + std::to_string(random() % 4);
  point.expires_at_ms = random() % 4 == 0 ? 5'000 : 0;
  return point;
}

/// One random mutation, done to both.
Mutation step(std::mt19937& random, Model& model) {
  const auto kind = random() % 6;
  const PointId id(std::uint64_t{random() % 700});
  if (kind == 0) {
    model.erase(id);
    return ErasePoints{{id}, 0};
  }
  if (kind == 1) {
    UpdatePayload update{{id}, UpdatePayload::Mode::Merge, Json{{"m", random() % 5}}};
    if (const auto found = model.find(id); found != model.end()) {
      found->second.payload["m"] = update.payload["m"];
    }
    return update;
  }
  if (kind == 2) {
    if (const auto found = model.find(id);
        found != model.end() && found->second.expires_at_ms != 0) {
      model.erase(found);
    }
    return EraseExpired{{id}, 9'000};
  }
  UpsertPoints upsert;
  for (int i = 0; i < 5; ++i) {
    upsert.points.push_back(random_point(random));
    model.insert_or_assign(upsert.points.back().id, upsert.points.back());
  }
  return upsert;
}

}  // namespace

TEST_CASE("sum_content: random writes, restarts and crashes against a map", "[storage][shard]") {
  ScratchDirectory dir;
  TestShard shard(dir.path() / "0", spec_of(2), Options{});
  REQUIRE(error_of(shard.open()).empty());
  CHECK(sums_of(shard) == expected({}, {}));
  std::mt19937 random(5);
  Model model;
  for (int round = 0; round < 400; ++round) {
    const auto done = shard.write(step(random, model));
    INFO(error_of(done));
    REQUIRE(done.ok());
    if (round % 40 == 39) REQUIRE(sums_of(shard) == expected(model, shard->tail()));
    if (round == 150) REQUIRE(error_of(shard.open()).empty());
    if (round == 250) REQUIRE(error_of(shard.crash()).empty());
  }
  CHECK(model.size() > 300);
}

TEST_CASE("sum_content: what was written in another order is equal", "[storage][shard]") {
  std::mt19937 random(6);
  std::map<PointId, Point> points;
  for (int i = 0; i < 300; ++i) {
    auto point = random_point(random);
    points.insert_or_assign(point.id, point);
  }
  const auto sums_in_order = [&](bool forwards) {
    ScratchDirectory dir;
    TestShard shard(dir.path() / "0", spec_of(2), Options{});
    REQUIRE(error_of(shard.open()).empty());
    std::vector<Point> order;
    for (const auto& [unused, point] : points) order.push_back(point);
    if (!forwards) std::reverse(order.begin(), order.end());
    for (const auto& point : order) REQUIRE(shard.write(UpsertPoints{{point}}).ok());
    return sums_of(shard);
  };
  CHECK(sums_in_order(true) == sums_in_order(false));
}

TEST_CASE("sum_content: it is of one moment, and ends when it is told to", "[storage][shard]") {
  ScratchDirectory dir;
  TestShard shard(dir.path() / "0", spec_of(2), Options{});
  REQUIRE(error_of(shard.open()).empty());
  Model model;
  UpsertPoints upsert;
  for (std::uint64_t id = 0; id < 600; ++id) {
    upsert.points.push_back(point_of(PointId(id), {1, 2}));
    model.emplace(PointId(id), upsert.points.back());
  }
  REQUIRE(shard.write(upsert).ok());
  const auto wanted = expected(model, shard->tail());
  std::size_t looks = 0;
  const auto sums = shard->content_sums({}, [&](std::size_t bytes) -> Status {
    // The last call is behind the last point.
    CHECK((bytes > 0 || looks > 0));
    if (looks++ == 0) {
      REQUIRE(shard.write(ErasePoints{{PointId(std::uint64_t{599})}, 0}).ok());
    }
    return Done{};
  });
  REQUIRE(sums.ok());
  CHECK(*sums == wanted);
  CHECK(looks > 2);

  const Error enough{ErrorCode::Unavailable, "enough"};
  const auto broken = shard->content_sums({}, [&](std::size_t) { return Status(enough); });
  REQUIRE_FALSE(broken.ok());
  CHECK(broken.error().message == "enough");
  CallContext late;
  late.deadline = std::chrono::steady_clock::now();
  const auto cut = shard->content_sums(late, kAtOnce);
  REQUIRE_FALSE(cut.ok());
  CHECK(cut.error().code == ErrorCode::DeadlineExceeded);
}

}  // namespace quiver::storage::test
