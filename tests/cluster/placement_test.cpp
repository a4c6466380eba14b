// New collections are placed on clusters of every shape; the outcome is held to the rules, which
// are counted here by other means than the code uses.

#include <numeric>

#include "cluster/placement/fair_shares.h"
#include "cluster/placement/placement_policy.h"
#include "cluster/shard_router.h"
#include "tests/cluster/placement_cluster.h"

using namespace quiver;
using namespace quiver::cluster;

TEST_CASE("Slots: a new node fills the first gap, else comes last", "[cluster][placement]") {
  SlotList slots;
  for (std::uint64_t i = 0; i < 4; ++i) slots = *with_slot(slots, node_id(i));
  CHECK(slots.slots == SlotList{{node_id(0), node_id(1), node_id(2), node_id(3)}}.slots);
  slots = *without_slot(slots, node_id(2));
  slots = *without_slot(slots, node_id(1));
  CHECK(slots == SlotList{{node_id(0), std::nullopt, std::nullopt, node_id(3)}});
  slots = *with_slot(slots, node_id(9));
  CHECK(slots == SlotList{{node_id(0), node_id(9), std::nullopt, node_id(3)}});
}

TEST_CASE("Slots: what cannot be is refused", "[cluster][placement]") {
  const auto slots = *with_slot({}, node_id(1));
  CHECK(with_slot(slots, node_id(1)).error().code == ErrorCode::AlreadyExists);
  CHECK(with_slot(slots, NodeId{}).error().code == ErrorCode::InvalidArgument);
  CHECK(without_slot(slots, node_id(2)).error().code == ErrorCode::NotFound);
}

TEST_CASE("Preference: frozen values of its hash", "[cluster][placement]") {
  // From another implementation of xxHash64, over the id and three little-endian numbers.
  const std::string id = "0123456789abcdef0123456789abcdef";
  CHECK(placement_hash(id, ShardId{0}, 0, 0) == 0xc80fc8f1ad9d9700ULL);
  CHECK(placement_hash(id, ShardId{1}, 0, 0) == 0xa6ff86f429ba1ff8ULL);
  CHECK(placement_hash(id, ShardId{0}, 1, 0) == 0x0c7fe50e8a956b08ULL);
  CHECK(placement_hash(id, ShardId{0}, 0, 1) == 0x315614e7341e5030ULL);
  CHECK(placement_hash(id, ShardId{1023}, 8, 77) == 0x3964e8279d3ab217ULL);
  CHECK(jump_hash(placement_hash(id, ShardId{1}, 0, 0), 100) == 87);
}

TEST_CASE("Preference: an empty place is nobody's", "[cluster][placement]") {
  CHECK_FALSE(preferred_node({}, "c", ShardId{0}, 0, 0).has_value());
  CHECK_FALSE(preferred_node({{std::nullopt}}, "c", ShardId{0}, 0, 0).has_value());
  CHECK(preferred_node({{node_id(1)}}, "c", ShardId{0}, 0, 0) == node_id(1));
}

TEST_CASE("Fair shares: by weight, capped by distinctness and zones", "[cluster][placement]") {
  using Shares = std::vector<double>;
  CHECK(fair_shares({{1, 0}, {1, 1}, {2, 2}}, 8, 8, 1) == Shares{2, 2, 4});
  // 2 copies of 8 shards: the heavy one cannot have two of a shard.
  CHECK(fair_shares({{1, 0}, {1, 1}, {10, 2}}, 8, 16, 1) == Shares{4, 4, 8});
  // Two zones and two copies: each zone has one of each, whatever is in it.
  CHECK(fair_shares({{1, 0}, {1, 1}, {1, 1}, {2, 1}}, 8, 16, 1) == Shares{8, 2, 2, 4});
  // Up to two of a zone: seat 0 is full, its zone is not; zone 1 is.
  CHECK(fair_shares({{9, 0}, {1, 0}, {9, 1}, {9, 1}, {9, 1}}, 6, 24, 2) == Shares{6, 6, 4, 4, 4});
  CHECK(fair_shares({}, 8, 0, 1).empty());
}

TEST_CASE("Fair shares: a zone holds no more copies of a shard than it must",
          "[cluster][placement]") {
  CHECK(zone_limit({{1, 0}, {1, 1}, {1, 2}}, 3) == 1);
  CHECK(zone_limit({{1, 0}, {1, 0}, {1, 1}}, 3) == 2);
  CHECK(zone_limit({{1, 0}, {1, 0}, {1, 0}, {1, 0}, {1, 1}}, 5) == 4);
  CHECK(zone_limit({{1, 0}, {1, 0}}, 1) == 1);
  CHECK(zone_limit({}, 0) == 1);
}

TEST_CASE("Rounding: what is left over goes in order, where there is room",
          "[cluster][placement]") {
  using Counts = std::vector<std::uint64_t>;
  const std::vector<Seat> seats{{1, 0}, {1, 0}, {1, 1}};
  const std::vector<double> shares{1.5, 1.5, 1.0};
  CHECK(round_shares(shares, seats, 4, {{9, 9, 9}, {9, 9}}, {1, 0, 2}) == Counts{1, 2, 1});
  CHECK(round_shares(shares, seats, 4, {{9, 1, 9}, {9, 9}}, {1, 0, 2}) == Counts{2, 1, 1});
  CHECK(round_shares(shares, seats, 4, {{9, 9, 9}, {2, 9}}, {1, 0, 2}) == Counts{1, 1, 2});
  CHECK(round_shares(shares, seats, 9, {{2, 2, 2}, {9, 9}}, {0, 1, 2}) == Counts{2, 2, 2});
  CHECK(whole_part(2.9999999999) == 3);
  CHECK(fraction_part(2.9999999999) == 0);
  CHECK(fraction_part(2.25) == 250'000);
}

TEST_CASE("Placement: copies and primaries are even for every shape", "[cluster][placement]") {
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    std::mt19937_64 random(seed);
    const auto nodes = 1 + random() % 12;
    const auto copies =
        static_cast<std::uint32_t>(1 + random() % std::min<std::uint64_t>(nodes, 9));
    const auto shards = static_cast<std::uint32_t>(1 + random() % 40);
    INFO("seed " << seed << ": " << nodes << " nodes, " << shards << " x " << copies);
    PaperCluster cluster(seed);
    cluster.add_nodes(1, nodes);
    cluster.create("docs", shards, copies);
    cluster.check_complete();
    CHECK(spread(cluster.copies()) <= 1);
    CHECK(spread(cluster.primaries()) <= 1);
    CHECK(cluster.plan().empty());
  }
}

TEST_CASE("Placement: each collection is even, and all together", "[cluster][placement]") {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    INFO("seed " << seed);
    PaperCluster cluster(seed);
    cluster.add_nodes(1, 3 + random() % 6);
    for (int i = 0; i < 12; ++i) {
      const auto name = "c" + std::to_string(i);
      cluster.create(name, static_cast<std::uint32_t>(1 + random() % 9),
                     static_cast<std::uint32_t>(1 + random() % 3));
      CHECK(spread(cluster.copies(name)) <= 1);
      CHECK(spread(cluster.copies()) <= 1);
    }
    CHECK(cluster.plan().moves.empty());
  }
}

TEST_CASE("Placement: many collections of one shard spread, too", "[cluster][placement]") {
  for (const std::uint32_t copies : {1U, 2U, 3U}) {
    PaperCluster cluster(copies);
    cluster.add_nodes(1, 7);
    for (int i = 0; i < 100; ++i) cluster.create("c" + std::to_string(i), 1, copies);
    cluster.check_complete();
    CHECK(spread(cluster.copies()) <= 1);
    CHECK(spread(cluster.primaries()) <= 2);
    CHECK(cluster.plan().moves.empty());
    cluster.carry_out(cluster.plan());
    CHECK(spread(cluster.primaries()) <= 1);
  }
}

TEST_CASE("Placement: a new node does not draw all of a new collection to it",
          "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(1, 3);
  cluster.create("old", 30, 1);
  cluster.add_node(4);
  cluster.create("new", 8, 1);
  CHECK(spread(cluster.copies("new")) == 0);
  // What does not fit evenly goes to it first.
  cluster.create("small", 1, 1);
  CHECK(cluster.copies("small")[node_id(4)] == 1);
}

TEST_CASE("Placement: weights decide shares", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_node(1, 1.0);
  cluster.add_node(2, 2.0);
  cluster.add_node(3, 5.0);
  cluster.create("docs", 64, 1);
  CHECK(cluster.held_by(1) == 8);
  CHECK(cluster.held_by(2) == 16);
  CHECK(cluster.held_by(3) == 40);
  for (int i = 0; i < 80; ++i) cluster.create("c" + std::to_string(i), 1, 1);
  CHECK(cluster.held_by(1) == 18);
  CHECK(cluster.held_by(2) == 36);
  CHECK(cluster.held_by(3) == 90);
}

TEST_CASE("Placement: zones are kept apart", "[cluster][placement]") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    std::mt19937_64 random(seed);
    PaperCluster cluster(seed);
    const auto nodes = 2 + random() % 10;
    std::map<std::string, std::size_t> zones;
    for (std::uint64_t i = 0; i < nodes; ++i) {
      const auto zone = "z" + std::to_string(random() % 4);
      ++zones[zone];
      cluster.add_node(i, 1.0 + static_cast<double>(random() % 3), zone);
    }
    const auto copies = 1 + random() % std::min<std::uint64_t>(nodes, 9);
    const auto shards = 1 + random() % 30;
    INFO("seed " << seed << ": " << nodes << " nodes, " << zones.size() << " zones, " << shards
                 << " x " << copies);
    cluster.create("docs", static_cast<std::uint32_t>(shards), static_cast<std::uint32_t>(copies));
    cluster.check_complete();
    // The least that fits: with it in each zone there is room for all copies of a shard.
    std::size_t least = 0;
    for (std::size_t room = 0; room < copies;) {
      ++least;
      room = 0;
      for (const auto& [zone, members] : zones) room += std::min(least, members);
    }
    CHECK(cluster.zone_max() <= least);
    if (zones.size() >= copies) CHECK(least == 1);
    CHECK(cluster.plan().moves.empty());
  }
}

TEST_CASE("Placement: a node that is down gets nothing where others can", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(1, 4);
  cluster.liveness.down = {node_id(2)};
  cluster.create("docs", 30, 3);
  CHECK(cluster.held_by(2) == 0);
  CHECK(cluster.held_by(1) == 30);
  cluster.liveness.down = {node_id(2), node_id(4)};
  cluster.create("more", 30, 3);
  const auto more = cluster.copies("more");
  CHECK(more.at(node_id(1)) == 30);
  CHECK(more.at(node_id(3)) == 30);
  CHECK(more.at(node_id(2)) == 15);
  for (const auto& state : cluster.view.find_collection("more")->shards) {
    CHECK_FALSE(cluster.liveness.down.contains(*state.primary_node()));
  }
}

TEST_CASE("Placement: joining, draining, removed and dead nodes get nothing",
          "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(1, 5);
  cluster.set_state(1, NodeState::Joining);
  cluster.set_state(2, NodeState::Draining);
  cluster.set_state(3, NodeState::Removed);
  cluster.liveness.dead = {node_id(4)};
  cluster.create("docs", 10, 1);
  CHECK(cluster.held_by(5) == 10);
}

TEST_CASE("Placement: what cannot be placed is refused", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(1, 2);
  const auto few = place(cluster.view, cluster.spec("docs", 4, 3), {});
  REQUIRE_FALSE(few.ok());
  CHECK(few.error().code == ErrorCode::FailedPrecondition);
  CHECK(few.error().message ==
        "collection \"docs\" wants 3 copies of each shard on different nodes, but of active "
        "nodes there are 2; add nodes or ask for fewer copies");
  const Liveness down{{node_id(1), node_id(2)}, {}};
  CHECK(place(cluster.view, cluster.spec("docs", 4, 2), down).error().code ==
        ErrorCode::Unavailable);
  CHECK(place(cluster.view, cluster.spec("docs", 4, 10), {}).error().code ==
        ErrorCode::InvalidArgument);
}

TEST_CASE("Placement: nodes without a sign of life are down", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(1, 3);
  cluster.view.nodes.at(node_id(2)).alive.reset();
  const auto liveness = liveness_of(cluster.view);
  CHECK(liveness.down == std::set<NodeId>{node_id(2)});
  CHECK(liveness.dead.empty());
}

TEST_CASE("Placement: most copies go where jump hash wants them", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(1, 5);
  cluster.create("docs", 200, 1);
  const auto* docs = cluster.view.find_collection("docs");
  std::uint32_t home = 0;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const auto wanted = preferred_node(cluster.view.slots, docs->spec.id, ShardId{i}, 0, 0);
    if (docs->shards[i].primary_node()->text == wanted->text) ++home;
  }
  CHECK(home > 160);
}

TEST_CASE("Placement: slots without their nodes, and nodes without slots", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(1, 3);
  cluster.view.slots = {{std::nullopt, node_id(77), node_id(2)}};
  cluster.create("docs", 9, 2);
  CHECK(spread(cluster.copies()) == 0);
}
