#include "mcp/deadlines.h"

namespace quiver::mcp {

Deadlines::~Deadlines() {
  std::thread thread;
  std::map<Key, std::function<void()>> dropped;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    dropped.swap(waiting_);
    thread.swap(thread_);
    changed_.notify_all();
  }
  if (thread.joinable()) thread.join();
}

Deadlines::Id Deadlines::at(Time time, std::function<void()> due) {
  const MutexLock lock(mutex_);
  const Id id = ++last_;
  if (stopping_) return id;
  waiting_.emplace(Key(time, id), std::move(due));
  times_.emplace(id, time);
  if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  changed_.notify_all();
  return id;
}

bool Deadlines::cancel(Id id) {
  std::function<void()> dropped;
  const MutexLock lock(mutex_);
  const auto found = times_.find(id);
  if (found == times_.end()) return false;
  auto node = waiting_.extract(Key(found->second, id));
  times_.erase(found);
  if (!node) return false;
  // Let go of outside of the lock: it may own what calls back.
  dropped = std::move(node.mapped());
  return true;
}

void Deadlines::serve() {
  for (;;) {
    std::function<void()> due;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && (waiting_.empty() ||
                            waiting_.begin()->first.first > std::chrono::steady_clock::now())) {
        if (waiting_.empty()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_until(mutex_, waiting_.begin()->first.first);
        }
      }
      if (stopping_) return;
      auto node = waiting_.extract(waiting_.begin());
      times_.erase(node.key().second);
      due = std::move(node.mapped());
    }
    due();
  }
}

}  // namespace quiver::mcp
