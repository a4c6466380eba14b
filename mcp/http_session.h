#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/http.h"
#include "core/mutex.h"
#include "mcp/event_log.h"
#include "mcp/event_stream.h"
#include "mcp/session.h"

namespace quiver::mcp {

/// The place of an event among those of a session, as its id says.
struct EventPosition {
  std::uint64_t stream = 0;
  std::uint64_t number = 0;
};

/// Reads an event's id, "<stream>:<number>"; nothing if it is none of ours.
std::optional<EventPosition> read_event_id(std::string_view id);

/// A session of a legacy client by HTTP: what it agreed on, and its streams.
///
/// Stream 0 is the one of GET, which carries what nothing asked for; each POST that is answered by
/// a stream has one of its own.
///
/// Threads: any.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  /// Why a stream cannot be had.
  enum class Refusal { AlreadyOpen, UnknownEvent, Ended };

  /// `number` names it in the log.
  HttpSession(std::string id, std::shared_ptr<EventLog> log, EventLog::Owner number,
              std::shared_ptr<const Clock> clock);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  const std::string& id() const noexcept { return id_; }
  std::shared_ptr<Session> session() { return {shared_from_this(), &session_}; }
  const Revision& revision() const noexcept { return session_.revision(); }

  /// A request under way: while there is one, the session is in use.
  class Use {
   public:
    explicit Use(std::shared_ptr<HttpSession> session) : session_(std::move(session)) {
      ++session_->uses_;
    }
    ~Use() {
      session_->touch();
      --session_->uses_;
    }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    const std::shared_ptr<HttpSession> session_;
  };

  /// A request is under way, or the client listens.
  bool in_use() const QV_EXCLUDES(mutex_);
  /// When it was last in use, or touched.
  std::chrono::steady_clock::time_point last_used() const noexcept { return last_used_; }
  void touch() { last_used_ = clock_->now(); }

  /// A stream for what belongs to one POST.
  std::shared_ptr<EventStream> begin_stream() QV_EXCLUDES(mutex_);
  /// It will carry no more.
  void end_stream(const EventStream& stream) QV_EXCLUDES(mutex_);

  /// Opens the stream of GET. The responder is used unless there is a refusal.
  std::optional<Refusal> listen(const std::shared_ptr<HttpResponder>& responder)
      QV_EXCLUDES(mutex_);
  /// Goes on with a stream after the last event that the client has seen. Where events of the
  /// stream of GET are not kept any more, it is told of anything it subscribed to.
  std::optional<Refusal> resume(EventPosition seen, const std::shared_ptr<HttpResponder>& responder)
      QV_EXCLUDES(mutex_);

  /// Ends the stream of GET in good order; the client may come back.
  void stop_listening() QV_EXCLUDES(mutex_);
  /// Ends all that is under way.
  void end() QV_EXCLUDES(mutex_);

 private:
  Told push(const std::string& message) QV_EXCLUDES(mutex_);
  /// Tells the client of what has changed while it could not be reached.
  void tell_what_is_kept();
  /// Whether events of the stream of GET that came after this one are not kept any more.
  bool has_gap_after(std::uint64_t number) const QV_EXCLUDES(mutex_);
  /// resume(), but for that.
  std::optional<Refusal> go_on(EventPosition seen, const std::shared_ptr<HttpResponder>& responder)
      QV_EXCLUDES(mutex_);
  std::shared_ptr<EventStream> make_stream(std::uint64_t number);
  void attach(EventStream& stream, const std::shared_ptr<HttpResponder>& responder,
              std::uint64_t after);

  const std::string id_;
  const std::shared_ptr<EventLog> log_;
  const EventLog::Owner number_;
  const std::shared_ptr<const Clock> clock_;
  Session session_;
  std::atomic<std::size_t> uses_{0};
  std::atomic<std::chrono::steady_clock::time_point> last_used_;

  mutable Mutex mutex_;
  /// Those that may still carry something, by number; 0 from the first GET on.
  std::map<std::uint64_t, std::shared_ptr<EventStream>> streams_ QV_GUARDED_BY(mutex_);
  std::uint64_t streams_begun_ QV_GUARDED_BY(mutex_) = 0;
  bool ended_ QV_GUARDED_BY(mutex_) = false;
};

}  // namespace quiver::mcp
