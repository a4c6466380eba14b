#pragma once

#include <chrono>
#include <thread>

#include "core/mutex.h"
#include "service/changes.h"

namespace quiver::service {

/// The first change is told at once; those that follow within this time are told together.
inline constexpr std::chrono::milliseconds kChangeInterval{100};

/// Tells subscribers of changes on a thread of its own, so that a listener, however slow, never
/// holds up who publishes. Meanwhile equal changes become one, and what waits is bounded: see
/// PendingChanges.
///
/// Threads: any. The thread is started by the first subscriber.
class ChangeFeed {
 public:
  explicit ChangeFeed(std::chrono::milliseconds interval = kChangeInterval) : interval_(interval) {}
  /// As stop().
  ~ChangeFeed() { stop(); }
  ChangeFeed(const ChangeFeed&) = delete;
  ChangeFeed& operator=(const ChangeFeed&) = delete;

  ChangeSubscription subscribe(ChangeListener listener);
  /// Never blocks on a listener. Without one nothing is kept.
  void publish(const Change& change);
  bool has_listeners() const { return hub_.has_listeners(); }

  /// Waits for a listener that runs; then nothing more is told. Not from within a listener.
  void stop();

 private:
  void run();
  std::vector<Change> wait_for_changes();
  void rest();

  const std::chrono::milliseconds interval_;
  ChangeHub hub_;
  Mutex mutex_;
  CondVar news_;
  PendingChanges pending_ QV_GUARDED_BY(mutex_);
  bool is_stopping_ QV_GUARDED_BY(mutex_) = false;
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::service
