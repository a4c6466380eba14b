#pragma once

#include <string>

#include "cluster/migration/move_record.h"
#include "cluster/view/cluster_view.h"

namespace quiver::cluster {

/// How far a move is of a shard that wants several copies: what the shard's record shows, since
/// nobody works on it but the upkeep of the shard.
struct MoveProgress {
  MovePhase phase = MovePhase::Planned;
  /// Why it failed or was aborted; for people.
  std::string error;

  bool operator==(const MoveProgress&) const = default;
};

/// Pure. `hopeless`: the server that it leads to will not take it. `collection` is null if it was
/// deleted.
MoveProgress progress_of(const Move& move, const CollectionView* collection, bool hopeless);

}  // namespace quiver::cluster
