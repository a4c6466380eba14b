#pragma once

#include <functional>
#include <optional>

#include "cluster/coordination/store.h"
#include "cluster/view/records.h"

namespace quiver::cluster {

/// Changes of shards' records that are surely made, or surely not, when they return.
///
/// Threads: any. `store` must outlive it.
class ShardRecords {
 public:
  ShardRecords(CoordinationStore& store, NodeId self) : store_(store), self_(std::move(self)) {}

  struct Outcome {
    /// The record as it is now; absent: there is none.
    std::optional<ShardState> state;
    Revision revision{0};
  };
  /// Changes the record; false: it shall stay as it is, which is then proved to be no older than
  /// the call.
  using Edit = std::function<Result<bool>(ShardState& state)>;

  /// Calls `edit` with the record as often as others change it, and raises the record's epoch.
  ///
  /// Errors: those of `edit` and CoordinationStore; Unavailable if it was not possible to find out
  /// whether it was changed.
  Result<Outcome> change(const CallContext& call, const std::string& collection, ShardId shard,
                         const Edit& edit);

 private:
  CoordinationStore& store_;
  const NodeId self_;
};

}  // namespace quiver::cluster
