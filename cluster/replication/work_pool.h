#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/mutex.h"

namespace quiver::cluster::replication {

/// A bounded number of threads that the copies of a server share.
///
/// Threads: any. Must outlive its strands.
class WorkPool {
 public:
  using Work = std::function<void()>;

  explicit WorkPool(std::size_t threads);
  /// Carries out what was posted before.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  /// `work` must not throw.
  void post(Work work);

 private:
  void run();

  Mutex mutex_;
  CondVar posted_;
  std::deque<Work> queue_ QV_GUARDED_BY(mutex_);
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  /// Last: they use all above.
  std::vector<std::thread> threads_;
};

/// Work that is carried out one after the other, in order, on the threads of a pool. Takes part in
/// them by one piece at a time, so that no strand holds up the others for long.
///
/// Threads: any.
class Strand {
 public:
  using Work = WorkPool::Work;

  explicit Strand(WorkPool& pool) : pool_(pool) {}
  /// close().
  ~Strand() { close(); }
  Strand(const Strand&) = delete;
  Strand& operator=(const Strand&) = delete;

  /// After close() nothing. `work` must not throw.
  void post(Work work);
  /// Drops what has not begun, and waits for what has. Not from work of this strand.
  void close();

 private:
  void run();

  WorkPool& pool_;
  Mutex mutex_;
  CondVar idle_;
  std::deque<Work> queue_ QV_GUARDED_BY(mutex_);
  bool running_ QV_GUARDED_BY(mutex_) = false;
  bool closed_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::cluster::replication
