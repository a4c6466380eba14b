#include "cluster/replication/work_pool.h"

#include <utility>

namespace quiver::cluster::replication {

WorkPool::WorkPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { run(); });
  }
}

WorkPool::~WorkPool() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  posted_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void WorkPool::post(Work work) {
  {
    const MutexLock lock(mutex_);
    queue_.push_back(std::move(work));
  }
  posted_.notify_one();
}

void WorkPool::run() {
  for (;;) {
    Work work;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !closed_) posted_.wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

void Strand::post(Work work) {
  {
    const MutexLock lock(mutex_);
    if (closed_) return;
    queue_.push_back(std::move(work));
    if (running_) return;
    running_ = true;
  }
  pool_.post([this] { run(); });
}

void Strand::run() {
  Work work;
  {
    const MutexLock lock(mutex_);
    if (!queue_.empty()) {
      work = std::move(queue_.front());
      queue_.pop_front();
    }
  }
  if (work) work();
  // What it holds goes before anybody who waits for the end of this strand goes on.
  work = nullptr;
  bool more = false;
  {
    const MutexLock lock(mutex_);
    more = !queue_.empty();
    if (!more) {
      running_ = false;
      // With the lock: behind it the strand may be gone.
      idle_.notify_all();
    }
  }
  if (more) pool_.post([this] { run(); });
}

void Strand::close() {
  std::deque<Work> dropped;
  const MutexLock lock(mutex_);
  closed_ = true;
  dropped.swap(queue_);
  while (running_) idle_.wait(mutex_);
}

}  // namespace quiver::cluster::replication
