#include "app/stop_switch.h"

#include <utility>

namespace quiver::app {

// `stop` is called under the lock: only so can disarm() promise that it does not run any more.

void StopSwitch::fire() {
  const MutexLock lock(mutex_);
  if (is_fired_) return;
  is_fired_ = true;
  fired_.notify_all();
  if (stop_) stop_();
}

void StopSwitch::arm(std::function<void()> stop) {
  const MutexLock lock(mutex_);
  stop_ = std::move(stop);
  if (is_fired_) stop_();
}

void StopSwitch::disarm() {
  const MutexLock lock(mutex_);
  stop_ = nullptr;
}

void StopSwitch::wait() {
  const MutexLock lock(mutex_);
  while (!is_fired_) fired_.wait(mutex_);
}

}  // namespace quiver::app
