#pragma once

#include <atomic>
#include <deque>

#include "cluster/coordination/store.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// The recent changes of an embedded store, for those who watch it. In memory and bounded: who
/// comes too late has to list again.
///
/// Threads: any.
class ChangeHistory {
 public:
  /// Nothing is known of changes up to `start`.
  explicit ChangeHistory(Revision start) : floor_(start), head_(start) {}

  /// The changes of the revision that follows; called in order.
  void append(std::vector<Change> changes, Revision revision);
  /// What happened up to `revision` is not known.
  void forget(Revision revision);

  enum class Next : std::uint8_t { Changes, Missed, Stopped };
  /// Waits for changes below `prefix` after `after`, and moves `after` past what it looked at.
  Next wait(std::string_view prefix, Revision& after, const std::atomic<bool>& stopped,
            std::vector<Change>& out);
  /// Lets wait() look at `stopped`, which the caller has set.
  void wake();

 private:
  bool ready(Revision after) const QV_REQUIRES(mutex_) { return after != head_; }

  Mutex mutex_;
  CondVar grown_;
  std::deque<Change> changes_ QV_GUARDED_BY(mutex_);
  std::size_t bytes_ QV_GUARDED_BY(mutex_) = 0;
  /// Changes after this are all here.
  Revision floor_ QV_GUARDED_BY(mutex_);
  Revision head_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
