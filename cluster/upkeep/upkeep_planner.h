#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include "cluster/placement/layout.h"
#include "cluster/placement/plan.h"
#include "cluster/upkeep/shard_change.h"
#include "cluster/upkeep/shard_upkeep.h"
#include "cluster/upkeep/sightings.h"
#include "cluster/view/cluster_view.h"

namespace quiver::cluster {

struct UpkeepOptions {
  /// A server that is down, or a copy that has failed, for so long does not return: what it holds
  /// is made anew elsewhere.
  replication::Duration replace_after = std::chrono::seconds{60};
  /// New copies that one server takes at once, and that one server's primaries fill at once.
  std::size_t filling_max = 2;
  /// Of one round; promotions come first.
  std::size_t changes_max = 500;
  /// Primaries change for balance when nobody went down or came back for so long, so many in one
  /// round.
  replication::Duration calm_before_swaps = std::chrono::seconds{30};
  std::size_t swaps_max = 4;
};

/// What is known at the beginning of a round. Borrows all of it.
struct UpkeepRound {
  const ClusterView& view;
  const Liveness& liveness;
  /// Of the copies that positions_wanted() names, as far as their servers answered.
  const CopyReports& reports;
  /// Moves of shards with several copies that people asked for, and that have not ended.
  const std::map<ShardName, Move>& moves;
  replication::Time now;
  /// False during maintenance: servers that are down will return, so nothing of theirs is replaced.
  bool replaces = true;
  /// Draws the id of a new copy.
  const std::function<CopyId()>& draw;
};

struct UpkeepPlan {
  /// At most one for each shard.
  std::vector<ShardChange> changes;
  /// Shards that are not as they should be, and that nothing can be done about now.
  std::vector<Unresolved> unresolved;
};

/// Looks after the shards of collections that want several copies: promotes copies when primaries
/// are gone, makes copies anew whose servers do not return, fills up shards that have too few,
/// empties draining servers, carries out moves and spreads the primaries.
///
/// A function of what it is told and of the time: no I/O. Which servers it saw down, and since
/// when, is all that it keeps between rounds.
///
/// Whoever is wrong about a server does no harm: a primary that is deposed without reason finds
/// that its copies refuse it, and only a primary takes copies out of the in-sync set.
///
/// Threads: one at a time.
class UpkeepPlanner {
 public:
  explicit UpkeepPlanner(const UpkeepOptions& options) : options_(options) {}

  /// Which copies on which servers to ask for their positions.
  static std::map<NodeId, std::vector<thrift::CopyName>> positions_wanted(const ClusterView& view,
                                                                          const Liveness& liveness);
  UpkeepPlan plan(const UpkeepRound& round);

 private:
  class Round;

  const UpkeepOptions options_;
  Sightings sightings_;
};

}  // namespace quiver::cluster
