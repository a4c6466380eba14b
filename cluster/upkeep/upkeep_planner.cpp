#include "cluster/upkeep/upkeep_planner.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "cluster/placement/rebalance_planner.h"

namespace quiver::cluster {
namespace {

/// The view with other records of some shards.
ClusterView with_records(const ClusterView& view, const std::map<ShardName, ShardState>& records) {
  std::map<std::string, std::shared_ptr<CollectionView>> changed;
  for (const auto& [shard, record] : records) {
    auto& collection = changed[shard.collection_id];
    if (!collection) {
      collection =
          std::make_shared<CollectionView>(*view.collections_by_id.at(shard.collection_id));
    }
    collection->shards[raw(shard.shard)] = record;
  }
  ClusterView out = view;
  for (auto& [id, collection] : changed) {
    out.collections.at(collection->spec.name) = collection;
    out.collections_by_id.at(id) = std::move(collection);
  }
  return out;
}

/// What is missing somewhere must not wait for a drain that has nowhere to go.
Result<Plan> plan_places(ClusterView view, const Liveness& liveness) {
  auto plan = plan_rebalance(view, liveness);
  if (plan.ok() || plan.error().code != ErrorCode::FailedPrecondition) return plan;
  for (auto& entry : view.nodes) {
    auto& state = entry.second.record.state;
    // Keeps what it has and gets nothing.
    if (state == NodeState::Draining) state = NodeState::Joining;
  }
  return plan_rebalance(view, liveness);
}

}  // namespace

/// The decisions of one round.
class UpkeepPlanner::Round {
 public:
  Round(const UpkeepOptions& options, const Sightings& sightings, const UpkeepRound& round)
      : options_(options),
        sightings_(sightings),
        round_(round),
        liveness_{round.liveness.down, sightings.dead(options.replace_after)},
        facts_{round.view, liveness_, round.reports, failed_, primaries_, copies_} {}

  UpkeepPlan plan() {
    count();
    for (const auto& [unused, collection] : round_.view.collections) {
      if (!has_several_copies(*collection)) continue;
      for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
        look_after(*collection, ShardId{i});
      }
    }
    if (round_.replaces) fill_holes();
    if (plan_.changes.empty() && settled_ && round_.moves.empty()) swap_roles();
    auto& changes = plan_.changes;
    std::stable_sort(changes.begin(), changes.end(), [](const auto& a, const auto& b) {
      return (a.kind == ShardChange::Kind::Promote) > (b.kind == ShardChange::Kind::Promote);
    });
    if (changes.size() > options_.changes_max) {
      changes.erase(changes.begin() + static_cast<std::ptrdiff_t>(options_.changes_max),
                    changes.end());
    }
    return std::move(plan_);
  }

 private:
  void count() {
    for (const auto& [copy, report] : round_.reports) {
      if (report.condition == thrift::CopyCondition::Works) continue;
      if (sightings_.has_failed(copy, options_.replace_after)) failed_.insert(copy);
    }
    for (const auto& [unused, collection] : round_.view.collections) {
      for (const auto& state : collection->shards) count(*collection, state);
    }
  }

  void count(const CollectionView& collection, const ShardState& state) {
    for (const auto& [copy, place] : state.copies) {
      ++copies_[place.node];
      if (copy == state.primary) ++primaries_[place.node];
      const auto report = round_.reports.find(copy);
      if (report != round_.reports.end() &&
          report->second.condition == thrift::CopyCondition::Failed) {
        failing_.insert(place.node);
      }
      if (!has_several_copies(collection) || place.state != CopyState::New) continue;
      ++filling_[place.node];
      ++filled_from_[*state.primary_node()];
    }
  }

  const Move* move_of(const ShardName& shard) const {
    const auto found = round_.moves.find(shard);
    return found == round_.moves.end() ? nullptr : &found->second;
  }

  ShardUpkeep upkeep_of(const CollectionView& collection, ShardId shard) const {
    const auto* const move = move_of({collection.spec.id, shard});
    return {facts_, collection, shard, move == nullptr ? std::nullopt : move->copy};
  }

  void look_after(const CollectionView& collection, ShardId number) {
    const auto shard = upkeep_of(collection, number);
    settled_ = settled_ && shard.settled();
    if (auto promoted = shard.promotion()) return plan_.changes.push_back(std::move(*promoted));
    if (auto why = shard.stuck(); !why.empty()) {
      plan_.unresolved.push_back({collection.spec.name, number, std::move(why)});
      return;
    }
    // Without a primary nothing is filled, and what it has may be needed.
    if (!shard.led() || !round_.replaces) return;
    if (auto gone = shard.removal()) return plan_.changes.push_back(std::move(*gone));
    if (shard.holes() == 0) return;
    const ShardName name{collection.spec.id, number};
    holes_.push_back({name, &collection, shard.holes()});
    lacking_.emplace(name, shard.for_planner());
  }

  void fill_holes() {
    if (holes_.empty()) return;
    auto liveness = liveness_;
    // What one copy's disk does to it, another's would.
    liveness.down.insert(failing_.begin(), failing_.end());
    const auto places = plan_places(with_records(round_.view, std::move(lacking_)), liveness);
    std::map<ShardName, const Move*> planned;
    if (places.ok()) {
      for (const auto& move : places->moves) {
        if (move.reason != MoveReason::Refill && move.reason != MoveReason::Drain) continue;
        planned.emplace(ShardName{move.collection_id, move.shard}, &move);
      }
    }
    for (const auto& hole : holes_) {
      const auto found = planned.find(hole.shard);
      const auto* const place = place_for(hole, found == planned.end() ? nullptr : found->second);
      if (place != nullptr) {
        add(hole, *place);
        continue;
      }
      plan_.unresolved.push_back(
          {hole.collection->spec.name, hole.shard.shard,
           places.ok() ? "no node that can be reached has room for another copy of it"
                       : places.error().message});
    }
  }

  struct Hole {
    ShardName shard;
    const CollectionView* collection = nullptr;
    std::uint64_t copies = 0;

    const ShardState& record() const { return collection->shards[raw(shard.shard)]; }
    bool has_copy_at(const NodeId& node) const {
      const auto& all = record().copies;
      return std::any_of(all.begin(), all.end(),
                         [&](const auto& one) { return one.second.node == node; });
    }
  };

  const NodeId* place_for(const Hole& hole, const Move* planned) const {
    const auto* const asked = move_of(hole.shard);
    if (asked != nullptr) {
      if (can_go_to(asked->to, hole)) return &asked->to;
      // It lacks nothing but what the move would give up.
      if (hole.copies == 1 && !hole.has_copy_at(asked->to)) return nullptr;
    }
    if (planned != nullptr && can_go_to(planned->to, hole)) return &planned->to;
    return asked == nullptr ? nullptr : place_beside_leavers(hole);
  }

  bool can_go_to(const NodeId& node, const Hole& hole) const {
    const auto* const known = round_.view.find_node(node);
    if (known == nullptr || known->record.state != NodeState::Active) return false;
    if (liveness_.down.contains(node) || liveness_.dead.contains(node)) return false;
    return !hole.has_copy_at(node);
  }

  /// For a shard with a copy that a move gives up, which the planner does not know of: where it is
  /// no other can be. The server with the fewest copies, in a zone of its own if there is one.
  const NodeId* place_beside_leavers(const Hole& hole) const {
    std::set<std::string> zones;
    for (const auto& [unused, place] : hole.record().copies) {
      const auto* const node = round_.view.find_node(place.node);
      if (node != nullptr && !node->record.zone.empty()) zones.insert(node->record.zone);
    }
    const NodeId* best = nullptr;
    std::pair<bool, std::uint64_t> best_rank;
    for (const auto& [id, node] : round_.view.nodes) {
      if (!can_go_to(id, hole) || failing_.contains(id)) continue;
      const auto held = copies_.find(id);
      const std::pair rank{zones.contains(node.record.zone),
                           held == copies_.end() ? std::uint64_t{0} : held->second};
      if (best != nullptr && !(rank < best_rank)) continue;
      best = &id;
      best_rank = rank;
    }
    return best;
  }

  void add(const Hole& hole, const NodeId& node) {
    auto& target = filling_[node];
    auto& source = filled_from_[*hole.record().primary_node()];
    if (target >= options_.filling_max || source >= options_.filling_max) return;
    ++target;
    ++source;
    plan_.changes.push_back(upkeep_of(*hole.collection, hole.shard.shard)
                                .add(round_.draw(), node, "the shard has too few copies"));
  }

  void swap_roles() {
    if (!sightings_.calm(options_.calm_before_swaps)) return;
    const auto swaps = plan_rebalance(round_.view, liveness_, {0});
    if (!swaps.ok()) return;
    for (const auto& swap : swaps->role_swaps) {
      if (plan_.changes.size() == options_.swaps_max) return;
      const auto& collection = *round_.view.collections_by_id.at(swap.collection_id);
      auto asked = upkeep_of(collection, swap.shard).hand_off_to(swap.to, "primaries spread");
      if (asked) plan_.changes.push_back(std::move(*asked));
    }
  }

  const UpkeepOptions& options_;
  const Sightings& sightings_;
  const UpkeepRound& round_;
  const Liveness liveness_;
  std::set<CopyId> failed_;
  /// Servers with a copy that has failed.
  std::set<NodeId> failing_;
  std::map<NodeId, std::uint64_t> primaries_;
  std::map<NodeId, std::uint64_t> copies_;
  /// By server: new copies there, and new copies of shards that it leads.
  std::map<NodeId, std::size_t> filling_;
  std::map<NodeId, std::size_t> filled_from_;
  const UpkeepFacts facts_;
  std::vector<Hole> holes_;
  std::map<ShardName, ShardState> lacking_;
  bool settled_ = true;
  UpkeepPlan plan_;
};

std::map<NodeId, std::vector<thrift::CopyName>> UpkeepPlanner::positions_wanted(
    const ClusterView& view, const Liveness& liveness) {
  std::map<NodeId, std::vector<thrift::CopyName>> out;
  for (const auto& [id, collection] : view.collections_by_id) {
    if (!has_several_copies(*collection)) continue;
    for (std::uint32_t i = 0; i < collection->shards.size(); ++i) {
      for (const auto& [copy, place] : collection->shards[i].copies) {
        const auto* const node = view.find_node(place.node);
        if (node == nullptr || node->record.state == NodeState::Removed) continue;
        if (liveness.down.contains(place.node) || liveness.dead.contains(place.node)) continue;
        out[place.node].push_back({id, ShardId{i}, copy});
      }
    }
  }
  return out;
}

UpkeepPlan UpkeepPlanner::plan(const UpkeepRound& round) {
  sightings_.note(round.liveness, round.reports, round.now);
  return Round(options_, sightings_, round).plan();
}

}  // namespace quiver::cluster
