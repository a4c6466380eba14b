#include "app/socket_cut.h"

#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

namespace quiver::app {

void SocketCut::follow(int socket) {
  const MutexLock lock(mutex_);
  socket_ = Fd(::fcntl(socket, F_DUPFD_CLOEXEC, 0));
  if (cut_) ::shutdown(socket, SHUT_RDWR);
}

void SocketCut::cut() {
  const MutexLock lock(mutex_);
  cut_ = true;
  if (socket_.valid()) ::shutdown(socket_.get(), SHUT_RDWR);
}

bool SocketCut::was_cut() const {
  const MutexLock lock(mutex_);
  return cut_;
}

CutTimer::~CutTimer() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    thread = std::move(thread_);
    changed_.notify_all();
  }
  if (thread.joinable()) thread.join();
}

void CutTimer::add(Time when, std::shared_ptr<SocketCut> cut) {
  const MutexLock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  const auto added = waiting_.emplace(when, std::move(cut));
  if (added == waiting_.begin()) changed_.notify_all();
}

void CutTimer::remove(Time when, const std::shared_ptr<SocketCut>& cut) {
  const MutexLock lock(mutex_);
  auto [from, to] = waiting_.equal_range(when);
  for (; from != to; ++from) {
    if (from->second != cut) continue;
    waiting_.erase(from);
    return;
  }
}

void CutTimer::run() {
  const MutexLock lock(mutex_);
  while (!stopped_) {
    if (waiting_.empty()) {
      changed_.wait(mutex_);
      continue;
    }
    const auto next = waiting_.begin();
    if (next->first > std::chrono::steady_clock::now()) {
      changed_.wait_until(mutex_, next->first);
      continue;
    }
    next->second->cut();
    waiting_.erase(next);
  }
}

}  // namespace quiver::app
