#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/http.h"
#include "core/mutex.h"

namespace quiver::app {

/// Memory that the bodies of all requests may take together, and what of it is in use.
///
/// Threads: any.
struct BodyBudget {
  explicit BodyBudget(std::size_t bytes_max) : max(bytes_max) {}

  std::atomic<std::size_t> used{0};
  const std::size_t max;
};

/// A part of a budget, given back when it goes.
class BodyShare {
 public:
  explicit BodyShare(std::shared_ptr<BodyBudget> budget) : budget_(std::move(budget)) {}
  ~BodyShare() { release(); }
  BodyShare(BodyShare&& other) noexcept
      : budget_(other.budget_), held_(std::exchange(other.held_, 0)) {}
  BodyShare(const BodyShare&) = delete;
  BodyShare& operator=(const BodyShare&) = delete;
  BodyShare& operator=(BodyShare&&) = delete;

  /// False, and nothing more is held, if there is not that much.
  bool grow_to(std::size_t bytes) {
    if (bytes <= held_) return true;
    const std::size_t more = bytes - held_;
    if (budget_->used.fetch_add(more) + more > budget_->max) {
      budget_->used -= more;
      return false;
    }
    held_ = bytes;
    return true;
  }
  void release() { budget_->used -= std::exchange(held_, 0); }

 private:
  const std::shared_ptr<BodyBudget> budget_;
  std::size_t held_ = 0;
};

/// One response on its way from a handler, on any thread, to the connection that sends it.
///
///   Pending --respond--> Whole ------------------+
///      |                                         +--finish, lose--> Closed
///      +----stream---> Open --end--> Ended ------+
///                        |                       |
///                        +--let go, overflow--> Broken
///
/// Threads: any. No lock is held while others' code is called.
class HttpExchange {
 public:
  /// What there is to send. With neither head nor bytes nor an end there is nothing.
  struct Piece {
    std::optional<HttpResponse> head;
    /// Of a head: begins a stream.
    bool streams = false;
    std::string bytes;
    /// The response ends here.
    bool last = false;
    /// There is no good end: the connection must be cut.
    bool broken = false;

    bool empty() const { return !head && bytes.empty() && !last && !broken; }
  };

  /// `wake` is called when there may be something to take, on the thread that gave it. `share` is
  /// held until the handler has replied: until then it has the request, whether or not its client
  /// still waits.
  HttpExchange(std::size_t stream_bytes_max, std::function<void()> wake, BodyShare share)
      : stream_bytes_max_(stream_bytes_max), wake_(std::move(wake)), share_(std::move(share)) {}

  /// What the handler gets.
  static std::shared_ptr<HttpResponder> responder(std::shared_ptr<HttpExchange> exchange);

  // The handler's side, by way of HttpResponder and HttpStream.

  void respond(HttpResponse response) QV_EXCLUDES(mutex_);
  /// False if nothing can be written.
  bool open(HttpResponse head) QV_EXCLUDES(mutex_);
  void on_gone(std::function<void()> gone) QV_EXCLUDES(mutex_);
  bool write(std::string_view bytes) QV_EXCLUDES(mutex_);
  void end() QV_EXCLUDES(mutex_);
  void let_go_of_responder() QV_EXCLUDES(mutex_);
  void let_go_of_stream() QV_EXCLUDES(mutex_);

  // The connection's side.

  Piece take() QV_EXCLUDES(mutex_);
  bool is_broken() const QV_EXCLUDES(mutex_);
  /// So many of the bytes that were taken have left.
  void sent(std::size_t bytes) QV_EXCLUDES(mutex_);
  /// All of the response was sent.
  void finish() QV_EXCLUDES(mutex_);
  /// The client is out of reach.
  void lose() QV_EXCLUDES(mutex_);

 private:
  enum class State { Pending, Whole, Open, Ended, Broken, Closed };

  /// Whether the connection must be woken: it looks at everything whenever it wakes.
  bool must_wake() QV_REQUIRES(mutex_) { return !std::exchange(woken_, true); }

  const std::size_t stream_bytes_max_;
  const std::function<void()> wake_;

  mutable Mutex mutex_;
  BodyShare share_ QV_GUARDED_BY(mutex_);
  State state_ QV_GUARDED_BY(mutex_) = State::Pending;
  std::optional<HttpResponse> head_ QV_GUARDED_BY(mutex_);
  std::string queued_ QV_GUARDED_BY(mutex_);
  /// Of a stream: queued, or taken and not sent.
  std::size_t unsent_ QV_GUARDED_BY(mutex_) = 0;
  /// Until the first take() nobody sleeps.
  bool woken_ QV_GUARDED_BY(mutex_) = true;
  bool is_gone_ QV_GUARDED_BY(mutex_) = false;
  std::function<void()> gone_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::app
