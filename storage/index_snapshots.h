#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <thread>

#include "core/call_context.h"
#include "core/result.h"
#include "storage/hnsw_index.h"
#include "storage/live_slots.h"
#include "storage/rocks.h"
#include "storage/turn.h"

namespace quiver::storage {

/// Decides when a shard's graph is worth writing to disk, and writes it.
///
/// A snapshot never holds a slot that the state on disk has not given out: the state is flushed
/// between the writing of the file and its taking the old one's place. After a crash such a slot
/// could come back with another vector.
///
/// Threads: changed() from the one that owns the shard's writes; save() from any.
class IndexSnapshots {
 public:
  /// All must outlive it. `file` is where the snapshot lies.
  IndexSnapshots(HnswIndex& index, Rocks& rocks, const LiveSlots& live, std::filesystem::path file);
  /// Interrupts what it does in the background.
  ~IndexSnapshots();
  IndexSnapshots(const IndexSnapshots&) = delete;
  IndexSnapshots& operator=(const IndexSnapshots&) = delete;

  /// Vectors that were inserted or removed; begins to save in the background once they are many.
  void changed(std::uint64_t vectors);
  /// Whether opening the shard without a new snapshot would take noticeably longer.
  bool worth_saving_at_close() const;
  /// Writes the graph as it is.
  ///
  /// Errors: ResourceExhausted for a full disk; Unavailable for other I/O errors; DeadlineExceeded.
  Status save(const CallContext& call);

 private:
  Status write(const CallContext& call);
  void save_in_background();

  HnswIndex& index_;
  Rocks& rocks_;
  const LiveSlots& live_;
  const std::filesystem::path file_;
  const CancelToken cancel_ = CancelToken::make();
  /// Vectors changed since the last snapshot.
  std::atomic<std::uint64_t> pending_{0};
  Turn turn_;
  std::atomic<bool> running_{false};
  std::thread thread_;
};

}  // namespace quiver::storage
