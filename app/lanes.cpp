#include "app/lanes.h"

#include <exception>
#include <system_error>
#include <utility>

#include <pthread.h>

#include "core/log.h"

namespace quiver::app {

Lane::Lane(LaneOptions options) : options_(std::move(options)) {}

Lane::~Lane() {
  stop();
}

Status Lane::submit(std::function<void()> work) {
  const MutexLock lock(mutex_);
  if (stopping_) return Error{ErrorCode::Unavailable, "the server is stopping"};
  // Idle threads may not have taken their share of the queue yet.
  bool taken = idle_ > queue_.size();
  if (!taken && threads_.size() < options_.threads) taken = start_thread();
  if (threads_.empty()) return Error{ErrorCode::ResourceExhausted, "the system gave no thread"};
  if (!taken && queue_.size() >= idle_ + options_.queue) {
    return Error{ErrorCode::ResourceExhausted,
                 "the server is busy: " + std::to_string(options_.queue) + " calls wait on lane " +
                     options_.name + "; try again shortly"};
  }
  queue_.push_back(std::move(work));
  changed_.notify_one();
  return Done{};
}

bool Lane::start_thread() {
  try {
    threads_.emplace_back([this] { serve(); });
  } catch (const std::system_error& error) {
    QV_LOG_WARN("lane.no_thread lane={} what={}", options_.name, error.what());
    return false;
  }
  // It is as good as idle; said here, since it has not begun.
  ++idle_;
  return true;
}

void Lane::serve() {
  ::pthread_setname_np(::pthread_self(), options_.name.substr(0, 15).c_str());
  for (;;) {
    std::function<void()> work;
    {
      const MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.wait(mutex_);
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
      --idle_;
    }
    try {
      work();
    } catch (const std::exception& error) {
      QV_LOG_ERROR("lane.work_threw lane={} what={}", options_.name, error.what());
    }
    work = nullptr;
    const MutexLock lock(mutex_);
    ++idle_;
  }
}

void Lane::stop() {
  std::vector<std::thread> threads;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace quiver::app
