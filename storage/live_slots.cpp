#include "storage/live_slots.h"

#include <algorithm>

namespace quiver::storage {

void LiveSlots::change(std::span<const Entry> removed, std::span<const Entry> added) {
  const FairWriteLock lock(mutex_);
  for (const auto& entry : removed) {
    live_.erase(entry.slot);
    if (entry.expires_at_ms != 0) expiries_.erase({entry.expires_at_ms, entry.slot});
  }
  for (const auto& entry : added) {
    live_.insert(entry.slot);
    horizon_ = std::max(horizon_, std::uint64_t{raw(entry.slot)} + 1);
    if (entry.expires_at_ms != 0) expiries_.emplace(entry.expires_at_ms, entry.slot);
  }
  ++version_;
}

SlotSet LiveSlots::expired_set(std::int64_t now_ms) const {
  SlotSet out;
  for (const auto& [expires_at_ms, slot] : expiries_) {
    if (expires_at_ms > now_ms) break;
    out.insert(slot);
  }
  return out;
}

LiveSlots::Moment LiveSlots::moment(std::int64_t now_ms) const {
  const FairReadLock lock(mutex_);
  return {version_, Slot{static_cast<std::uint32_t>(horizon_)}, live_.size(), expired_set(now_ms)};
}

std::uint64_t LiveSlots::version() const {
  const FairReadLock lock(mutex_);
  return version_;
}

SlotSet LiveSlots::visible(std::int64_t now_ms, Slot from) const {
  const FairReadLock lock(mutex_);
  SlotSet out;
  if (raw(from) == 0) {
    out = live_;
  } else {
    for (std::uint64_t slot = raw(from); slot < horizon_; ++slot) {
      const Slot candidate{static_cast<std::uint32_t>(slot)};
      if (live_.contains(candidate)) out.insert(candidate);
    }
  }
  out -= expired_set(now_ms);
  return out;
}

std::size_t LiveSlots::size() const {
  const FairReadLock lock(mutex_);
  return live_.size();
}

std::vector<Slot> LiveSlots::expired(std::int64_t now_ms, std::size_t limit) const {
  const FairReadLock lock(mutex_);
  std::vector<Slot> out;
  for (const auto& [expires_at_ms, slot] : expiries_) {
    if (expires_at_ms > now_ms || out.size() == limit) break;
    out.push_back(slot);
  }
  return out;
}

}  // namespace quiver::storage
