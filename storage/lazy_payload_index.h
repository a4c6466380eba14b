#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/call_context.h"
#include "core/filter.h"
#include "core/mutex.h"
#include "core/result.h"
#include "storage/fair_mutex.h"
#include "storage/payload_index.h"
#include "storage/point_store.h"
#include "storage/turn.h"

namespace quiver::storage {

/// How one slot's payload changes; absent: the slot has none, before or after.
struct PayloadChange {
  Slot slot{0};
  std::optional<Json> before;
  std::optional<Json> after;
};

/// A PayloadIndex that is built when it is first asked, and follows the writes from then on.
///
///     idle --(first question)--> building --(all payloads read)--> ready
///
/// Whoever asks first builds, within its own deadline, and leaves what it did to the next one; the
/// others wait. Building reads the payloads of one moment, then those that were written meanwhile,
/// and so on until few are left; only these hold up a write.
///
/// Threads: any; follow() from the one that owns the shard's writes.
class LazyPayloadIndex {
 public:
  /// `points` must outlive it.
  explicit LazyPayloadIndex(const PointStore& points);
  ~LazyPayloadIndex();
  LazyPayloadIndex(const LazyPayloadIndex&) = delete;
  LazyPayloadIndex& operator=(const LazyPayloadIndex&) = delete;

  /// The owner of the writes holds it from before it writes to the points until it has called
  /// follow().
  Mutex applying;
  /// Whether follow() needs PayloadChange::before.
  bool ready() const QV_REQUIRES(applying);
  /// Takes in what a log entry did, after it was written to the points.
  void follow(const std::vector<PayloadChange>& changes) QV_REQUIRES(applying);

  /// Errors: DeadlineExceeded from `call` while the index is built; those of the point store.
  Result<SlotMatch> match(const CallContext& call, const Filter& filter);
  Result<std::vector<FieldSummary>> fields(const CallContext& call, std::size_t limit);

 private:
  struct Building;

  Status ensure_ready(const CallContext& call);
  Status build(const CallContext& call);
  /// After an error: the next caller begins anew.
  void abandon();
  Status read_all(const CallContext& call, Building& building);
  Status catch_up(Building& building, const PointStore::View& now, const SlotSet& touched);
  /// What was written since the last call, and a view that shows all of it.
  std::pair<SlotSet, std::unique_ptr<PointStore::View>> next_round() QV_REQUIRES(applying);

  const PointStore& points_;

  /// Of the one who builds. Taken before `applying`.
  Turn turn_;
  /// What the last one left; touched only by who has the turn.
  std::unique_ptr<Building> left_;

  mutable FairMutex mutex_;
  std::unique_ptr<PayloadIndex> ready_ QV_GUARDED_BY(mutex_);
  bool building_ QV_GUARDED_BY(applying) = false;
  /// Slots that were written since the building's last look.
  SlotSet touched_ QV_GUARDED_BY(applying);
};

}  // namespace quiver::storage
