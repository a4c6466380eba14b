// Jump hash is held to values published with other implementations of the paper, and to the
// paper's two properties; the place of stored ids is frozen by values from an implementation of
// xxHash64, of the ids' keys and of jump hash that shares no code with ours.

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

TEST_CASE("jump_hash: frozen values", "[cluster]") {
  struct Frozen {
    std::uint64_t key;
    std::vector<std::uint32_t> buckets;
  };
  const std::vector<std::uint32_t> counts{2, 3, 16, 1024, 1U << 20U};
  const std::vector<Frozen> table{{0, {0, 0, 0, 0, 0}},
                                  {1, {0, 0, 6, 549, 985611}},
                                  {2, {0, 0, 15, 338, 152951}},
                                  {10, {1, 2, 14, 751, 32509}},
                                  {0xFFFFFFFFFFFFFFFFULL, {1, 2, 10, 313, 589430}},
                                  {0x9E3779B97F4A7C15ULL, {1, 1, 3, 838, 972672}}};
  for (const auto& row : table) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      CHECK(jump_hash(row.key, counts[i]) == row.buckets[i]);
    }
  }
}

TEST_CASE("shard_of: frozen values, or stored points would be lost", "[cluster]") {
  struct Frozen {
    PointId id;
    std::vector<std::uint32_t> shards;
  };
  const auto text = [](const char* value) { return PointId::from_text(value).value(); };
  const std::vector<std::uint32_t> counts{2, 3, 16, 64, 1000};
  const std::vector<Frozen> table{
      {PointId(0), {0, 2, 3, 54, 903}},
      {PointId(1), {1, 1, 3, 3, 375}},
      {PointId(7), {1, 2, 7, 21, 490}},
      {PointId(UINT64_MAX), {0, 2, 6, 6, 811}},
      {text("7"), {0, 2, 4, 4, 514}},
      {text("seven"), {1, 2, 15, 38, 577}},
      {text("0f8fad5b-d9cb-469f-a165-70867728950e"), {0, 0, 0, 0, 559}}};
  for (const auto& row : table) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      INFO(row.id.display() << " of " << counts[i]);
      CHECK(raw(shard_of(row.id, counts[i])) == row.shards[i]);
    }
  }
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
