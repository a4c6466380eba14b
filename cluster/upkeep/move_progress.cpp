#include "cluster/upkeep/move_progress.h"

#include <algorithm>

namespace quiver::cluster {

MoveProgress progress_of(const Move& move, const CollectionView* collection, bool hopeless) {
  if (collection == nullptr) return {MovePhase::Aborted, "the collection was deleted"};
  const auto& state = collection->shards[raw(move.shard)];
  const auto arrived = std::find_if(state.copies.begin(), state.copies.end(),
                                    [&](const auto& one) { return one.second.node == move.to; });
  const bool there = arrived != state.copies.end();
  const bool in_sync =
      there && std::binary_search(state.in_sync.begin(), state.in_sync.end(), arrived->first);
  const bool left = !move.copy || !state.copies.contains(*move.copy);
  if (in_sync) return {left ? MovePhase::Done : MovePhase::HandingOver, {}};
  if (hopeless) return {MovePhase::Failed, "the server that it leads to is gone"};
  if (there) return {MovePhase::Copying, {}};
  if (left) return {MovePhase::Failed, "the copy that was to move is gone"};
  return {MovePhase::Planned, {}};
}

}  // namespace quiver::cluster
