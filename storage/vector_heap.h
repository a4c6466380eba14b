#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "storage/vector_index.h"

namespace quiver::storage {

/// The order of an index's results: nearest first, ties by slot.
inline bool nearer(const Neighbor& a, const Neighbor& b) noexcept {
  return a.distance != b.distance ? a.distance < b.distance : raw(a.slot) < raw(b.slot);
}

/// Farther than every vector.
inline constexpr float kAnyDistance = std::numeric_limits<float>::infinity();

/// Keeps the `k` nearest of all neighbours that it is offered, none farther than `farthest`.
///
/// Threads: like a standard container.
class NearestHeap {
 public:
  explicit NearestHeap(std::size_t k, float farthest = kAnyDistance) : k_(k), bound_(farthest) {}

  void offer(const Neighbor& candidate) {
    if (candidate.distance > bound_) return;
    if (heap_.size() < k_) {
      heap_.push_back(candidate);
      std::push_heap(heap_.begin(), heap_.end(), nearer);
    } else if (nearer(candidate, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), nearer);
      heap_.back() = candidate;
      std::push_heap(heap_.begin(), heap_.end(), nearer);
    }
    if (heap_.size() == k_) bound_ = heap_.front().distance;
  }

  /// In order; leaves the heap empty.
  std::vector<Neighbor> take_sorted() {
    std::sort_heap(heap_.begin(), heap_.end(), nearer);
    return std::exchange(heap_, {});
  }

 private:
  std::size_t k_;
  /// What lies farther is not wanted any more.
  float bound_;
  std::vector<Neighbor> heap_;
};

}  // namespace quiver::storage
