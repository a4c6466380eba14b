#include "cluster/routing/alarms.h"

namespace quiver::cluster {

Alarms::~Alarms() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    thread.swap(thread_);
  }
  changed_.notify_all();
  if (thread.joinable()) thread.join();
}

Alarms::Id Alarms::set(Time at, std::function<void()> ring) {
  const MutexLock lock(mutex_);
  const Id id{++set_};
  waiting_.emplace(std::pair(at, id), std::move(ring));
  times_.emplace(id, at);
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  } else if (at < asleep_until_) {
    changed_.notify_all();
  }
  return id;
}

void Alarms::clear(Id id) {
  const MutexLock lock(mutex_);
  if (const auto found = times_.find(id); found != times_.end()) {
    waiting_.erase(std::pair(found->second, id));
    times_.erase(found);
  }
  while (ringing_ == id) changed_.wait(mutex_);
}

void Alarms::await_next() {
  if (waiting_.empty()) {
    asleep_until_ = Time::max();
    changed_.wait(mutex_);
  } else {
    asleep_until_ = waiting_.begin()->first.first;
    changed_.wait_until(mutex_, asleep_until_);
  }
  asleep_until_ = Time::min();
}

void Alarms::run() {
  mutex_.lock();
  while (!stopping_) {
    const auto next = waiting_.begin();
    if (next == waiting_.end() || std::chrono::steady_clock::now() < next->first.first) {
      await_next();
      continue;
    }
    ringing_ = next->first.second;
    const auto ring = std::move(next->second);
    times_.erase(ringing_);
    waiting_.erase(next);
    mutex_.unlock();
    ring();
    mutex_.lock();
    ringing_ = Id{0};
    changed_.notify_all();
  }
  mutex_.unlock();
}

}  // namespace quiver::cluster
