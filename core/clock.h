#pragma once

#include <chrono>
#include <cstdint>

namespace quiver {

/// Time as the system sees it. Tests put a hand-moved clock in its place.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Unix milliseconds, UTC. May jump.
  virtual std::int64_t wall_ms() const = 0;
  /// Never goes back.
  virtual std::chrono::steady_clock::time_point now() const = 0;
};

/// The machine's own clocks.
class SystemClock final : public Clock {
 public:
  std::int64_t wall_ms() const override;
  std::chrono::steady_clock::time_point now() const override;
};

}  // namespace quiver
