#include "cluster/view/view_keeper.h"

#include <chrono>
#include <utility>

#include "cluster/view/view_file.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

using std::chrono::steady_clock;

// Many changes in a row, such as those of a rebalance, are written as one.
constexpr std::chrono::milliseconds kPauseBehindWrite{100};
constexpr std::chrono::seconds kRetryEvery{5};

}  // namespace

ViewKeeper::~ViewKeeper() {
  stop();
}

void ViewKeeper::start() {
  const MutexLock lock(mutex_);
  if (!thread_.joinable() && !stopping_) thread_ = std::thread([this] { work(); });
}

void ViewKeeper::stop() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
    thread = std::move(thread_);
  }
  if (thread.joinable()) thread.join();
}

void ViewKeeper::changed() {
  const MutexLock lock(mutex_);
  changed_ = true;
  wake_.notify_all();
}

std::uint64_t ViewKeeper::kept_epoch() const {
  const MutexLock lock(mutex_);
  return kept_epoch_;
}

Status ViewKeeper::write() {
  auto [map, epoch] = views_.map();
  // Signs of life and moves change the revision all the time, and are not in the map.
  if (epoch == kept_epoch()) return Done{};
  const ViewFile file{owner_.cluster_id, owner_.node, owner_.coordination, std::move(map)};
  QV_CHECK(file.write(owner_.data_dir));
  const MutexLock lock(mutex_);
  kept_epoch_ = epoch;
  return Done{};
}

Status ViewKeeper::keep_now() {
  const MutexLock writing(file_mutex_);
  auto written = write();
  if (written.ok()) return written;
  QV_LOG_WARN("map_not_kept error=\"{}\" remedy=removed", written.error().message);
  {
    const MutexLock lock(mutex_);
    kept_epoch_ = 0;
  }
  return ViewFile::remove(owner_.data_dir);
}

void ViewKeeper::work() {
  std::string told;
  auto pause_until = steady_clock::now();
  for (bool is_last = false; !is_last;) {
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && (!changed_ || steady_clock::now() < pause_until)) {
        if (changed_) {
          wake_.wait_until(mutex_, pause_until);
        } else {
          wake_.wait(mutex_);
        }
      }
      if (stopping_ && !changed_) return;
      changed_ = false;
      is_last = stopping_;
    }
    const auto written = [this] {
      const MutexLock writing(file_mutex_);
      return write();
    }();
    pause_until = steady_clock::now() + kPauseBehindWrite;
    if (written.ok()) {
      told.clear();
      continue;
    }
    if (told != written.error().message) {
      told = written.error().message;
      QV_LOG_WARN("map_not_kept error=\"{}\" remedy=retried", told);
    }
    pause_until = steady_clock::now() + kRetryEvery;
    changed();
  }
}

}  // namespace quiver::cluster
