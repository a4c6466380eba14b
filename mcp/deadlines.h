#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "core/mutex.h"

namespace quiver::mcp {

/// Calls functions at set times, one after the other, on a thread that there is from the first on.
///
/// Threads: any, also from a function that it calls; but the destructor.
class Deadlines {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Id = std::uint64_t;

  Deadlines() = default;
  /// Drops what is not due yet; waits for the function that runs.
  ~Deadlines();
  Deadlines(const Deadlines&) = delete;
  Deadlines& operator=(const Deadlines&) = delete;

  /// `due` must not block or throw.
  Id at(Time time, std::function<void()> due);
  Id after(std::chrono::milliseconds time, std::function<void()> due) {
    return at(std::chrono::steady_clock::now() + time, std::move(due));
  }
  /// False if it is too late: the function has run or runs.
  bool cancel(Id id);

 private:
  using Key = std::pair<Time, Id>;

  void serve();

  Mutex mutex_;
  CondVar changed_;
  std::map<Key, std::function<void()>> waiting_ QV_GUARDED_BY(mutex_);
  std::map<Id, Time> times_ QV_GUARDED_BY(mutex_);
  Id last_ QV_GUARDED_BY(mutex_) = 0;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::mcp
