#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/clock.h"
#include "core/mutex.h"
#include "core/result.h"
#include "mcp/event_log.h"
#include "mcp/http_session.h"

namespace quiver::mcp {

struct HttpSessionLimits {
  std::size_t sessions = 10'000;
  /// A session that was not in use for so long ends.
  std::chrono::milliseconds idle = std::chrono::minutes(30);
  EventLogLimits events = {};
  std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>();
};

/// The sessions of legacy clients by HTTP. They end by DELETE, when idle, and to make room: the one
/// that was idle longest goes first, none that is in use.
///
/// Threads: any.
class HttpSessions {
 public:
  explicit HttpSessions(const HttpSessionLimits& limits);
  /// end_all().
  ~HttpSessions();
  HttpSessions(const HttpSessions&) = delete;
  HttpSessions& operator=(const HttpSessions&) = delete;

  /// Errors: ResourceExhausted if there are as many as may be, all in use.
  Result<std::shared_ptr<HttpSession>> begin() QV_EXCLUDES(mutex_);
  /// Null if there is none of that id, any more.
  std::shared_ptr<HttpSession> find(std::string_view id) QV_EXCLUDES(mutex_);
  /// Whether there was one.
  bool end(std::string_view id) QV_EXCLUDES(mutex_);
  void end_all() QV_EXCLUDES(mutex_);

  std::vector<std::shared_ptr<HttpSession>> all() const QV_EXCLUDES(mutex_);
  std::size_t size() const QV_EXCLUDES(mutex_);

 private:
  using SessionPtr = std::shared_ptr<HttpSession>;
  struct Entry {
    SessionPtr session;
    /// No later than it was last in use.
    std::chrono::steady_clock::time_point seen;
  };
  using Entries = std::list<Entry>;

  /// Takes out the sessions that were idle too long.
  void sweep(std::vector<SessionPtr>& ended) QV_REQUIRES(mutex_);
  /// Takes out the one that was idle longest; null if all are in use.
  SessionPtr evict() QV_REQUIRES(mutex_);
  SessionPtr take(Entries::iterator entry) QV_REQUIRES(mutex_);
  void move_to_end(Entries::iterator entry) QV_REQUIRES(mutex_);

  const HttpSessionLimits limits_;
  const std::shared_ptr<EventLog> log_;
  mutable Mutex mutex_;
  /// By `seen`, oldest first.
  Entries entries_ QV_GUARDED_BY(mutex_);
  /// The keys are the sessions' own ids.
  std::unordered_map<std::string_view, Entries::iterator> by_id_ QV_GUARDED_BY(mutex_);
  std::uint64_t begun_ QV_GUARDED_BY(mutex_) = 0;
};

}  // namespace quiver::mcp
