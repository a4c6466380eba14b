// Plans are carried out on paper and counted. The least number of moves is worked out from the
// loads alone: whatever the planner does, no plan that ends balanced can have fewer.

#include <functional>
#include <iostream>
#include <numeric>

#include "cluster/placement/rebalance_planner.h"
#include "tests/cluster/placement_cluster.h"

using namespace quiver;
using namespace quiver::cluster;

namespace {

/// The fewest copies that have to go for all loads to differ by at most one: those above the final
/// loads, which are the mean rounded down, and one more for those who hold most.
std::uint64_t fewest_moves(const std::map<NodeId, std::uint64_t>& counts) {
  std::vector<std::uint64_t> loads;
  std::uint64_t sum = 0;
  for (const auto& [node, count] : counts) {
    loads.push_back(count);
    sum += count;
  }
  std::sort(loads.rbegin(), loads.rend());
  const auto low = sum / loads.size();
  auto higher = sum % loads.size();
  std::uint64_t moves = 0;
  for (const auto load : loads) {
    const auto goal = low + (higher > 0 ? 1 : 0);
    if (higher > 0) --higher;
    if (load > goal) moves += load - goal;
  }
  return moves;
}

struct Case {
  std::uint32_t shards;
  std::uint32_t copies;
};

struct Figures {
  double moves = 0.0;
  double fewest = 0.0;
  double worst = 0.0;
  double worst_primaries = 0.0;
};

/// Plans, carries out, and holds the outcome to all that a plan promises.
void step(PaperCluster& cluster, std::uint64_t fewest, Figures& figures) {
  const auto plan = cluster.plan();
  cluster.carry_out(plan);
  cluster.check_complete();
  const auto copies = cluster.copies();
  const auto primaries = cluster.primaries();
  CHECK(plan.unresolved.empty());
  CHECK(plan.moves.size() == fewest);
  CHECK(spread(copies) <= 1);
  CHECK(spread(primaries) <= 1);
  CHECK(cluster.plan().empty());
  figures.moves += static_cast<double>(plan.moves.size());
  figures.fewest += static_cast<double>(fewest);
  figures.worst = std::max(figures.worst, max_over_mean(copies));
  figures.worst_primaries = std::max(figures.worst_primaries, max_over_mean(primaries));
}

/// 3 -> 4 -> 5 servers, then 5 -> 4 without one in the middle, or without the last.
std::vector<Figures> grow_and_shrink(Case one, std::uint64_t seeds) {
  std::vector<Figures> figures(4);
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    INFO("seed " << seed << ", " << one.shards << " shards of " << one.copies << " copies");
    PaperCluster cluster(seed);
    cluster.add_nodes(0, 2);
    cluster.create("docs", one.shards, one.copies);
    CHECK(spread(cluster.copies()) <= 1);
    CHECK(spread(cluster.primaries()) <= 1);
    CHECK(cluster.plan().empty());
    cluster.add_node(3);
    step(cluster, fewest_moves(cluster.copies()), figures[0]);
    cluster.add_node(4);
    step(cluster, fewest_moves(cluster.copies()), figures[1]);
    for (const std::uint64_t leaver : {1U, 4U}) {
      auto smaller = cluster;
      const auto held = smaller.held_by(leaver);
      smaller.set_state(leaver, NodeState::Draining);
      step(smaller, held, figures[leaver == 1 ? 2 : 3]);
    }
  }
  for (auto& one_of : figures) {
    one_of.moves /= static_cast<double>(seeds);
    one_of.fewest /= static_cast<double>(seeds);
  }
  return figures;
}

const std::vector<Case> kCases{{64, 2}, {256, 2}, {16, 2}, {64, 3}};

}  // namespace

TEST_CASE("Rebalance: growing and shrinking moves no more than it must", "[cluster][placement]") {
  for (const auto one : kCases) {
    const auto figures = grow_and_shrink(one, 10);
    // 16 x 2 copies on 5 nodes are 6.4 each: even the best balance has a node with 7.
    const double bound = one.shards == 16 ? 7.0 / 6.4 + 1e-9 : 1.05;
    for (const auto& figure : figures) CHECK(figure.worst <= bound);
  }
}

TEST_CASE("Rebalance: figures for the record", "[.][figures]") {
  const std::vector<std::string> steps{"3->4", "4->5", "5->4 middle", "5->4 last"};
  for (const auto one : kCases) {
    const auto figures = grow_and_shrink(one, 30);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      std::cout << "S=" << one.shards << " R=" << one.copies << ' ' << steps[i] << ": moves "
                << figures[i].moves << ", fewest " << figures[i].fewest << ", worst max/mean "
                << figures[i].worst << ", primaries " << figures[i].worst_primaries << '\n';
    }
  }
}

TEST_CASE("Rebalance: a removed or dead node's copies are made anew", "[cluster][placement]") {
  for (const bool removed : {true, false}) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      INFO("seed " << seed << (removed ? ", removed" : ", dead"));
      PaperCluster cluster(seed);
      cluster.add_nodes(0, 4);
      cluster.create("docs", 64, 2);
      const auto held = cluster.held_by(1);
      if (removed) {
        cluster.set_state(1, NodeState::Removed);
      } else {
        cluster.liveness.dead = {node_id(1)};
      }
      Figures figures;
      const auto plan = cluster.plan();
      for (const auto& move : plan.moves) {
        CHECK(move.reason == MoveReason::Refill);
        CHECK(*move.from == node_id(1));
        CHECK(move.copy.has_value());
      }
      // A primary that is lost is for failover to replace, before the plan is carried out.
      for (std::uint32_t i = 0; i < 64; ++i) {
        auto& state = cluster.shard("docs", ShardId{i});
        if (*state.primary_node() != node_id(1)) continue;
        state.primary = *std::find_if(state.in_sync.begin(), state.in_sync.end(),
                                      [&](const CopyId& copy) { return copy != state.primary; });
      }
      step(cluster, held, figures);
    }
  }
}

TEST_CASE("Rebalance: the place of a removed node is filled by the next", "[cluster][placement]") {
  PaperCluster cluster(3);
  cluster.add_nodes(0, 4);
  cluster.create("docs", 64, 2);
  cluster.set_state(1, NodeState::Draining);
  cluster.carry_out(cluster.plan());
  cluster.set_state(1, NodeState::Removed);
  CHECK(cluster.plan().empty());
  cluster.add_node(9);
  CHECK(cluster.view.slots.slots[1] == node_id(9));
  Figures figures;
  step(cluster, 25, figures);
}

TEST_CASE("Rebalance: shards whose first choice is the receiver go first", "[cluster][placement]") {
  PaperCluster cluster(1);
  cluster.add_nodes(0, 3);
  cluster.create("docs", 200, 1);
  cluster.add_node(4);
  const auto plan = cluster.plan();
  REQUIRE(plan.moves.size() == 40);
  std::size_t home = 0;
  for (const auto& move : plan.moves) {
    CHECK(move.reason == MoveReason::Balance);
    const auto wanted = preferred_node(cluster.view.slots, move.collection_id, move.shard, 0, 0);
    if (*wanted == move.to) ++home;
  }
  // Of 200 about 40 have their home there, but not 10 on each of the others.
  CHECK(home >= 30);
}

namespace {

/// The fewest moves with weights: over all ways to round the shares whose deviations differ by at
/// most one.
std::uint64_t fewest_weighted(const std::vector<double>& shares,
                              const std::vector<std::uint64_t>& held) {
  const auto total = std::accumulate(held.begin(), held.end(), std::uint64_t{0});
  std::uint64_t best = UINT64_MAX;
  for (std::uint32_t bits = 0; bits < (1U << shares.size()); ++bits) {
    std::uint64_t sum = 0;
    std::uint64_t moves = 0;
    double low = 1e9;
    double high = -1e9;
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const auto goal = static_cast<std::uint64_t>(shares[i]) + (bits >> i & 1U);
      sum += goal;
      moves += held[i] > goal ? held[i] - goal : 0;
      low = std::min(low, static_cast<double>(goal) - shares[i]);
      high = std::max(high, static_cast<double>(goal) - shares[i]);
    }
    if (sum == total && high - low <= 1.0 + 1e-9) best = std::min(best, moves);
  }
  return best;
}

}  // namespace

TEST_CASE("Rebalance: weights and zones", "[cluster][placement]") {
  // Weights 1, 1, 2, 1 in zones a, b, c, a; then 2 more in b. No zone is full.
  for (std::uint64_t seed = 0; seed < 15; ++seed) {
    INFO("seed " << seed);
    PaperCluster cluster(seed);
    cluster.add_node(0, 1, "a");
    cluster.add_node(1, 1, "b");
    cluster.add_node(2, 2, "c");
    cluster.add_node(3, 1, "a");
    cluster.create("docs", 64, 2);
    CHECK(cluster.plan().empty());
    cluster.add_node(4, 2, "b");
    std::vector<double> shares;
    std::vector<std::uint64_t> held;
    for (std::uint64_t i = 0; i < 5; ++i) {
      shares.push_back(128.0 * (i == 2 || i == 4 ? 2.0 : 1.0) / 7.0);
      held.push_back(cluster.held_by(i));
    }
    const auto plan = cluster.plan();
    CHECK(plan.moves.size() == fewest_weighted(shares, held));
    cluster.carry_out(plan);
    cluster.check_complete();
    CHECK(cluster.zone_max() == 1);
    CHECK(cluster.plan().empty());
    for (std::uint64_t i = 0; i < 5; ++i) {
      CHECK(static_cast<double>(cluster.held_by(i)) / shares[i] <= 1.05);
    }
  }
}

TEST_CASE("Rebalance: copies that would fail together are parted", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_node(0, 1, "a");
  cluster.add_node(1, 1, "a");
  cluster.add_node(2, 1, "b");
  cluster.store(cluster.spec("docs", 2, 2), {{node_id(0), node_id(1)}, {node_id(2), node_id(0)}});
  const auto plan = cluster.plan();
  REQUIRE(plan.moves.size() >= 1);
  CHECK(plan.moves[0].reason == MoveReason::Spread);
  CHECK(plan.moves[0].to == node_id(2));
  cluster.carry_out(plan);
  CHECK(cluster.zone_max() == 1);
  CHECK(cluster.plan().empty());
}

TEST_CASE("Rebalance: two copies on one node are parted", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 2);
  cluster.store(cluster.spec("docs", 1, 2), {{node_id(0), node_id(0)}});
  const auto plan = cluster.plan();
  REQUIRE(plan.moves.size() == 1);
  CHECK(plan.moves[0].reason == MoveReason::Spread);
  cluster.carry_out(plan);
  cluster.check_complete();
}

TEST_CASE("Rebalance: any history ends balanced, and within limits on the way",
          "[cluster][placement]") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    INFO("seed " << seed);
    PaperCluster cluster(seed);
    std::uint64_t next = 5;
    std::set<std::uint64_t> nodes{0, 1, 2, 3, 4};
    const bool zones = seed % 2 == 1;
    const auto add = [&](std::uint64_t number) {
      cluster.add_node(number, 1.0, zones ? "z" + std::to_string(random() % 3) : "");
    };
    for (const auto number : nodes) add(number);
    for (int change = 0; change < 6; ++change) {
      const auto name = "c" + std::to_string(change);
      cluster.create(name, static_cast<std::uint32_t>(1 + random() % 20),
                     static_cast<std::uint32_t>(1 + random() % 3));
      if (random() % 2 == 0 || nodes.size() < 4) {
        nodes.insert(next);
        add(next++);
      } else {
        const auto leaver = *std::next(nodes.begin(), static_cast<int>(random() % nodes.size()));
        nodes.erase(leaver);
        cluster.set_state(leaver, NodeState::Draining);
      }
      // Piece by piece, as a careful operator would.
      const auto whole = cluster.plan();
      std::size_t moves = 0;
      for (;;) {
        const auto part = cluster.plan({7});
        REQUIRE(part.moves.size() <= 7);
        REQUIRE(part.unresolved.empty());
        if (part.empty()) break;
        moves += part.moves.size();
        REQUIRE(moves < 2000);
        cluster.carry_out(part);
      }
      CHECK(moves <= whole.moves.size());
      cluster.check_complete();
      if (!zones) CHECK(spread(cluster.copies()) <= 1);
      std::set<std::string> found;
      for (const auto number : nodes) {
        found.insert(cluster.view.nodes.at(node_id(number)).record.zone);
      }
      if (zones && found.size() == 3) CHECK(cluster.zone_max() == 1);
      CHECK(cluster.plan().empty());
    }
  }
}

TEST_CASE("Rebalance: moves left out are counted, the urgent ones kept", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 3);
  cluster.create("docs", 40, 2);
  cluster.add_node(4);
  cluster.set_state(0, NodeState::Draining);
  cluster.liveness.dead = {node_id(1)};
  const auto whole = cluster.plan();
  const auto part = cluster.plan({10});
  REQUIRE(part.moves.size() == 10);
  CHECK(part.moves_left_out == whole.moves.size() - 10);
  CHECK(std::equal(part.moves.begin(), part.moves.end(), whole.moves.begin()));
  CHECK(part.moves.front().reason == MoveReason::Refill);
  CHECK(std::is_sorted(whole.moves.begin(), whole.moves.end(),
                       [](const Move& a, const Move& b) { return a.reason < b.reason; }));
  CHECK(cluster.plan({0}).moves.empty());
}

TEST_CASE("Rebalance: the order in which things became known changes nothing",
          "[cluster][placement]") {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    PaperCluster cluster(seed);
    cluster.add_nodes(0, 4);
    for (int i = 0; i < 10; ++i) cluster.create("c" + std::to_string(i), 7, 2);
    cluster.add_nodes(5, 6);
    cluster.set_state(2, NodeState::Draining);
    const auto plan = cluster.plan();
    REQUIRE_FALSE(plan.moves.empty());
    auto shuffled = cluster.view;
    shuffled.nodes.clear();
    shuffled.collections.clear();
    std::vector<std::pair<NodeId, NodeView>> nodes(cluster.view.nodes.begin(),
                                                   cluster.view.nodes.end());
    std::vector<std::string> names;
    for (const auto& [name, collection] : cluster.view.collections) names.push_back(name);
    std::mt19937_64 random(seed);
    std::shuffle(nodes.begin(), nodes.end(), random);
    std::shuffle(names.begin(), names.end(), random);
    for (const auto& node : nodes) shuffled.nodes.insert(node);
    for (const auto& name : names) {
      shuffled.collections[name] =
          std::make_shared<CollectionView>(*cluster.view.find_collection(name));
    }
    const auto again = plan_rebalance(shuffled, cluster.liveness);
    REQUIRE(again.ok());
    CHECK(*again == plan);
    CHECK(again->plan_id() == plan.plan_id());
  }
}

TEST_CASE("Rebalance: a node that is down keeps what it has and its share",
          "[cluster][placement]") {
  PaperCluster cluster(2);
  cluster.add_nodes(0, 2);
  cluster.create("docs", 64, 2);
  cluster.add_node(3);
  cluster.liveness.down = {node_id(1)};
  const auto held = cluster.held_by(1);
  const auto first = cluster.plan();
  for (const auto& move : first.moves) {
    CHECK(*move.from != node_id(1));
    CHECK(move.to == node_id(3));
  }
  cluster.carry_out(first);
  CHECK(cluster.held_by(1) == held);
  CHECK(cluster.plan().moves.empty());
  cluster.liveness.down.clear();
  const auto second = cluster.plan();
  // Both together are what one plan would have been.
  CHECK(first.moves.size() + second.moves.size() == 32);
  cluster.carry_out(second);
  CHECK(spread(cluster.copies()) == 0);
}

TEST_CASE("Rebalance: one copy on a dead node cannot be made anew", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 2);
  cluster.create("docs", 9, 1);
  cluster.liveness.dead = {node_id(0)};
  const auto plan = cluster.plan();
  CHECK(plan.empty());
  REQUIRE(plan.unresolved.size() == 3);
  CHECK(plan.unresolved[0].why ==
        "no server with all of its writes can be reached, so nothing can be copied");
  // The others go on.
  cluster.add_node(5);
  CHECK(cluster.plan().moves.size() == 2);
}

TEST_CASE("Rebalance: too few nodes for the copies is said, not hidden", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 1);
  cluster.create("docs", 2, 2);
  cluster.liveness.dead = {node_id(0)};
  const auto plan = cluster.plan();
  CHECK(plan.moves.empty());
  REQUIRE(plan.unresolved.size() == 2);
  CHECK(plan.unresolved[1].shard == ShardId{1});
  CHECK(plan.unresolved[1].why ==
        "wants 2 copies on different nodes, but of active nodes there are 1");
  cluster.add_node(7);
  cluster.liveness.down = {node_id(7)};
  const auto waiting = cluster.plan();
  CHECK(waiting.moves.empty());
  REQUIRE(waiting.unresolved.size() == 2);
  CHECK(waiting.unresolved[0].why ==
        "a copy is missing, and no node that can be reached has room for it");
}

TEST_CASE("Rebalance: a drain that has nowhere to go is refused", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 1);
  cluster.create("docs", 4, 2);
  cluster.create("solo", 4, 1);
  cluster.set_state(1, NodeState::Draining);
  const auto two = plan_rebalance(cluster.view, cluster.liveness);
  REQUIRE_FALSE(two.ok());
  CHECK(two.error().code == ErrorCode::FailedPrecondition);
  CHECK(two.error().message ==
        "node \"n1\" cannot be drained: collection \"docs\" keeps 2 copies of each shard on "
        "different nodes, and 1 active would be left; add a node first");
  cluster.set_state(0, NodeState::Draining);
  const auto last = plan_rebalance(cluster.view, cluster.liveness);
  REQUIRE_FALSE(last.ok());
  CHECK(last.error().code == ErrorCode::FailedPrecondition);
  CHECK(last.error().message.find("there is nowhere to put the copies of node \"") == 0);
}

TEST_CASE("Rebalance: a drain waits for a node that is down", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 1);
  cluster.create("solo", 4, 1);
  cluster.set_state(1, NodeState::Draining);
  cluster.liveness.down = {node_id(0)};
  const auto plan = cluster.plan();
  CHECK(plan.empty());
  REQUIRE(plan.unresolved.size() == 2);
  CHECK(plan.unresolved[0].why ==
        "no node that can be reached has room for its copy on draining node \"n1\"");
}

TEST_CASE("Rebalance: a draining node without copies hinders nobody", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 0);
  CHECK(cluster.plan().empty());
  cluster.create("docs", 3, 1);
  cluster.add_node(1);
  cluster.set_state(1, NodeState::Draining);
  CHECK(cluster.plan().empty());
}

TEST_CASE("Rebalance: a shard on the move is left alone", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 0);
  cluster.create("docs", 4, 1);
  cluster.add_node(1);
  auto& state = cluster.shard("docs", ShardId{2});
  state.copies[{paper_id("extra", 1)}] = {node_id(1), CopyState::New};
  const auto plan = cluster.plan();
  REQUIRE(plan.unresolved.size() == 1);
  CHECK(plan.unresolved[0].why == "is on the move: it has 2 copies instead of 1");
  for (const auto& move : plan.moves) CHECK(move.shard != ShardId{2});
}

TEST_CASE("Rebalance: a copy that is being filled fills the hole and stays",
          "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 2);
  cluster.store(cluster.spec("docs", 2, 2), {{node_id(0), node_id(1)}, {node_id(0), node_id(2)}});
  auto& state = cluster.shard("docs", ShardId{0});
  const auto copy = *PaperCluster::copy_at(state, node_id(1));
  state.copies[copy].state = CopyState::New;
  std::erase(state.in_sync, copy);
  const auto plan = cluster.plan();
  CHECK(plan.moves.empty());
  for (const auto& swap : plan.role_swaps) CHECK(swap.shard == ShardId{1});
}

TEST_CASE("Rebalance: primaries even out without moving data", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 2);
  // Node 0 leads all of shards it shares with 1, node 1 those with 2: a role goes on over node 1.
  std::vector<std::vector<NodeId>> placement;
  for (int i = 0; i < 6; ++i) placement.push_back({node_id(0), node_id(1)});
  for (int i = 0; i < 3; ++i) placement.push_back({node_id(1), node_id(2)});
  for (int i = 0; i < 3; ++i) placement.push_back({node_id(2), node_id(0)});
  cluster.store(cluster.spec("docs", 12, 2), placement);
  CHECK(cluster.primaries()[node_id(0)] == 6);
  const auto plan = cluster.plan();
  cluster.carry_out(plan);
  CHECK(spread(cluster.primaries()) == 0);
  CHECK(cluster.plan().empty());
}

TEST_CASE("Rebalance: only copies in sync become primary", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 1);
  cluster.store(cluster.spec("docs", 4, 2),
                std::vector<std::vector<NodeId>>(4, {node_id(0), node_id(1)}));
  for (std::uint32_t i = 0; i < 4; ++i) {
    auto& state = cluster.shard("docs", ShardId{i});
    std::erase(state.in_sync, *PaperCluster::copy_at(state, node_id(1)));
  }
  CHECK(cluster.plan().empty());
}
