#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "core/mutex.h"

namespace quiver::cluster {

/// Calls functions at given times, one after the other, on a thread that the first of them starts.
///
/// Threads: any, but for the functions themselves: they must not call it, block or throw.
class Alarms {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// 0: none.
  enum class Id : std::uint64_t {};

  Alarms() = default;
  ~Alarms();
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

  /// `ring` is called once: not before `at`, and soon after.
  Id set(Time at, std::function<void()> ring);
  /// It rings no more, and does not ring now, on return. Of one that has rung, nothing.
  void clear(Id id);

 private:
  void run();
  /// Until the next one is due, or sooner.
  void await_next() QV_REQUIRES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  std::uint64_t set_ QV_GUARDED_BY(mutex_) = 0;
  std::map<std::pair<Time, Id>, std::function<void()>> waiting_ QV_GUARDED_BY(mutex_);
  std::map<Id, Time> times_ QV_GUARDED_BY(mutex_);
  Id ringing_ QV_GUARDED_BY(mutex_){0};
  /// When the thread wakes by itself; Time::min() while it is awake.
  Time asleep_until_ QV_GUARDED_BY(mutex_) = Time::min();
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
