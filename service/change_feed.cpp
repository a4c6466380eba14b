#include "service/change_feed.h"

#include <utility>

namespace quiver::service {

ChangeSubscription ChangeFeed::subscribe(ChangeListener listener) {
  auto subscription = hub_.subscribe(std::move(listener));
  const MutexLock lock(mutex_);
  if (!thread_.joinable() && !is_stopping_) thread_ = std::thread([this] { run(); });
  return subscription;
}

void ChangeFeed::publish(const Change& change) {
  if (!hub_.has_listeners()) return;
  const MutexLock lock(mutex_);
  const bool is_first = pending_.empty();
  pending_.add(change);
  if (is_first) news_.notify_all();
}

void ChangeFeed::stop() {
  std::thread last;
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
    news_.notify_all();
    last.swap(thread_);
  }
  if (last.joinable()) last.join();
}

void ChangeFeed::run() {
  for (auto changes = wait_for_changes(); !changes.empty(); changes = wait_for_changes()) {
    for (const auto& change : changes) hub_.publish(change);
    rest();
  }
}

std::vector<Change> ChangeFeed::wait_for_changes() {
  const MutexLock lock(mutex_);
  while (!is_stopping_ && pending_.empty()) news_.wait(mutex_);
  if (is_stopping_) return {};
  return pending_.take();
}

void ChangeFeed::rest() {
  const auto until = std::chrono::steady_clock::now() + interval_;
  const MutexLock lock(mutex_);
  while (!is_stopping_ && news_.wait_until(mutex_, until)) {
  }
}

}  // namespace quiver::service
