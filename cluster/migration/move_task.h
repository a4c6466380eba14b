#pragma once

#include <chrono>
#include <string>
#include <thread>

#include "cluster/migration/mover.h"

namespace quiver::cluster {

/// A move that a thread works on.
struct Mover::Task {
  std::string id;
  MoveRecord record;
  /// Of the record.
  Revision revision{0};
  Transfer transfer;
  /// Keeps the finished copy open.
  ShardHost::Use use;
};

/// Has the source hold its writes back for as long as this lives.
class KeepHeld {
 public:
  KeepHeld(thrift::NodeHandler& source, const Receiver& receiver, thrift::ShardCall call,
           std::chrono::milliseconds hold)
      : thread_([this, &source, &receiver, call = std::move(call), hold] {
          while (pause(hold / 3)) {
            // Without it the hold runs out, and the source refuses to hand over.
            const auto kept = source.hold_writes(receiver.timed(call), hold);
            static_cast<void>(kept.ok());
          }
        }) {}
  ~KeepHeld() {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  KeepHeld(const KeepHeld&) = delete;
  KeepHeld& operator=(const KeepHeld&) = delete;

 private:
  /// False: this has ended.
  bool pause(std::chrono::milliseconds time) {
    const auto until = std::chrono::steady_clock::now() + time;
    const MutexLock lock(mutex_);
    while (!ended_ && std::chrono::steady_clock::now() < until) wake_.wait_until(mutex_, until);
    return !ended_;
  }

  Mutex mutex_;
  CondVar wake_;
  bool ended_ QV_GUARDED_BY(mutex_) = false;
  /// Last: it uses all above.
  std::thread thread_;
};

}  // namespace quiver::cluster
