#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/call_context.h"
#include "core/mutex.h"
#include "core/result.h"
#include "storage/distance.h"
#include "storage/vector_heap.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// Vectors in contiguous chunks that never move, scanned without a lock.
///
/// A vector is written before its chunk's count admits it; an erased one stays where it is, marked,
/// until its whole chunk is dropped or rewritten. Readers hold the chunks they look at. Chunks
/// start small and double, so that a collection of ten points costs little.
///
/// Threads: append() from one thread; all else from any.
class VectorChunks {
 public:
  class Chunk;

  /// A vector that stays readable, whatever happens to its slot.
  struct Pinned {
    /// Shape [dim].
    const float* vector;
    std::shared_ptr<const Chunk> keeper;
  };

  explicit VectorChunks(std::size_t dim);
  ~VectorChunks();
  VectorChunks(const VectorChunks&) = delete;
  VectorChunks& operator=(const VectorChunks&) = delete;

  /// `vector` has shape [dim].
  /// Errors: InvalidArgument if `slot` is here already; ResourceExhausted without memory.
  Status append(Slot slot, std::span<const float> vector);
  /// False if `slot` is not here.
  bool erase(Slot slot);
  /// Erases `slot` after `publish()` has made it findable elsewhere; does neither and returns false
  /// if `slot` is not here. No erase() of it comes between the two.
  template <typename Publish>
  bool publish_elsewhere(Slot slot, Publish publish) {
    const WriteLock lock(mutex_);
    if (places_.count(raw(slot)) == 0) return false;
    publish();
    erase_locked(slot);
    return true;
  }

  bool contains(Slot slot) const;
  std::optional<Pinned> find(Slot slot) const;
  /// In the order they came.
  std::vector<Slot> slots() const;
  std::size_t size() const noexcept { return live_.load(std::memory_order_relaxed); }

  /// Offers every allowed vector to `heap`. Errors: DeadlineExceeded from `call`.
  Status scan(const CallContext& call, const IndexQuery& query, DistanceFunction distance,
              NearestHeap& heap) const;

 private:
  struct Place {
    std::shared_ptr<Chunk> chunk;
    std::uint32_t index = 0;
  };
  using Chunks = std::vector<std::shared_ptr<Chunk>>;
  using Places = std::unordered_map<std::uint32_t, Place>;

  std::shared_ptr<const Chunks> chunks() const;
  std::shared_ptr<Chunk> chunk_after(const Chunks& chunks) const;
  void erase_locked(Slot slot) QV_REQUIRES(mutex_);
  void drop_chunk(const Chunk& chunk) QV_REQUIRES(mutex_);
  void compact() QV_REQUIRES(mutex_);
  Status scan_all(const CallContext& call, const IndexQuery& query, DistanceFunction distance,
                  NearestHeap& heap) const;
  Status scan_allowed(const CallContext& call, const IndexQuery& query, DistanceFunction distance,
                      NearestHeap& heap) const;

  const std::size_t dim_;
  std::atomic<std::size_t> live_{0};

  mutable SharedMutex mutex_;
  /// Replaced as a whole when a chunk comes or goes, so that readers keep a consistent list.
  std::shared_ptr<const Chunks> chunks_ QV_GUARDED_BY(mutex_);
  Places places_ QV_GUARDED_BY(mutex_);
  /// Entries in the chunks of the list, erased ones among them.
  std::size_t stored_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::storage
