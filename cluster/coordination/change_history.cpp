#include "cluster/coordination/change_history.h"

#include <utility>

namespace quiver::cluster {
namespace {

constexpr std::size_t kChangesKept = 1024;
constexpr std::size_t kBytesKept = 4U << 20U;

std::size_t bytes_of(const Change& change) {
  return change.key.size() + (change.value ? change.value->size() : 0);
}

}  // namespace

void ChangeHistory::append(std::vector<Change> changes, Revision revision) {
  const MutexLock lock(mutex_);
  for (auto& change : changes) {
    bytes_ += bytes_of(change);
    changes_.push_back(std::move(change));
  }
  head_ = revision;
  while (changes_.size() > kChangesKept || bytes_ > kBytesKept) {
    // Half a revision is of no use: with one of its changes it goes whole.
    floor_ = changes_.front().revision;
    while (!changes_.empty() && changes_.front().revision == floor_) {
      bytes_ -= bytes_of(changes_.front());
      changes_.pop_front();
    }
  }
  grown_.notify_all();
}

void ChangeHistory::forget(Revision revision) {
  const MutexLock lock(mutex_);
  changes_.clear();
  bytes_ = 0;
  floor_ = head_ = revision;
  grown_.notify_all();
}

ChangeHistory::Next ChangeHistory::wait(std::string_view prefix, Revision& after,
                                        const std::atomic<bool>& stopped,
                                        std::vector<Change>& out) {
  out.clear();
  const MutexLock lock(mutex_);
  while (true) {
    while (!ready(after) && !stopped) grown_.wait(mutex_);
    if (stopped) return Next::Stopped;
    if (after < floor_ || after > head_) return Next::Missed;
    for (const auto& change : changes_) {
      if (change.revision > after && change.key.starts_with(prefix)) out.push_back(change);
    }
    after = head_;
    if (!out.empty()) return Next::Changes;
  }
}

void ChangeHistory::wake() {
  // The lock orders this after a look at the flag that was too early.
  const MutexLock lock(mutex_);
  grown_.notify_all();
}

}  // namespace quiver::cluster
