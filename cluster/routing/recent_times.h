#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "core/mutex.h"

namespace quiver::cluster {

/// How long the last calls took.
///
/// Threads: any.
class RecentTimes {
 public:
  using Duration = std::chrono::steady_clock::duration;
  static constexpr std::size_t kKept = 128;
  /// So often high() is worked out anew, and so many calls it takes to know anything.
  static constexpr std::size_t kStep = 16;

  void add(Duration time);
  /// What 19 of 20 of the last kKept calls did not exceed; 0 before kStep calls.
  Duration high() const;

 private:
  mutable Mutex mutex_;
  std::array<Duration, kKept> times_ QV_GUARDED_BY(mutex_){};
  std::size_t added_ QV_GUARDED_BY(mutex_) = 0;
  Duration high_ QV_GUARDED_BY(mutex_){0};
};

}  // namespace quiver::cluster
