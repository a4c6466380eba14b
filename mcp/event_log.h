#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/mutex.h"

namespace quiver::mcp {

/// What is kept for clients that may come back for it.
struct EventLogLimits {
  std::size_t session_events = 256;
  /// A session's newest event is kept even if it is larger than this.
  std::size_t session_bytes = std::size_t{1} << 20;
  /// Of all sessions. The oldest event of all makes room.
  std::size_t total_bytes = std::size_t{64} << 20;
};

/// Events of the streams of all sessions, in order, the oldest forgotten first.
///
/// Threads: any.
class EventLog {
 public:
  /// Of a session.
  using Owner = std::uint64_t;

  struct Event {
    /// Which of the session's streams.
    std::uint64_t stream = 0;
    /// Its place in that stream, from 1.
    std::uint64_t number = 0;
    std::string message;
  };

  explicit EventLog(const EventLogLimits& limits) : limits_(limits) {}

  /// Whether it is kept. It is not if it is larger than all that may be.
  bool add(Owner owner, Event event) QV_EXCLUDES(mutex_);
  /// Events of a stream that came after `number`, as far as they are kept.
  std::vector<Event> after(Owner owner, std::uint64_t stream, std::uint64_t number) const
      QV_EXCLUDES(mutex_);
  void forget(Owner owner) QV_EXCLUDES(mutex_);
  /// Held by all events, with what holding them costs.
  std::size_t bytes() const QV_EXCLUDES(mutex_);

 private:
  struct Kept {
    Owner owner;
    Event event;
  };
  struct Session {
    /// Oldest first.
    std::deque<std::list<Kept>::iterator> events;
    std::size_t bytes = 0;
  };

  static std::size_t cost(const Event& event) noexcept;
  /// Forgets the oldest event of a session.
  void drop_oldest(Owner owner) QV_REQUIRES(mutex_);

  const EventLogLimits limits_;
  mutable Mutex mutex_;
  /// Of all sessions, oldest first.
  std::list<Kept> kept_ QV_GUARDED_BY(mutex_);
  std::unordered_map<Owner, Session> sessions_ QV_GUARDED_BY(mutex_);
  std::size_t bytes_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::mcp
