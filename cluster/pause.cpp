#include "cluster/pause.h"

#include <algorithm>
#include <memory>

#include "core/mutex.h"

namespace quiver::cluster {
namespace {

/// Shared with the token, which may fire just when the wait ends.
struct Alarm {
  Mutex mutex;
  CondVar changed;
  bool rung QV_GUARDED_BY(mutex) = false;

  void ring() {
    const MutexLock lock(mutex);
    rung = true;
    changed.notify_all();
  }
  void wait(std::chrono::steady_clock::time_point until) {
    const MutexLock lock(mutex);
    while (!rung && std::chrono::steady_clock::now() < until) changed.wait_until(mutex, until);
  }
};

}  // namespace

Status pause(const CallContext& call, std::chrono::milliseconds time) {
  QV_CHECK(call.check());
  auto until = std::chrono::steady_clock::now() + time;
  if (call.deadline) until = std::min(until, *call.deadline);
  const auto alarm = std::make_shared<Alarm>();
  const auto watch = call.cancel.watch([alarm] { alarm->ring(); });
  alarm->wait(until);
  return call.check();
}

}  // namespace quiver::cluster
