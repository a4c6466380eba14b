#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "core/mutex.h"

namespace quiver::app {

/// Carries out jobs on threads of its own, made when they are first needed.
///
/// Threads: any.
class Workers {
 public:
  Workers(std::size_t threads_max, std::size_t queue_max);
  /// Finishes what was taken on.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False if all threads are busy and the queue is full. `job` must not throw.
  bool submit(std::function<void()> job);

 private:
  void run();

  const std::size_t threads_max_;
  const std::size_t queue_max_;
  Mutex mutex_;
  CondVar work_;
  std::deque<std::function<void()>> queue_ QV_GUARDED_BY(mutex_);
  std::size_t idle_ QV_GUARDED_BY(mutex_) = 0;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::app
