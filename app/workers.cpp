#include "app/workers.h"

#include <system_error>
#include <utility>

namespace quiver::app {

Workers::Workers(std::size_t threads_max, std::size_t queue_max)
    : threads_max_(threads_max), queue_max_(queue_max) {}

Workers::~Workers() {
  std::vector<std::thread> threads;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
  }
  work_.notify_all();
  for (auto& thread : threads) thread.join();
}

bool Workers::submit(std::function<void()> job) {
  {
    const MutexLock lock(mutex_);
    if (stopping_) return false;
    const bool must_wait = idle_ <= queue_.size();
    if (must_wait && threads_.size() < threads_max_) {
      try {
        threads_.emplace_back([this] { run(); });
      } catch (const std::system_error&) {
        // Out of threads: those there are will do, if there are any.
        if (threads_.empty()) return false;
      }
    } else if (must_wait && queue_.size() >= queue_max_ + idle_) {
      return false;
    }
    queue_.push_back(std::move(job));
  }
  work_.notify_one();
  return true;
}

void Workers::run() {
  while (true) {
    std::function<void()> job;
    {
      const MutexLock lock(mutex_);
      ++idle_;
      while (queue_.empty() && !stopping_) work_.wait(mutex_);
      --idle_;
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job();
  }
}

}  // namespace quiver::app
