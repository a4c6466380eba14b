#include "cluster/placement/rebalance_planner.h"

#include <algorithm>
#include <string>
#include <utility>

#include "cluster/placement/balancer.h"
#include "cluster/placement/roles.h"

namespace quiver::cluster {
namespace {

/// Refuses to empty a server whose copies nobody else could take.
Status check_drains(const ClusterView& view, const Layout& layout) {
  const auto active = std::count_if(layout.members.begin(), layout.members.end(),
                                    [](const Member& member) { return member.counts; });
  for (const auto& shard : layout.shards) {
    for (const auto& copy : shard.copies) {
      if (copy.origin == kNowhere || !layout.members[copy.origin].draining) continue;
      const auto label = layout.members[copy.origin].name();
      const auto& name = layout.collections[shard.collection].name;
      const auto wanted = view.find_collection(name)->spec.replication_factor;
      if (active >= static_cast<std::ptrdiff_t>(wanted)) continue;
      if (active == 0) {
        return Error{ErrorCode::FailedPrecondition,
                     "there is nowhere to put the copies of node \"" + label +
                         "\": it drains, and no other node is active; add a node, or cancel its "
                         "removal"};
      }
      return Error{ErrorCode::FailedPrecondition,
                   "node \"" + label + "\" cannot be drained: collection \"" + name + "\" keeps " +
                       std::to_string(wanted) + " copies of each shard on different nodes, and " +
                       std::to_string(active) + " active would be left; add a node first"};
    }
  }
  return Done{};
}

/// The steps that lead from where the copies of a shard are to where they should be.
///
/// A target goes to a copy of the same zone if there is one: then no zone is ever fuller than
/// before or after, in whichever order the moves are carried out.
class ShardSteps {
 public:
  ShardSteps(const Layout& layout, ShardLayout& shard) : layout_(layout), shard_(shard) {
    for (std::size_t i = 0; i < shard.copies.size(); ++i) {
      const auto& copy = shard.copies[i];
      if (copy.at == kNowhere || copy.at == copy.origin) continue;
      movers_.push_back(i);
      targets_.push_back(copy.at);
    }
    std::sort(targets_.begin(), targets_.end());
    pair([&](std::size_t mover, std::size_t target) { return origin(mover) == target; });
    pair([&](std::size_t mover, std::size_t target) {
      return origin(mover) != kNowhere && zone(origin(mover)) == zone(target);
    });
    pair([](std::size_t, std::size_t) { return true; });
  }

 private:
  std::size_t origin(std::size_t mover) const { return shard_.copies[mover].origin; }
  std::size_t zone(std::size_t member) const { return layout_.members[member].seat.zone; }

  template <typename Match>
  void pair(Match match) {
    std::erase_if(movers_, [&](std::size_t mover) {
      const auto found = std::find_if(targets_.begin(), targets_.end(),
                                      [&](std::size_t target) { return match(mover, target); });
      if (found == targets_.end()) return false;
      shard_.copies[mover].at = *found;
      targets_.erase(found);
      return true;
    });
  }

  const Layout& layout_;
  ShardLayout& shard_;
  std::vector<std::size_t> movers_;
  std::vector<std::size_t> targets_;
};

struct Step {
  std::size_t shard = 0;
  std::size_t copy = 0;
  Move move;
};

class Planner {
 public:
  Planner(Layout layout, Plan plan) : layout_(std::move(layout)), plan_(std::move(plan)) {}

  Plan plan(const SlotList& slots, const PlanOptions& options) {
    Balancer balancer(layout_, slots);
    balancer.place_homeless();
    balancer.part_neighbours();
    balancer.even_out();
    auto steps = steps_in_order();
    if (steps.size() > options.moves_max) {
      plan_.moves_left_out = steps.size() - options.moves_max;
      steps.erase(steps.begin() + static_cast<std::ptrdiff_t>(options.moves_max), steps.end());
    }
    swap_roles(steps);
    for (auto& step : steps) plan_.moves.push_back(std::move(step.move));
    return std::move(plan_);
  }

 private:
  std::vector<Step> steps_in_order() {
    std::vector<Step> steps;
    for (std::size_t i = 0; i < layout_.shards.size(); ++i) {
      auto& shard = layout_.shards[i];
      if (shard.fixed()) continue;
      const ShardSteps rearranged(layout_, shard);
      std::size_t lost = 0;
      for (std::size_t j = 0; j < shard.copies.size(); ++j) {
        const auto& copy = shard.copies[j];
        if (copy.at == kNowhere) {
          report(shard, copy);
        } else if (copy.at != copy.origin) {
          steps.push_back({i, j, move_of(shard, copy, lost)});
        }
      }
    }
    std::stable_sort(steps.begin(), steps.end(),
                     [](const Step& a, const Step& b) { return a.move.reason < b.move.reason; });
    return steps;
  }

  void report(const ShardLayout& shard, const CopyLayout& copy) {
    plan_.unresolved.push_back(
        {layout_.collections[shard.collection].name, shard.shard,
         copy.origin == kNowhere
             ? "a copy is missing, and no node that can be reached has room for it"
             : "no node that can be reached has room for its copy on draining node \"" +
                   layout_.members[copy.origin].name() + '"'});
  }

  Move move_of(const ShardLayout& shard, const CopyLayout& copy, std::size_t& lost) const {
    const auto& collection = layout_.collections[shard.collection];
    Move move;
    move.collection = collection.name;
    move.collection_id = collection.id;
    move.shard = shard.shard;
    move.to = layout_.members[copy.at].id;
    move.reason = copy.reason;
    if (copy.id) {
      move.copy = copy.id;
      move.from = layout_.members[copy.origin].id;
    } else if (lost < shard.lost.size()) {
      move.copy = shard.lost[lost].id;
      move.from = shard.lost[lost].node;
      ++lost;
    }
    return move;
  }

  void swap_roles(const std::vector<Step>& steps) {
    after_.clear();
    for (auto& shard : layout_.shards) {
      auto& places = after_.emplace_back();
      for (const auto& copy : shard.copies) places.push_back(copy.origin);
    }
    for (const auto& step : steps) {
      auto& copy = layout_.shards[step.shard].copies[step.copy];
      after_[step.shard][step.copy] = copy.at;
      copy.in_sync = true;
    }
    std::vector<ShardRole> roles;
    std::vector<std::size_t> shards;
    for (std::size_t i = 0; i < layout_.shards.size(); ++i) {
      const auto& shard = layout_.shards[i];
      if (shard.primary == kNowhere) continue;
      roles.push_back({shard.collection, after_[i][shard.primary], candidates(i)});
      shards.push_back(i);
    }
    balance_roles(roles, role_shares(layout_));
    for (std::size_t i = 0; i < roles.size(); ++i) {
      const auto& shard = layout_.shards[shards[i]];
      const auto before = after_[shards[i]][shard.primary];
      if (roles[i].primary == before) continue;
      const auto& collection = layout_.collections[shard.collection];
      plan_.role_swaps.push_back({collection.name, collection.id, shard.shard,
                                  layout_.members[before].id,
                                  layout_.members[roles[i].primary].id});
    }
  }

  /// Members that the primary role could be passed to.
  std::vector<std::size_t> candidates(std::size_t index) const {
    const auto& shard = layout_.shards[index];
    const auto& places = after_[index];
    std::vector<std::size_t> out;
    if (shard.fixed() || !layout_.members[places[shard.primary]].up) return out;
    for (std::size_t i = 0; i < shard.copies.size(); ++i) {
      if (i == shard.primary || places[i] == kNowhere || !shard.copies[i].in_sync) continue;
      if (layout_.members[places[i]].takes()) out.push_back(places[i]);
    }
    return out;
  }

  Layout layout_;
  Plan plan_;
  /// By shard and copy: the member once the steps are done, when those that moved are in sync.
  std::vector<std::vector<std::size_t>> after_;
};

}  // namespace

Result<Plan> plan_rebalance(const ClusterView& view, const Liveness& liveness,
                            const PlanOptions& options) {
  Plan plan;
  plan.epoch = view.epoch;
  auto layout = layout_of(view, liveness, plan.unresolved);
  QV_CHECK(check_drains(view, layout));
  return Planner(std::move(layout), std::move(plan)).plan(view.slots, options);
}

}  // namespace quiver::cluster
