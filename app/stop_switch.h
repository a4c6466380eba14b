#pragma once

#include <functional>

#include "core/mutex.h"

namespace quiver::app {

/// Lets a signal stop whatever the process is doing just now.
///
/// Threads: any.
class StopSwitch {
 public:
  /// Stops: now, or what is armed later.
  void fire();
  /// From now on fire() calls `stop`, on its own thread; at once if it was fired before.
  void arm(std::function<void()> stop);
  /// When it returns `stop` is not running and will not be called.
  void disarm();
  /// Until it is fired.
  void wait();

 private:
  Mutex mutex_;
  CondVar fired_;
  bool is_fired_ QV_GUARDED_BY(mutex_) = false;
  std::function<void()> stop_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::app
