#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/ids.h"
#include "core/mutex.h"
#include "core/read_level.h"
#include "core/result.h"

namespace quiver {

class CancelWatch;

/// Tells work that its caller has gone away. Copies share one flag; a default one never fires.
class CancelToken {
 public:
  CancelToken() = default;
  static CancelToken make() {
    CancelToken token;
    token.state_ = std::make_shared<State>();
    return token;
  }
  /// Only on a token from make().
  void cancel() const noexcept;
  bool cancelled() const noexcept {
    return state_ && state_->fired.load(std::memory_order_relaxed);
  }
  /// Calls `then` once when the token fires, on the thread that cancels; at once if it has fired.
  /// It must neither block nor throw, and is kept for as long as the token: it should not own it.
  void on_cancel(std::function<void()> then) const;
  /// The same for as long as what it returns lives: for work that ends before the token does.
  [[nodiscard]] CancelWatch watch(std::function<void()> then) const;
  /// What would be called.
  std::size_t watchers() const;

 private:
  friend class CancelWatch;
  struct State {
    std::atomic<bool> fired{false};
    Mutex mutex;
    std::uint64_t last_key QV_GUARDED_BY(mutex) = 0;
    std::map<std::uint64_t, std::function<void()>> then QV_GUARDED_BY(mutex);
  };
  /// Nothing if it was called at once, or never will be.
  std::optional<std::uint64_t> add(std::function<void()> then) const;

  std::shared_ptr<State> state_;
};

/// Something that CancelToken::watch() calls, until this is destroyed. On another thread it may be
/// running just then: it must own, or hold weakly, what it works with.
class CancelWatch {
 public:
  CancelWatch() = default;
  ~CancelWatch() { end(); }
  CancelWatch(CancelWatch&& other) noexcept = default;
  CancelWatch& operator=(CancelWatch&& other) noexcept;

 private:
  friend class CancelToken;
  CancelWatch(std::shared_ptr<CancelToken::State> state, std::uint64_t key)
      : state_(std::move(state)), key_(key) {}
  void end() noexcept;

  std::shared_ptr<CancelToken::State> state_;
  std::uint64_t key_ = 0;
};

/// How far a call has come; `total` 0 means unknown. Called from the working thread; must not
/// block.
using ProgressSink =
    std::function<void(std::uint64_t done, std::uint64_t total, const std::string& message)>;

/// Who asks, until when, and how to tell them. First argument of everything that may take time.
struct CallContext {
  std::optional<std::chrono::steady_clock::time_point> deadline;
  CancelToken cancel;
  /// Names the write across retries; empty: not retried.
  RequestId request_id;
  /// How new what is read must be, where a shard has several copies. Absent: as the collection
  /// says.
  std::optional<ReadLevel> read_level;
  /// Null: nobody listens.
  ProgressSink progress;

  /// Errors: DeadlineExceeded when out of time or cancelled. Work calls it every few milliseconds.
  Status check() const;
};

}  // namespace quiver
