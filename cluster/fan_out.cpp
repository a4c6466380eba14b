#include "cluster/fan_out.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

namespace quiver::cluster {

struct FanOut::Batch {
  Batch(std::size_t parts, const std::function<void(std::size_t)>& run) : count(parts), part(run) {}

  /// Takes parts until none is left.
  void help() {
    for (std::size_t i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      part(i);
      const std::lock_guard lock(mutex);
      if (++done == count) finished.notify_all();
    }
  }

  const std::size_t count;
  /// The caller's; it stays until `done == count`, and nobody calls it after that.
  const std::function<void(std::size_t)>& part;
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::condition_variable finished;
  std::size_t done = 0;
};

FanOut::~FanOut() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void FanOut::run(std::size_t count, const std::function<void(std::size_t)>& part) {
  if (count == 0) return;
  if (count == 1) return part(0);
  const auto batch = std::make_shared<Batch>(count, part);
  {
    const std::lock_guard lock(mutex_);
    batches_.push_back(batch);
    const std::size_t wanted = std::min(threads_max_, count - 1);
    while (threads_.size() < wanted) threads_.emplace_back([this] { work(); });
  }
  wake_.notify_all();
  batch->help();
  std::unique_lock lock(batch->mutex);
  batch->finished.wait(lock, [&] { return batch->done == count; });
}

bool FanOut::offer(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return false;
    if (offers_.size() >= idle_) {
      if (threads_.size() >= threads_max_) return false;
      threads_.emplace_back([this] { this->work(); });
      // It comes to look for work before it sleeps.
    }
    offers_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void FanOut::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !batches_.empty() || !offers_.empty(); });
    --idle_;
    if (stopping_) return;
    if (batches_.empty()) {
      const auto offered = std::move(offers_.front());
      offers_.pop_front();
      lock.unlock();
      offered();
      lock.lock();
      continue;
    }
    const auto batch = batches_.front();
    if (batch->next.load() >= batch->count) {
      batches_.pop_front();
      continue;
    }
    lock.unlock();
    batch->help();
    lock.lock();
  }
}

}  // namespace quiver::cluster
