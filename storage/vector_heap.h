#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "storage/vector_index.h"

namespace quiver::storage {

/// The order of search results: nearest first, ties by slot.
inline bool nearer(const Neighbor& a, const Neighbor& b) noexcept {
  return a.distance != b.distance ? a.distance < b.distance : raw(a.slot) < raw(b.slot);
}

/// Keeps the `k` nearest of all neighbours that it is offered.
///
/// Threads: like a standard container.
class NearestHeap {
 public:
  explicit NearestHeap(std::size_t k) : k_(k) {}

  void offer(const Neighbor& candidate) {
    if (heap_.size() < k_) {
      heap_.push_back(candidate);
      std::push_heap(heap_.begin(), heap_.end(), nearer);
    } else if (nearer(candidate, heap_.front())) {
      std::pop_heap(heap_.begin(), heap_.end(), nearer);
      heap_.back() = candidate;
      std::push_heap(heap_.begin(), heap_.end(), nearer);
    }
  }

  /// In order; leaves the heap empty.
  std::vector<Neighbor> take_sorted() {
    std::sort_heap(heap_.begin(), heap_.end(), nearer);
    return std::exchange(heap_, {});
  }

 private:
  std::size_t k_;
  std::vector<Neighbor> heap_;
};

}  // namespace quiver::storage
