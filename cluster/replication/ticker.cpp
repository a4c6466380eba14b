#include "cluster/replication/ticker.h"

#include <utility>

namespace quiver::cluster::replication {

Ticker::Ticker(Duration every) : every_(every), thread_([this] { run(); }) {}

Ticker::~Ticker() {
  {
    const MutexLock lock(mutex_);
    closed_ = true;
  }
  closing_.notify_all();
  thread_.join();
}

void Ticker::add(std::weak_ptr<Ticked> ticked) {
  const MutexLock lock(mutex_);
  ticked_.push_back(std::move(ticked));
}

std::vector<std::shared_ptr<Ticker::Ticked>> Ticker::alive() {
  std::vector<std::shared_ptr<Ticked>> out;
  const MutexLock lock(mutex_);
  std::erase_if(ticked_, [&](const auto& weak) {
    auto strong = weak.lock();
    if (strong == nullptr) return true;
    out.push_back(std::move(strong));
    return false;
  });
  return out;
}

void Ticker::run() {
  auto due = std::chrono::steady_clock::now() + every_;
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (!closed_ && closing_.wait_until(mutex_, due)) {
      }
      if (closed_) return;
    }
    for (const auto& each : alive()) each->tick();
    // A machine that stood still does not make up for it.
    due = std::max(due + every_, std::chrono::steady_clock::now());
  }
}

}  // namespace quiver::cluster::replication
