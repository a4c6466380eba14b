#pragma once

#include <functional>
#include <memory>

#include "cluster/replication/events.h"

namespace quiver::cluster::replication {

/// Reads and changes the record of one shard in the coordination store, for one of its copies.
///
/// Answers may be called on any thread, also before the call returns, and also when the copy that
/// asked is gone. That none comes is allowed: whoever asked asks again.
///
/// Threads: any. No call waits for the store.
class RecordKeeper {
 public:
  using Answered = std::function<void(SwapAnswered)>;
  using Seen = std::function<void(RecordSeen)>;

  virtual ~RecordKeeper() = default;

  /// Writes `desired` if the record is at `expected`; SwapAnswered::id is `id`. With an outcome
  /// that is not known for sure the answer is SwapOutcome::Unknown, never NotWritten.
  virtual void swap(SwapId id, Revision expected, std::shared_ptr<const ShardState> desired,
                    Answered answer) = 0;
  /// What the record is; may be outdated.
  virtual void read(Seen seen) = 0;
};

}  // namespace quiver::cluster::replication
