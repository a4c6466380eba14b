#include "service/changes.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

#include "core/log.h"
#include "core/mutex.h"

namespace quiver::service {

struct ChangeHub::Entry {
  explicit Entry(ChangeListener wanted) : listener(std::move(wanted)) {}

  const ChangeListener listener;
  std::atomic<bool> is_wanted = true;
  /// Who is in `listener` now.
  std::atomic<std::thread::id> caller;
  /// Held during a call.
  Mutex mutex;
};

struct ChangeHub::State {
  mutable Mutex mutex;
  std::vector<std::shared_ptr<Entry>> entries QV_GUARDED_BY(mutex);
};

ChangeHub::ChangeHub() : state_(std::make_shared<State>()) {}

ChangeSubscription ChangeHub::subscribe(ChangeListener listener) {
  const auto entry = std::make_shared<Entry>(std::move(listener));
  {
    const MutexLock lock(state_->mutex);
    state_->entries.push_back(entry);
  }
  return ChangeSubscription([entry, weak = std::weak_ptr<State>(state_)] {
    entry->is_wanted = false;
    if (const auto state = weak.lock()) {
      const MutexLock lock(state->mutex);
      std::erase(state->entries, entry);
    }
    if (entry->caller.load() == std::this_thread::get_id()) return;
    const MutexLock wait_for_its_end(entry->mutex);
  });
}

void ChangeHub::publish(const Change& change) const {
  std::vector<std::shared_ptr<Entry>> entries;
  {
    const MutexLock lock(state_->mutex);
    entries = state_->entries;
  }
  for (const auto& entry : entries) {
    const MutexLock lock(entry->mutex);
    if (!entry->is_wanted) continue;
    entry->caller = std::this_thread::get_id();
    try {
      entry->listener(change);
    } catch (const std::exception& problem) {
      QV_LOG_ERROR("change_listener_threw what=\"{}\"", problem.what());
    }
    entry->caller = std::thread::id();
  }
}

bool ChangeHub::has_listeners() const {
  const MutexLock lock(state_->mutex);
  return !state_->entries.empty();
}

void PendingChanges::add(const Change& change) {
  auto& names = kinds_.at(static_cast<std::size_t>(change.kind));
  if (names.any) return;
  if (!change.collection.empty()) names.some.insert(change.collection);
  if (!change.collection.empty() && names.some.size() <= kNamesMax) return;
  names.any = true;
  names.some.clear();
}

bool PendingChanges::empty() const noexcept {
  return std::all_of(kinds_.begin(), kinds_.end(),
                     [](const Names& names) { return !names.any && names.some.empty(); });
}

std::vector<Change> PendingChanges::take() {
  std::vector<Change> out;
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    const auto kind = static_cast<Change::Kind>(i);
    auto& names = kinds_.at(i);
    if (names.any) out.push_back({kind, ""});
    for (const auto& name : names.some) out.push_back({kind, name});
    names = {};
  }
  return out;
}

}  // namespace quiver::service
