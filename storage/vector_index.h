#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/call_context.h"
#include "core/result.h"
#include "storage/slot_set.h"

namespace quiver::storage {

struct Neighbor {
  Slot slot;
  float distance;  ///< Smaller is nearer, for every metric (storage/distance.h).
};

/// What a search asks of an index.
struct IndexQuery {
  /// Shape [dim].
  std::span<const float> vector;
  /// Most neighbours to return, but for `ties`; at least 1.
  std::size_t k = 10;
  /// Candidates to keep while walking a graph; raised to k. Ignored by exact search.
  std::size_t ef = 128;
  /// Slots that may be returned; null: all. Borrowed for the call.
  const SlotSet* allowed = nullptr;
  /// Return also all further ones that score like the last of the k (storage/distance.h, alike):
  /// the caller decides among them.
  bool ties = false;
};

/// Finds the slots whose vectors lie nearest to a query.
///
/// An index is derived state: losing it costs a rebuild from PointStore, never data.
///
/// Threads: search(), scan() and the counters may run concurrently with everything. insert() and
/// remove() come from the one thread that owns the shard's writes.
class VectorIndex {
 public:
  virtual ~VectorIndex() = default;

  /// Makes `vector` (shape [dim], finite, unit length if the metric is cosine) findable as `slot`
  /// before it returns. A slot is inserted once: replacing a point takes a new slot.
  ///
  /// Errors: InvalidArgument if vector.size() != dim(); ResourceExhausted at capacity.
  virtual Status insert(Slot slot, std::span<const float> vector) = 0;

  /// Stops returning `slot`. Removing an absent slot is not an error: log replay may repeat it.
  virtual Status remove(Slot slot) = 0;

  /// The at most `k` nearest allowed slots, nearest first; ties by slot. May miss some of the true
  /// nearest, and under `allowed` may return fewer than exist: the caller falls back to scan().
  /// With `ties` none of those that tie with the k-th of these is missing because of a limit.
  ///
  /// Errors: InvalidArgument if the dimension is wrong or k == 0; DeadlineExceeded from `call`.
  virtual Result<std::vector<Neighbor>> search(const CallContext& call,
                                               const IndexQuery& query) const = 0;

  /// The same, exactly: looks at every allowed vector. O(allowed * dim).
  virtual Result<std::vector<Neighbor>> scan(const CallContext& call,
                                             const IndexQuery& query) const = 0;

  virtual std::size_t dim() const noexcept = 0;
  /// Slots that can be returned now.
  virtual std::size_t size() const noexcept = 0;
};

}  // namespace quiver::storage
