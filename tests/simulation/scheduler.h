#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace quiver::simulation {

/// Microseconds of the virtual clock.
using Micros = std::int64_t;
constexpr Micros kMillisecond = 1'000;
constexpr Micros kSecond = 1'000'000;

/// A virtual clock and what is to happen when. What is to happen at the same time happens in the
/// order in which it was asked for.
class Scheduler {
 public:
  using Work = std::function<void()>;

  Micros now() const noexcept { return now_; }
  void after(Micros delay, Work work) {
    heap_.push_back({now_ + delay, order_++, std::move(work)});
    std::push_heap(heap_.begin(), heap_.end());
  }
  /// Whether there was something up to `until`; else it is `until` now.
  bool run_next(Micros until) {
    if (heap_.empty() || heap_.front().at > until) {
      now_ = until;
      return false;
    }
    std::pop_heap(heap_.begin(), heap_.end());
    Item item = std::move(heap_.back());
    heap_.pop_back();
    now_ = item.at;
    item.work();
    return true;
  }

 private:
  struct Item {
    Micros at;
    std::uint64_t order;
    Work work;
    bool operator<(const Item& other) const noexcept {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  Micros now_ = 0;
  std::uint64_t order_ = 0;
  std::vector<Item> heap_;
};

}  // namespace quiver::simulation
