// Random walks: hundreds of steps of troubles, then peace. Whatever happens, no controller takes a
// copy out of sync that it did not depose, no term has two primaries, and every copy that counts as
// in sync has all acknowledged writes. In peace every shard gets its copies back, and then nothing
// moves any more.

#include <cstdlib>
#include <iostream>

#include "tests/cluster/upkeep_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

constexpr int kTroubled = 300;
// The delay of replacements, twice, then what two copies at a time take, and the calm before roles.
constexpr int kPeace = 400;

void walk(std::uint64_t seed, UpkeepWorld::Counts& sum) {
  WalkSpec spec;
  spec.seed = seed;
  spec.servers = 4 + seed % 4;
  spec.zones = seed % 3 == 0 ? 3 : 0;
  UpkeepWorld world(spec);
  INFO("seed " << seed);
  for (int i = 0; i < kTroubled; ++i) {
    world.step(true);
    if (world.violation().empty()) continue;
    INFO("step " << i);
    REQUIRE(world.violation() == "");
  }
  world.heal();
  int quiet = 0;
  for (; quiet < kPeace && !world.wrong().empty(); ++quiet) world.step(false);
  REQUIRE(world.wrong() == "");
  REQUIRE(world.violation() == "");
  const auto changes = world.counts().changes;
  for (int i = 0; i < 100; ++i) world.step(false);
  CHECK(world.wrong() == "");
  REQUIRE(world.violation() == "");
  if (world.counts().lost_shards == 0) CHECK(world.counts().changes == changes);
  const auto& counts = world.counts();
  sum.promotions += counts.promotions;
  sum.deposed_alive += counts.deposed_alive;
  sum.adds += counts.adds;
  sum.drops += counts.drops;
  sum.hand_offs += counts.hand_offs;
  sum.acknowledged += counts.acknowledged;
  sum.lost_shards += counts.lost_shards;
}

void print(const UpkeepWorld::Counts& sum) {
  std::cout << "promotions " << sum.promotions << ", of a primary that was up " << sum.deposed_alive
            << ", added " << sum.adds << ", dropped " << sum.drops << ", handed off "
            << sum.hand_offs << ", acknowledged " << sum.acknowledged
            << ", shards that lost every disk " << sum.lost_shards << '\n';
}

}  // namespace

TEST_CASE("Upkeep: random walks end well, and break no rule on the way", "[cluster][upkeep]") {
  UpkeepWorld::Counts sum;
  for (std::uint64_t seed = 0; seed < 25; ++seed) walk(seed, sum);
  // That it happened at all.
  CHECK(sum.promotions > 400);
  CHECK(sum.deposed_alive > 8);
  CHECK(sum.adds > 200);
  CHECK(sum.drops > 200);
  CHECK(sum.hand_offs > 80);
  CHECK(sum.acknowledged > 20'000);
}

TEST_CASE("Upkeep: the judge finds controllers that break a rule", "[cluster][upkeep]") {
  for (const auto wrong : {Wrong::PromotesAnybody, Wrong::NoCompare}) {
    std::string found;
    for (std::uint64_t seed = 0; seed < 40 && found.empty(); ++seed) {
      WalkSpec spec;
      spec.seed = seed;
      spec.wrong = wrong;
      UpkeepWorld world(spec);
      for (int i = 0; i < kTroubled && world.violation().empty(); ++i) world.step(true);
      found = world.violation();
    }
    INFO("the controller that " << (wrong == Wrong::NoCompare ? "does not compare"
                                                              : "promotes anybody")
                                << ": " << found);
    CHECK_FALSE(found.empty());
    // By what it leads to, not by what it is.
    CHECK(found.find("a controller") == std::string::npos);
  }
}

TEST_CASE("Upkeep: many random walks", "[.][figures]") {
  UpkeepWorld::Counts sum;
  const char* const from = std::getenv("SEEDS_FROM");
  const auto first = from == nullptr ? 0ULL : std::strtoull(from, nullptr, 10);
  for (std::uint64_t seed = first; seed < first + 2000; ++seed) walk(seed, sum);
  print(sum);
}

}  // namespace quiver::cluster
