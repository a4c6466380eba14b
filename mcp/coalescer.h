#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "mcp/events.h"

namespace quiver::mcp {

/// Says when to tell of events that come faster than they are worth telling: the first of a kind at
/// once, those that follow together once the interval since is over. The last is never lost.
///
/// Keeps no clock of its own. Threads: one at a time.
class Coalescer {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Coalescer(std::chrono::milliseconds interval) : interval_(interval) {}

  void add(const Event& event, Time now);
  /// Those to tell of now, each once.
  std::vector<Event> take(Time now);
  /// When take() will have something; nothing: not before the next add().
  std::optional<Time> next() const;

 private:
  struct Entry {
    Time due;
    bool pending;
  };

  const std::chrono::milliseconds interval_;
  /// Events that wait, or were told less than an interval ago.
  std::map<Event, Entry> entries_;
};

}  // namespace quiver::mcp
