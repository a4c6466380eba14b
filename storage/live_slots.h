#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "core/mutex.h"
#include "storage/fair_mutex.h"
#include "storage/slot_set.h"

namespace quiver::storage {

/// Which slots hold the current version of a point, and when those that expire do. In memory,
/// derived from the point store.
///
/// Threads: any; change() from the one that owns the shard's writes.
class LiveSlots {
 public:
  struct Entry {
    Slot slot{0};
    /// 0: never.
    std::int64_t expires_at_ms = 0;
  };
  /// One step: readers see all of it or nothing.
  void change(std::span<const Entry> removed, std::span<const Entry> added);

  struct Moment {
    /// Counts the changes.
    std::uint64_t version = 0;
    /// Slots from here on come later.
    Slot horizon{0};
    std::size_t live = 0;
    /// Live slots that have expired.
    SlotSet expired;
  };
  Moment moment(std::int64_t now_ms) const;
  std::uint64_t version() const;
  /// Live slots from `from` on, but for the expired ones.
  SlotSet visible(std::int64_t now_ms, Slot from = Slot{0}) const;
  std::size_t size() const;
  /// Expired slots, soonest first, at most `limit`.
  std::vector<Slot> expired(std::int64_t now_ms, std::size_t limit) const;

 private:
  SlotSet expired_set(std::int64_t now_ms) const QV_TSA(requires_shared_capability(mutex_));

  mutable FairMutex mutex_;
  SlotSet live_ QV_GUARDED_BY(mutex_);
  std::uint64_t horizon_ QV_GUARDED_BY(mutex_) = 0;
  /// Only slots that expire.
  std::set<std::pair<std::int64_t, Slot>> expiries_ QV_GUARDED_BY(mutex_);
  std::uint64_t version_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::storage
