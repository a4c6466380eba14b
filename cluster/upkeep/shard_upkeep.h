#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/placement/plan.h"
#include "cluster/upkeep/shard_change.h"
#include "cluster/upkeep/sightings.h"
#include "cluster/view/cluster_view.h"

namespace quiver::cluster {

/// What all decisions of one round rest on. Borrows all of it.
struct UpkeepFacts {
  const ClusterView& view;
  /// Of those in `dead` the copies are to be made anew.
  const Liveness& liveness;
  const CopyReports& reports;
  /// Copies that failed so long ago that they count as lost.
  const std::set<CopyId>& failed;
  /// By server: copies that it leads. For choosing between equals.
  const std::map<NodeId, std::uint64_t>& primaries;
  const std::map<NodeId, std::uint64_t>& copies;
};

/// What is to become of one shard's copies.
///
///     stay      those that the shard counts on: as many as the collection wants, in the end
///     leaving   those that go once enough others are in sync: their server drains, or a move
///     lost      those that will not come back
///
/// Decides one thing at a time, from the record alone: what was done before shows in it, so
/// whoever decides next, with the same facts, goes on where the last one ended.
///
/// Pure.
class ShardUpkeep {
 public:
  /// `moved`: the copy that a move gives up.
  ShardUpkeep(const UpkeepFacts& facts, const CollectionView& collection, ShardId shard,
              std::optional<CopyId> moved);

  /// Another primary, if this one's server is down or its copy failed, no copy in sync hears it,
  /// and one that is in sync answers.
  std::optional<ShardChange> promotion() const;
  /// Why there is no primary that works, and none to promote; empty otherwise.
  std::string stuck() const;
  /// Whether the primary's server answers for it: else nothing but promotion() is of use.
  bool led() const;
  /// Copies that it lacks.
  std::uint64_t holes() const;
  /// Whether all of its copies are in sync and work, and none is to go.
  bool settled() const;
  /// One more copy.
  ShardChange add(const CopyId& fresh, const NodeId& node, std::string why) const;
  /// The next copy that goes, or the step that lets one go.
  std::optional<ShardChange> removal() const;
  /// The role of the primary for the copy at `node`, if that is ready.
  std::optional<ShardChange> hand_off_to(const NodeId& node, std::string why) const;

  /// The record for a planner that is to find places for what is missing: without the copies that
  /// do not count and that it would count.
  ShardState for_planner() const;

 private:
  enum class Fate : std::uint8_t { Stays, Leaves, Lost };
  struct Copy {
    CopyId id;
    NodeId node;
    Fate fate = Fate::Stays;
    bool primary = false;
    bool in_sync = false;
    bool fresh = false;
    /// Its server runs, and says that the copy works.
    bool works = false;
    /// It will never have anything that another lacks.
    bool useless = false;
    bool ready() const noexcept { return fate == Fate::Stays && in_sync && works; }
  };

  Copy judge(const CopyId& id, const CopyPlace& place) const;
  bool is_up(const NodeId& node) const;
  const thrift::CopyPosition* report(const CopyId& copy) const;
  std::uint64_t ready() const;
  const Copy& primary() const;
  const Copy* surplus() const;
  const Copy* heir() const;
  ShardChange change(ShardChange::Kind kind, const Copy& copy, std::string why) const;
  std::optional<ShardChange> drop(const Copy& copy, std::string why) const;
  std::optional<ShardChange> let_go(const Copy& copy, const std::string& why) const;
  std::string zone_of(const NodeId& node) const;

  const UpkeepFacts& facts_;
  const CollectionView& collection_;
  const ShardId shard_;
  const ShardState& record_;
  const std::optional<CopyId> moved_;
  const std::uint64_t wanted_;
  std::vector<Copy> copies_;
};

}  // namespace quiver::cluster
