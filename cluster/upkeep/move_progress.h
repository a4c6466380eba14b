#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/migration/move_record.h"
#include "cluster/view/cluster_view.h"

namespace quiver::cluster {

/// How far a move is of a shard that wants several copies: what the shard's record shows, since
/// nobody works on it but the upkeep of the shard.
struct MoveProgress {
  MovePhase phase = MovePhase::Planned;
  /// Why it failed or was aborted; for people.
  std::string error = {};
  /// That is made where the move leads to, if there is one.
  std::optional<CopyId> to_copy = std::nullopt;

  bool operator==(const MoveProgress&) const = default;
};

/// Pure. `hopeless`: why the server that it leads to will not take it; empty: it may. `collection`
/// is null if it was deleted.
MoveProgress progress_of(const Move& move, const CollectionView* collection,
                         std::string_view hopeless);

}  // namespace quiver::cluster
