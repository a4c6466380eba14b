#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace quiver::cluster {

/// Runs the parts of one call side by side: a bounded pool whose threads start when first needed.
///
/// A part must not wait for another part or call run() itself.
///
/// Threads: any.
class FanOut {
 public:
  explicit FanOut(std::size_t threads) : threads_max_(threads) {}
  ~FanOut();
  FanOut(const FanOut&) = delete;
  FanOut& operator=(const FanOut&) = delete;

  /// Calls `part(i)` for each i below `count`, the calling thread among the workers, and returns
  /// when all are done. A single part runs in the caller without any hand-over.
  void run(std::size_t count, const std::function<void(std::size_t)>& part);

  /// Gives `work` to a thread that has nothing else to do; whether there is one. It may still be
  /// dropped, or called later, if the thread finds parts to run first. It must not throw.
  bool offer(std::function<void()> work);

 private:
  struct Batch;
  void work();

  const std::size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Batch>> batches_;
  /// Never more than there are threads without work.
  std::deque<std::function<void()>> offers_;
  std::size_t idle_ = 0;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace quiver::cluster
