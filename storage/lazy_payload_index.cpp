#include "storage/lazy_payload_index.h"

#include <algorithm>
#include <utility>

namespace quiver::storage {
namespace {

/// Payloads read between two looks at the caller's deadline.
constexpr std::size_t kPayloadsPerCheck = 256;
/// Written slots that are few enough to hold up the writes for.
constexpr std::size_t kLastRoundMax = 256;
/// Rounds after which the rest holds up the writes, however much it is.
constexpr int kRoundsMax = 16;

std::vector<Slot> list(const SlotSet& set) {
  std::vector<Slot> slots;
  slots.reserve(set.size());
  set.for_each([&](Slot slot) {
    slots.push_back(slot);
    return true;
  });
  return slots;
}

}  // namespace

/// A half-built index over one moment of the points.
struct LazyPayloadIndex::Building {
  std::unique_ptr<PointStore::View> view;
  std::unique_ptr<PayloadIndex> index = std::make_unique<PayloadIndex>();
  /// The slot from which on payloads are still to be read; absent: all are.
  std::optional<Slot> resume = Slot{0};
};

LazyPayloadIndex::LazyPayloadIndex(const PointStore& points) : points_(points) {}

LazyPayloadIndex::~LazyPayloadIndex() = default;

bool LazyPayloadIndex::ready() const {
  const FairReadLock lock(mutex_);
  return ready_ != nullptr;
}

void LazyPayloadIndex::follow(const std::vector<PayloadChange>& changes) {
  if (building_) {
    for (const auto& change : changes) touched_.insert(change.slot);
    return;
  }
  const FairWriteLock lock(mutex_);
  if (!ready_) return;
  for (const auto& change : changes) {
    if (change.before) ready_->erase(change.slot, *change.before);
    if (change.after) ready_->put(change.slot, *change.after);
  }
}

Result<SlotMatch> LazyPayloadIndex::match(const CallContext& call, const Filter& filter) {
  QV_CHECK(ensure_ready(call));
  const FairReadLock lock(mutex_);
  return ready_->match(filter);
}

Result<std::vector<FieldSummary>> LazyPayloadIndex::fields(const CallContext& call,
                                                           std::size_t limit) {
  QV_CHECK(ensure_ready(call));
  const FairReadLock lock(mutex_);
  return ready_->fields(limit);
}

Status LazyPayloadIndex::ensure_ready(const CallContext& call) {
  {
    const FairReadLock lock(mutex_);
    if (ready_) return Done{};
  }
  QV_CHECK(turn_.take(call));
  auto status = build(call);
  if (!status.ok() && status.error().code != ErrorCode::DeadlineExceeded) abandon();
  turn_.give_back();
  return status;
}

std::pair<SlotSet, std::unique_ptr<PointStore::View>> LazyPayloadIndex::next_round() {
  return {std::exchange(touched_, {}), std::make_unique<PointStore::View>(points_)};
}

Status LazyPayloadIndex::build(const CallContext& call) {
  {
    // Somebody else may have finished while this caller waited.
    const FairReadLock lock(mutex_);
    if (ready_) return Done{};
  }
  if (!left_) {
    left_ = std::make_unique<Building>();
    const MutexLock lock(applying);
    left_->view = next_round().second;
    building_ = true;
  }
  QV_CHECK(read_all(call, *left_));
  for (int round = 0;; ++round) {
    std::pair<SlotSet, std::unique_ptr<PointStore::View>> written;
    {
      const MutexLock lock(applying);
      const bool last = touched_.size() <= kLastRoundMax || round == kRoundsMax;
      written = next_round();
      if (last) {
        QV_CHECK(catch_up(*left_, *written.second, written.first));
        const FairWriteLock publish(mutex_);
        ready_ = std::move(left_->index);
        building_ = false;
        break;
      }
    }
    QV_CHECK(catch_up(*left_, *written.second, written.first));
    left_->view = std::move(written.second);
  }
  left_.reset();
  return Done{};
}

void LazyPayloadIndex::abandon() {
  left_.reset();
  const MutexLock lock(applying);
  building_ = false;
  touched_ = {};
}

Status LazyPayloadIndex::read_all(const CallContext& call, Building& building) {
  while (building.resume) {
    QV_CHECK(call.check());
    std::size_t left = kPayloadsPerCheck;
    std::optional<Slot> stopped_at;
    QV_CHECK(building.view->each_payload(
        *building.resume, [&](Slot slot, const PayloadRecord& record) -> Result<bool> {
          if (left-- == 0) {
            stopped_at = slot;
            return false;
          }
          building.index->put(slot, record.payload);
          return true;
        }));
    building.resume = stopped_at;
  }
  return Done{};
}

Status LazyPayloadIndex::catch_up(Building& building, const PointStore::View& now,
                                  const SlotSet& touched) {
  const auto slots = list(touched);
  for (std::size_t from = 0; from < slots.size(); from += kPayloadsPerCheck) {
    const std::size_t size = std::min(kPayloadsPerCheck, slots.size() - from);
    const std::span<const Slot> some(slots.data() + from, size);
    QV_TRY(const auto before, building.view->payloads(some));
    QV_TRY(const auto after, now.payloads(some));
    for (std::size_t i = 0; i < size; ++i) {
      if (before[i]) building.index->erase(some[i], before[i]->payload);
      if (after[i]) building.index->put(some[i], after[i]->payload);
    }
  }
  return Done{};
}

}  // namespace quiver::storage
