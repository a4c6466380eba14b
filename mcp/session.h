#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/call_context.h"
#include "core/json.h"
#include "core/mutex.h"
#include "core/result.h"
#include "mcp/events.h"
#include "mcp/json_rpc.h"
#include "mcp/log_level.h"
#include "mcp/revision.h"

namespace quiver::mcp {

class Subscription;

/// What a connection, or an HTTP session, remembers between messages: what its handshake agreed on,
/// the requests that can still be cancelled, and what the server has asked the client. Modern
/// requests depend on none of it but to be cancelled.
///
/// Threads: any.
class Session {
 public:
  explicit Session(const Revision& revision = assumed_revision()) : revision_(&revision) {}

  /// Of legacy messages; assumed_revision() before a handshake.
  const Revision& revision() const noexcept { return *revision_.load(std::memory_order_acquire); }
  /// A handshake ended with this.
  void agree(const Revision& revision, Json capabilities);
  /// ClientCapabilities of the handshake; an empty object before it.
  Json capabilities() const;

  /// What logging/setLevel asked for; nothing before it.
  std::optional<LogLevel> log_level() const;
  void set_log_level(LogLevel level);

  /// Takes a request into flight. Nothing if one of that id is in flight.
  std::optional<CancelToken> begin(const Json& id);
  /// Ends what begin() began. Whether its reply is still wanted.
  bool finish(const Json& id);
  /// Fires the token of a request in flight; others are nothing to us: it may just have finished.
  void cancel(const Json& id);
  /// `cancelled` is called once if that request is cancelled, at once if it has been; not after it
  /// finished. Must not block.
  void on_cancel(const Json& id, std::function<void()> cancelled);
  void cancel_all();
  /// The same. The ids of those that the client had not cancelled: it waits for a word about them,
  /// and they will not give it.
  std::vector<Json> give_up_all();

  /// The result of a request of ours, or why there is none: Unavailable if it could not be sent or
  /// the session ended, FailedPrecondition if the client answered with an error.
  using Answered = std::function<void(Result<Json> result)>;

  /// Sends a request to the client; `send` says whether it could. `answered` is called once, on any
  /// thread, perhaps before this returns; it must not block. Returns the request's id.
  std::string ask(const std::string& method, const Json& params,
                  const std::function<bool(const std::string& message)>& send, Answered answered);
  /// Gives up on an answer: `answered` is let go of without a call, unless it has been called.
  void forget(const std::string& ask_id);
  /// How many answers are waited for.
  std::size_t asked() const;
  /// An answer came. One that nothing asked for is nothing to us.
  void resolve(const Response& response);
  /// No more answers will come, and nothing more is pushed.
  void end();

  /// How messages that belong to no request reach the client. Yes: one was sent, or kept for a
  /// client that comes back. Must not block. Null: there is no way.
  using Push = std::function<Told(const std::string& message)>;
  void set_push(Push push) QV_EXCLUDES(push_mutex_);
  /// Sends a notification that nothing asked for. Dropped unless Told::Yes.
  Told push(const std::string& message) QV_EXCLUDES(push_mutex_);

  /// What tells the client of changes; null before subscribe().
  std::shared_ptr<Subscription> subscription() const;
  void subscribe(std::shared_ptr<Subscription> subscription);

 private:
  struct InFlight {
    CancelToken cancel;
    bool is_cancelled = false;
    std::function<void()> cancelled = nullptr;
  };

  std::atomic<const Revision*> revision_;
  std::atomic<int> log_level_{-1};
  mutable Mutex mutex_;
  Json capabilities_ QV_GUARDED_BY(mutex_) = Json::object();
  /// By the id's JSON text: 7 and "7" are different ids.
  std::map<std::string, InFlight> in_flight_ QV_GUARDED_BY(mutex_);
  std::map<std::string, Answered> asked_ QV_GUARDED_BY(mutex_);
  std::uint64_t asks_ QV_GUARDED_BY(mutex_) = 0;
  bool ended_ QV_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Subscription> subscription_ QV_GUARDED_BY(mutex_);
  /// Held while a message is pushed, so that a way which was taken back is no longer in use.
  Mutex push_mutex_;
  Push push_ QV_GUARDED_BY(push_mutex_);
};

}  // namespace quiver::mcp
