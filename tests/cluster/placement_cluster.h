#pragma once

// A cluster on paper: servers, collections, and plans that are carried out by the letter.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/placement/placement_policy.h"
#include "cluster/placement/rebalance_planner.h"
#include "cluster/placement/slots.h"
#include "core/text.h"

namespace quiver::cluster {

/// 32 digits whose order has nothing to do with that of the numbers.
inline std::string paper_id(const std::string& kind, std::uint64_t number) {
  char text[33];
  const auto seed = kind + std::to_string(number);
  std::snprintf(text, sizeof text, "%016llx%016llx",
                static_cast<unsigned long long>(stable_hash(seed)),
                static_cast<unsigned long long>(stable_hash(seed + "'")));
  return text;
}

inline NodeId node_id(std::uint64_t number) {
  return {paper_id("node", number)};
}

class PaperCluster {
 public:
  /// `seed` decides the ids of the collections, hence where jump hash wants their shards.
  explicit PaperCluster(std::uint64_t seed = 0) : seed_(seed) { view.epoch = 1; }

  void add_node(std::uint64_t number, double weight = 1.0, std::string zone = {}) {
    NodeView node;
    node.record.id = node_id(number);
    node.record.label = "n" + std::to_string(number);
    node.record.weight = weight;
    node.record.zone = std::move(zone);
    node.record.state = NodeState::Active;
    node.alive = AliveRecord{paper_id("life", number), 1, {}};
    view.nodes.insert_or_assign(node.record.id, node);
    auto slots = with_slot(view.slots, node.record.id);
    REQUIRE(slots.ok());
    view.slots = *slots;
    ++view.epoch;
  }

  void add_nodes(std::uint64_t first, std::uint64_t last) {
    for (auto number = first; number <= last; ++number) add_node(number);
  }

  void set_state(std::uint64_t number, NodeState state) {
    view.nodes.at(node_id(number)).record.state = state;
    if (state == NodeState::Removed) {
      auto slots = without_slot(view.slots, node_id(number));
      REQUIRE(slots.ok());
      view.slots = *slots;
    }
    ++view.epoch;
  }

  CollectionSpec spec(const std::string& name, std::uint32_t shards, std::uint32_t copies) const {
    CollectionSpec out;
    out.id = paper_id("collection" + name, seed_);
    out.name = name;
    out.dimension = 4;
    out.shard_count = shards;
    out.replication_factor = copies;
    return out;
  }

  void create(const std::string& name, std::uint32_t shards, std::uint32_t copies) {
    const auto made = spec(name, shards, copies);
    auto placement = place(view, made, liveness);
    INFO((placement.ok() ? "" : placement.error().message));
    REQUIRE(placement.ok());
    REQUIRE(placement->size() == shards);
    store(made, *placement);
  }

  void store(const CollectionSpec& made, const std::vector<std::vector<NodeId>>& placement) {
    auto collection = std::make_shared<CollectionView>();
    collection->spec = made;
    for (const auto& nodes : placement) {
      ShardState state;
      for (const auto& node : nodes) {
        const auto copy = draw_copy();
        if (state.primary.empty()) state.primary = copy;
        state.copies[copy] = {node, CopyState::Active};
        state.in_sync.push_back(copy);
      }
      std::sort(state.in_sync.begin(), state.in_sync.end());
      collection->shards.push_back(std::move(state));
    }
    view.collections_by_id.insert_or_assign(made.id, collection);
    view.collections.insert_or_assign(made.name, std::move(collection));
    ++view.epoch;
  }

  Plan plan(PlanOptions options = {}) const {
    auto made = plan_rebalance(view, liveness, options);
    INFO((made.ok() ? "" : made.error().message));
    REQUIRE(made.ok());
    return *made;
  }

  void carry_out(const Plan& plan) {
    for (const auto& move : plan.moves) carry_out(move);
    for (const auto& swap : plan.role_swaps) {
      auto& state = shard(swap.collection, swap.shard);
      REQUIRE(*state.primary_node() == swap.from);
      const auto copy = copy_at(state, swap.to);
      REQUIRE(copy.has_value());
      REQUIRE(std::binary_search(state.in_sync.begin(), state.in_sync.end(), *copy));
      state.primary = *copy;
    }
    ++view.epoch;
  }

  void carry_out(const Move& move) {
    auto& state = shard(move.collection, move.shard);
    REQUIRE_FALSE(copy_at(state, move.to).has_value());
    const auto& target = view.nodes.at(move.to).record;
    REQUIRE(target.state == NodeState::Active);
    REQUIRE_FALSE(liveness.down.contains(move.to));
    const auto fresh = draw_copy();
    state.copies[fresh] = {move.to, CopyState::Active};
    if (move.copy) {
      REQUIRE(state.copies.at(*move.copy).node == *move.from);
      state.copies.erase(*move.copy);
      if (state.primary == *move.copy) state.primary = fresh;
      std::erase(state.in_sync, *move.copy);
    }
    state.in_sync.push_back(fresh);
    std::sort(state.in_sync.begin(), state.in_sync.end());
  }

  /// The state of a shard, for changing it: until the next call.
  ShardState& shard(const std::string& collection, ShardId number) {
    auto copy = std::make_shared<CollectionView>(*view.collections.at(collection));
    auto& state = copy->shards.at(raw(number));
    view.collections_by_id[copy->spec.id] = copy;
    view.collections[collection] = std::move(copy);
    return state;
  }

  static std::optional<CopyId> copy_at(const ShardState& state, const NodeId& node) {
    for (const auto& [copy, place] : state.copies) {
      if (place.node == node) return copy;
    }
    return std::nullopt;
  }

  template <typename Visit>
  void each_shard(Visit visit) const {
    for (const auto& [name, collection] : view.collections) {
      for (const auto& state : collection->shards) visit(*collection, state);
    }
  }

  /// Every shard has all of its copies, each on an active server of its own.
  void check_complete() const {
    bool complete = true;
    each_shard([&](const CollectionView& collection, const ShardState& state) {
      std::set<NodeId> nodes;
      for (const auto& [copy, place] : state.copies) {
        nodes.insert(place.node);
        const auto& record = view.nodes.at(place.node).record;
        complete =
            complete && record.state == NodeState::Active && !liveness.dead.contains(place.node);
      }
      complete = complete && nodes.size() == collection.spec.replication_factor &&
                 state.copies.size() == nodes.size();
    });
    REQUIRE(complete);
  }

  /// Most copies of one shard in one zone.
  std::size_t zone_max() const {
    std::size_t most = 0;
    each_shard([&](const CollectionView&, const ShardState& state) {
      std::map<std::string, std::size_t> zones;
      for (const auto& [copy, place] : state.copies) {
        const auto& zone = view.nodes.at(place.node).record.zone;
        most = std::max(most, ++zones[zone.empty() ? place.node.text : zone]);
      }
    });
    return most;
  }

  /// By active server, also those that hold nothing.
  std::map<NodeId, std::uint64_t> copies(const std::string& only = {}) const {
    auto out = zeroes();
    each_shard([&](const CollectionView& collection, const ShardState& state) {
      if (!only.empty() && collection.spec.name != only) return;
      for (const auto& [copy, place] : state.copies) ++out[place.node];
    });
    return out;
  }

  std::map<NodeId, std::uint64_t> primaries() const {
    auto out = zeroes();
    each_shard(
        [&](const CollectionView&, const ShardState& state) { ++out[*state.primary_node()]; });
    return out;
  }

  std::uint64_t held_by(std::uint64_t number) const { return copies()[node_id(number)]; }

  ClusterView view;
  Liveness liveness;

 private:
  CopyId draw_copy() { return {paper_id("copy", ++copies_drawn_ + (seed_ << 24U))}; }

  std::map<NodeId, std::uint64_t> zeroes() const {
    std::map<NodeId, std::uint64_t> out;
    for (const auto& [id, node] : view.nodes) {
      if (node.record.state == NodeState::Active && !liveness.dead.contains(id)) out[id] = 0;
    }
    return out;
  }

  std::uint64_t seed_;
  std::uint64_t copies_drawn_ = 0;
};

inline std::uint64_t spread(const std::map<NodeId, std::uint64_t>& counts) {
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  for (const auto& [node, count] : counts) {
    least = std::min(least, count);
    most = std::max(most, count);
  }
  return most - least;
}

inline double max_over_mean(const std::map<NodeId, std::uint64_t>& counts) {
  double sum = 0.0;
  double most = 0.0;
  for (const auto& [node, count] : counts) {
    sum += static_cast<double>(count);
    most = std::max(most, static_cast<double>(count));
  }
  return most / (sum / static_cast<double>(counts.size()));
}

}  // namespace quiver::cluster
