// Plans for states that no plan has led to: shards with too few copies, on servers that are down,
// dead, leaving or gone, crowded in zones and led by whom chance chose. What a plan promises must
// hold for each of them.

#include "tests/cluster/placement_cluster.h"

namespace quiver::cluster {
namespace {

class RandomState {
 public:
  explicit RandomState(std::uint64_t seed) : cluster(seed), random_(seed) {
    servers_ = 3 + below(7);
    zones_ = below(2) == 0 ? 0 : 2 + below(3);
    calm_ = below(2) == 0;
    for (std::uint64_t i = 0; i < servers_; ++i) {
      cluster.add_node(i, 1.0, zones_ == 0 ? "" : "z" + std::to_string(below(zones_)));
    }
    for (std::uint64_t i = 0; i < 1 + below(3); ++i) {
      add("c" + std::to_string(i), static_cast<std::uint32_t>(1 + below(20)),
          static_cast<std::uint32_t>(1 + below(std::min<std::uint64_t>(servers_, 5))));
    }
    for (std::uint64_t i = 0; i < servers_; ++i) upset(i);
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
  bool zoned() const { return zones_ != 0; }
  /// No server is down for a while only.
  bool calm() const { return calm_; }

  PaperCluster cluster;

 private:
  void add(const std::string& name, std::uint32_t shards, std::uint32_t copies) {
    std::vector<std::vector<NodeId>> placement;
    for (std::uint32_t i = 0; i < shards; ++i) {
      std::vector<NodeId> nodes;
      for (std::uint64_t server = 0; server < servers_; ++server) nodes.push_back(node_id(server));
      std::shuffle(nodes.begin(), nodes.end(), random_);
      nodes.resize(1 + below(copies));
      placement.push_back(std::move(nodes));
    }
    cluster.store(cluster.spec(name, shards, copies), placement);
    for (std::uint32_t i = 0; i < shards; ++i) {
      auto& state = cluster.shard(name, ShardId{i});
      std::erase_if(state.in_sync,
                    [&](const CopyId& copy) { return copy != state.primary && below(3) == 0; });
    }
  }

  void upset(std::uint64_t server) {
    switch (below(8)) {
      case 0:
        if (!calm_) cluster.liveness.down.insert(node_id(server));
        return;
      case 1: cluster.liveness.dead.insert(node_id(server)); return;
      case 2: cluster.set_state(server, NodeState::Draining); return;
      case 3:
        if (below(2) == 0) cluster.set_state(server, NodeState::Removed);
        return;
      default: return;
    }
  }

  std::mt19937_64 random_;
  std::uint64_t servers_ = 0;
  std::uint64_t zones_ = 0;
  bool calm_ = true;
};

struct Outcome {
  std::size_t plans = 0;
  std::size_t moves = 0;
  std::size_t swaps = 0;
  std::size_t refused = 0;
};

/// Servers that take copies, and their zones.
std::pair<std::size_t, std::size_t> what_counts(const PaperCluster& cluster) {
  std::size_t servers = 0;
  std::set<std::string> zones;
  for (const auto& [id, node] : cluster.view.nodes) {
    if (node.record.state != NodeState::Active || cluster.liveness.dead.contains(id)) continue;
    ++servers;
    zones.insert(node.record.zone.empty() ? id.text : node.record.zone);
  }
  return {servers, zones.size()};
}

bool is_lost(const PaperCluster& cluster, const NodeId& node) {
  return cluster.liveness.dead.contains(node) ||
         cluster.view.nodes.at(node).record.state == NodeState::Removed;
}

void check_shards(const PaperCluster& cluster, const Plan& plan, bool calm) {
  const auto [servers_that_count, zones_that_count] = what_counts(cluster);
  std::set<std::pair<std::string, ShardId>> unresolved;
  for (const auto& one : plan.unresolved) unresolved.insert({one.collection, one.shard});
  for (const auto& [name, collection] : cluster.view.collections) {
    const std::size_t wanted = collection->spec.replication_factor;
    for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
      if (unresolved.contains({name, ShardId{i}})) continue;
      INFO(name << '/' << i);
      std::map<std::string, std::size_t> zones;
      std::set<NodeId> nodes;
      std::size_t copies = 0;
      for (const auto& [copy, place] : collection->shards[i].copies) {
        const auto& record = cluster.view.nodes.at(place.node).record;
        // A record that nobody made a new copy for is for others to clear.
        if (is_lost(cluster, place.node)) continue;
        CHECK(record.state == NodeState::Active);
        nodes.insert(place.node);
        ++copies;
        ++zones[record.zone.empty() ? place.node.text : record.zone];
      }
      CHECK(nodes.size() == copies);
      CHECK(copies == std::min<std::size_t>(wanted, servers_that_count));
      if (!calm || zones_that_count < wanted) continue;
      for (const auto& [zone, count] : zones) CHECK(count == 1);
    }
  }
}

void one_state(std::uint64_t seed, Outcome& sum) {
  RandomState state(seed);
  auto& cluster = state.cluster;
  INFO("seed " << seed);
  const auto plan = plan_rebalance(cluster.view, cluster.liveness);
  if (!plan.ok()) {
    // Only a drain may be refused.
    REQUIRE(plan.error().code == ErrorCode::FailedPrecondition);
    ++sum.refused;
    return;
  }
  ++sum.plans;
  sum.moves += plan->moves.size();
  sum.swaps += plan->role_swaps.size();
  // On the way, too, no two copies of a shard are on one server; and only copies in sync lead.
  cluster.carry_out(*plan);
  check_shards(cluster, *plan, state.calm());
  if (state.calm() && !state.zoned() && plan->unresolved.empty()) {
    auto copies = cluster.copies();
    std::erase_if(copies, [&](const auto& one) { return is_lost(cluster, one.first); });
    CHECK(spread(copies) <= 1);
  }
  const auto again = plan_rebalance(cluster.view, cluster.liveness);
  REQUIRE(again.ok());
  CHECK(again->moves.empty());
}

}  // namespace

TEST_CASE("Rebalance: the figures that placement was chosen for", "[cluster][placement]") {
  // 64 shards of 2 copies: 3 -> 4 -> 5 servers, and 5 -> 4 without one in the middle.
  double middle = 0.0;
  double worst = 0.0;
  double worst_primaries = 0.0;
  constexpr std::uint64_t kSeeds = 10;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    INFO("seed " << seed);
    PaperCluster cluster(seed);
    const auto follow = [&](const Plan& plan) {
      cluster.carry_out(plan);
      worst = std::max(worst, max_over_mean(cluster.copies()));
      worst_primaries = std::max(worst_primaries, max_over_mean(cluster.primaries()));
      return plan.moves.size();
    };
    cluster.add_nodes(0, 2);
    cluster.create("docs", 64, 2);
    cluster.add_node(3);
    CHECK(follow(cluster.plan()) == 32);
    cluster.add_node(4);
    CHECK(follow(cluster.plan()) == 25);
    cluster.set_state(1, NodeState::Draining);
    middle += static_cast<double>(follow(cluster.plan()));
  }
  CHECK(middle / kSeeds <= 26.2);
  CHECK(worst <= 1.02);
  CHECK(worst_primaries <= 1.03);
}

TEST_CASE("Rebalance: any state is made right as far as it can be", "[cluster][placement]") {
  Outcome sum;
  for (std::uint64_t seed = 0; seed < 400; ++seed) one_state(seed, sum);
  // That there was something to do.
  CHECK(sum.plans > 250);
  CHECK(sum.moves > 2000);
  CHECK(sum.swaps > 100);
  CHECK(sum.refused > 10);
}

}  // namespace quiver::cluster
