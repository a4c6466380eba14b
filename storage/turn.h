#pragma once

#include <chrono>

#include "core/call_context.h"
#include "core/mutex.h"
#include "core/result.h"

namespace quiver::storage {

/// A lock for long work: whoever waits for it gives up when its own time is over.
///
/// Threads: any.
class Turn {
 public:
  /// Errors: DeadlineExceeded from `call`.
  Status take(const CallContext& call) {
    const MutexLock lock(mutex_);
    while (taken_) {
      QV_CHECK(call.check());
      // Short enough to notice soon that the caller was cancelled.
      (void)free_.wait_until(mutex_,
                             std::chrono::steady_clock::now() + std::chrono::milliseconds(20));
    }
    taken_ = true;
    return Done{};
  }
  /// By who has taken it.
  void give_back() {
    {
      const MutexLock lock(mutex_);
      taken_ = false;
    }
    free_.notify_one();
  }

 private:
  Mutex mutex_;
  CondVar free_;
  bool taken_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::storage
