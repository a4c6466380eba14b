#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/mutex.h"

namespace quiver::thrift {

/// Logs connections that were refused or cut, so many in a while and no more: what strangers send
/// must not fill a disk.
///
/// Threads: any.
class RefusalLog {
 public:
  void refused(const std::string& peer, const std::string& why);
  /// All that were refused, logged or not.
  std::uint64_t count() const;

 private:
  mutable Mutex mutex_;
  std::chrono::steady_clock::time_point window_end_ QV_GUARDED_BY(mutex_){};
  std::uint64_t in_window_ QV_GUARDED_BY(mutex_) = 0;
  std::uint64_t count_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::thrift
