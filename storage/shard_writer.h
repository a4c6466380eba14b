#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/mutation.h"
#include "core/result.h"
#include "storage/shard_log.h"
#include "storage/shard_state.h"

namespace quiver::storage {

/// Carries out log entries on the state of a shard.
///
/// Deterministic: the same log makes the same points, slots and results on every copy.
///
/// Threads: the one that owns the shard's writes.
class ShardWriter {
 public:
  /// `state` must outlive it; `mark` is what its points say.
  ShardWriter(ShardState& state, const StateMark& mark)
      : state_(state), mark_(mark), next_slot_(mark.next_slot) {}

  /// The entry behind the last one; visible to readers on return. An entry whose request id was
  /// applied within the last Options::log_entries_kept entries changes nothing and has the first
  /// result.
  ///
  /// Errors: those of the points and of the index. The shard must then be opened anew.
  Result<MutationResult> apply(const ShardLog::Stored& stored);

  /// Forgets request ids and log entries beyond what the options keep. Log entries go only when a
  /// flush has made durable that they do and that they were applied: until then a crash needs them.
  Status retain(ShardLog& log);

  const StateMark& mark() const noexcept { return mark_; }
  /// From any thread; slots of an entry that is being applied may be missing.
  std::uint32_t next_slot() const noexcept { return next_slot_.load(std::memory_order_relaxed); }
  /// Log entries from `seq` on stay, up to Options::log_bytes_pinned. From any thread.
  void keep_log_from(Seq seq) noexcept { needed_from_.store(seq, std::memory_order_relaxed); }
  /// Vectors inserted or removed since the start.
  std::uint64_t vectors_changed() const noexcept { return vectors_changed_; }

 private:
  /// What an entry does to everything but the points.
  struct Change {
    struct Vector {
      Slot slot{0};
      std::vector<float> form;
    };
    std::vector<Vector> vectors;
    std::vector<LiveSlots::Entry> removed;
    std::vector<LiveSlots::Entry> added;
    std::vector<PayloadChange> payloads;
    MutationResult result;
  };
  struct Step;

  Status resolve(Step& step, const UpsertPoints& upsert);
  Status resolve(Step& step, const ErasePoints& erase);
  Status resolve(Step& step, const EraseExpired& erase);
  Status resolve(Step& step, const UpdatePayload& update);
  Status erase_found(Step& step, const std::vector<PointId>& ids,
                     const std::vector<std::optional<PointRecord>>& found);
  Status publish(const Change& change) QV_REQUIRES(state_.payloads.applying);
  Status trim_requests(StateBatch& batch);
  Status trim_log();

  ShardState& state_;
  StateMark mark_;
  std::atomic<std::uint32_t> next_slot_;
  /// Nobody else needs any of the log.
  static constexpr Seq kNotNeeded{~std::uint64_t{0}};
  std::atomic<Seq> needed_from_{kNotNeeded};
  std::uint64_t vectors_changed_ = 0;
};

}  // namespace quiver::storage
