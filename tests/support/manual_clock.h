#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "core/clock.h"

namespace quiver {

/// A clock that only the test moves.
class ManualClock final : public Clock {
 public:
  std::int64_t wall_ms() const override { return ms_.load(); }
  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(ms_.load()));
  }
  void advance_ms(std::int64_t by) { ms_.fetch_add(by); }

 private:
  std::atomic<std::int64_t> ms_{1'700'000'000'000};
};

}  // namespace quiver
