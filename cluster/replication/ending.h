#pragma once

#include "core/mutex.h"

namespace quiver::cluster::replication {

/// Tells those who wait for it that something others may hold is gone. Shared by its deleter and
/// whoever waits.
///
/// Threads: any.
class Ending {
 public:
  /// It is gone, wholly.
  void end() QV_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  void await() QV_EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    while (!ended_) changed_.wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool ended_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::cluster::replication
