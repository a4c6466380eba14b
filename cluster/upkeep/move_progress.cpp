#include "cluster/upkeep/move_progress.h"

#include <algorithm>

namespace quiver::cluster {

MoveProgress progress_of(const Move& move, const CollectionView* collection,
                         std::string_view hopeless) {
  if (collection == nullptr) return {MovePhase::Aborted, "the collection was deleted"};
  const auto& state = collection->shards[raw(move.shard)];
  const auto arrived = std::find_if(state.copies.begin(), state.copies.end(),
                                    [&](const auto& one) { return one.second.node == move.to; });
  const bool left = !move.copy || !state.copies.contains(*move.copy);
  MoveProgress out;
  if (arrived != state.copies.end()) {
    out.to_copy = arrived->first;
    if (std::binary_search(state.in_sync.begin(), state.in_sync.end(), arrived->first)) {
      out.phase = left ? MovePhase::Done : MovePhase::HandingOver;
      return out;
    }
    out.phase = MovePhase::Copying;
  }
  if (!hopeless.empty()) {
    out.phase = MovePhase::Failed;
    out.error = hopeless;
  } else if (left && !out.to_copy) {
    out.phase = MovePhase::Failed;
    out.error = "the copy that was to move is gone";
  }
  return out;
}

}  // namespace quiver::cluster
