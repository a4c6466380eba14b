#include "cluster/routing/recent_times.h"

#include <algorithm>

namespace quiver::cluster {

void RecentTimes::add(Duration time) {
  const MutexLock lock(mutex_);
  times_[added_ % kKept] = time;
  if (++added_ % kStep != 0) return;
  auto sorted = times_;
  const std::size_t count = std::min(added_, kKept);
  const auto end = sorted.begin() + static_cast<std::ptrdiff_t>(count);
  // The smallest that at least 19 of 20 do not exceed.
  const auto place = sorted.begin() + static_cast<std::ptrdiff_t>((count * 19 + 19) / 20 - 1);
  std::nth_element(sorted.begin(), place, end);
  high_ = *place;
}

RecentTimes::Duration RecentTimes::high() const {
  const MutexLock lock(mutex_);
  return high_;
}

}  // namespace quiver::cluster
