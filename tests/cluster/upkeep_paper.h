#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/upkeep/upkeep_planner.h"
#include "tests/cluster/placement_cluster.h"

namespace quiver::cluster::testing {

using namespace std::chrono_literals;

/// One planner over a cluster on paper, whose servers answer for their copies.
class UpkeepPaper {
 public:
  UpkeepPaper() : planner({}) {}
  explicit UpkeepPaper(const UpkeepOptions& options) : planner(options) {}

  /// Stores shard 0, 1... of `docs`; the first server of each is its primary.
  void store(std::uint32_t copies, const std::vector<std::vector<std::uint64_t>>& servers) {
    std::vector<std::vector<NodeId>> placement;
    for (const auto& shard : servers) {
      auto& nodes = placement.emplace_back();
      for (const auto server : shard) nodes.push_back(node_id(server));
    }
    const auto shards = static_cast<std::uint32_t>(servers.size());
    cluster.store(cluster.spec("docs", shards, copies), placement);
  }

  ShardState& shard(std::uint32_t number = 0) { return cluster.shard("docs", ShardId{number}); }
  CopyId copy(std::uint64_t server, std::uint32_t number = 0) {
    return PaperCluster::copy_at(shard(number), node_id(server)).value();
  }
  void out_of_sync(std::uint64_t server, std::uint32_t number = 0) {
    const auto gone = copy(server, number);
    std::erase(shard(number).in_sync, gone);
  }
  void in_sync(const std::vector<std::uint64_t>& servers, std::uint32_t number = 0) {
    std::vector<CopyId> copies;
    for (const auto server : servers) copies.push_back(copy(server, number));
    in_sync(std::move(copies), number);
  }
  void in_sync(std::vector<CopyId> copies, std::uint32_t number = 0) {
    std::sort(copies.begin(), copies.end());
    auto& state = shard(number);
    for (const auto& one : copies) state.copies.at(one).state = CopyState::Active;
    state.in_sync = std::move(copies);
  }
  void down(std::uint64_t server) { cluster.liveness.down.insert(node_id(server)); }
  void up(std::uint64_t server) { cluster.liveness.down.erase(node_id(server)); }
  /// What a server says of its copy, in place of that it works.
  void says(std::uint64_t server, const thrift::CopyPosition& position, std::uint32_t number = 0) {
    said[copy(server, number)] = position;
  }

  CopyReports reports() const {
    CopyReports out;
    for (const auto& [node, copies] :
         UpkeepPlanner::positions_wanted(cluster.view, cluster.liveness)) {
      if (silent.contains(node)) continue;
      for (const auto& one : copies) {
        thrift::CopyPosition works;
        works.last = {Term{1}, Seq{10}};
        const auto known = said.find(one.copy);
        out.emplace(one.copy, known == said.end() ? works : known->second);
      }
    }
    return out;
  }

  UpkeepPlan plan(std::chrono::milliseconds later = 0ms) {
    now += later;
    const auto told = reports();
    const std::function<CopyId()> draw = [this] { return CopyId{paper_id("fresh", ++drawn)}; };
    return planner.plan({cluster.view, cluster.liveness, told, moves, now, replaces, draw});
  }
  /// The only change of a plan.
  ShardChange one(std::chrono::milliseconds later = 0ms) {
    auto made = plan(later);
    REQUIRE(made.changes.size() == 1);
    return made.changes.front();
  }
  void nothing(std::chrono::milliseconds later = 0ms) {
    const auto made = plan(later);
    for (const auto& change : made.changes) {
      FAIL(name(change.kind) << " of shard " << raw(change.shard.shard) << " to "
                             << cluster.view.nodes.at(change.node).record.label << ": "
                             << change.why);
    }
  }
  void write(const ShardChange& change) {
    auto& state = cluster.shard(change.collection, change.shard.shard);
    REQUIRE(state == change.from);
    state = change.to.value();
  }

  PaperCluster cluster;
  UpkeepPlanner planner;
  std::map<ShardName, Move> moves;
  std::map<CopyId, thrift::CopyPosition> said;
  /// Servers that are up and do not answer.
  std::set<NodeId> silent;
  replication::Time now = replication::Time() + 1h;
  bool replaces = true;
  std::uint64_t drawn = 0;
};

}  // namespace quiver::cluster::testing
