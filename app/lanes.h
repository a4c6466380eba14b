#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "core/mutex.h"
#include "core/result.h"

namespace quiver::app {

struct LaneOptions {
  /// In messages, and of its threads; at most 15 bytes of it there.
  std::string name = "request";
  /// Work that is carried out at the same time; at least 1.
  std::size_t threads = 8;
  /// Work that may wait for a thread.
  std::size_t queue = 256;
};

/// A bounded pool of threads for one kind of work.
///
/// Threads start when there is work that no idle one can take, so that an idle process has none.
///
/// Threads: any. Work may submit to other lanes, to its own only if it does not wait for it.
class Lane {
 public:
  explicit Lane(LaneOptions options);
  /// stop().
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Errors: ResourceExhausted when the queue is full; Unavailable after stop().
  Status submit(std::function<void()> work);

  /// Carries out what was accepted, then ends the threads. Not from a thread of this lane.
  void stop();

 private:
  void serve();
  bool start_thread() QV_REQUIRES(mutex_);

  const LaneOptions options_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> queue_ QV_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ QV_GUARDED_BY(mutex_);
  std::size_t idle_ QV_GUARDED_BY(mutex_) = 0;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::app
