#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/call_context.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Who may send or fetch how much when: a token bucket in which each transfer has the same share.
/// Pure: what time it is comes with each call.
///
/// What was saved up in quiet times, at most that of kBurst, goes at once; so of any span of time
/// no more goes than what it and kBurst are worth, and one piece. Of those that wait the transfer
/// comes next that has had the fewest bytes since it began to wait, the first of equals.
///
/// Threads: one at a time.
class PaceSchedule {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Ticket = std::uint64_t;
  static constexpr std::chrono::milliseconds kBurst{250};

  /// At least 1.
  explicit PaceSchedule(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}

  /// `bytes` of `transfer` wait for their turn.
  Ticket ask(const std::string& transfer, std::uint64_t bytes);
  /// Who asked has gone away, and has had nothing.
  void withdraw(Ticket ticket);
  struct Turn {
    Ticket ticket = 0;
    /// From when on it may go.
    Time at;
  };
  /// Whose turn it is; nothing: nobody waits.
  std::optional<Turn> next() const;
  /// Those of next() go, not before its time.
  void grant(Time now);
  std::size_t waiting() const noexcept { return waiting_.size(); }

 private:
  /// Counts in bytes of one transfer, if all that wait go side by side.
  using Share = std::uint64_t;
  struct Waiting {
    std::string transfer;
    std::uint64_t bytes;
    Share from;
  };

  std::uint64_t bytes_per_second_;
  Ticket last_ = 0;
  std::map<Ticket, Waiting> waiting_;
  /// Where the latest piece of each transfer ends that was lately granted, or waits.
  std::map<std::string, Share> ends_;
  Share now_ = 0;
  /// When all that was granted has been worth its time.
  Time paid_until_;
};

/// Bounds the bytes a second of all transfers of a server in one direction, and counts them.
///
/// Threads: any.
class Pace {
 public:
  /// 0: unlimited.
  explicit Pace(std::uint64_t bytes_per_second);
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  /// Waits until these bytes of a transfer may go, and counts them.
  ///
  /// Errors: those of CallContext::check(), as soon as it fails: then they are not to go.
  Status take(const CallContext& call, const std::string& transfer, std::uint64_t bytes);
  /// 0: unlimited.
  std::uint64_t bytes_per_second() const noexcept { return bytes_per_second_; }
  /// Of one piece, so that several transfers take turns often: at most `most`.
  std::size_t piece_bytes(std::size_t most) const noexcept;
  /// Of all that went since the start.
  std::uint64_t bytes() const;
  /// Pieces that wait for their turn.
  std::size_t waiting() const;

 private:
  /// Shared with the tokens of those who wait, which may fire just when the wait ends.
  struct State {
    mutable Mutex mutex;
    CondVar changed;
    PaceSchedule schedule QV_GUARDED_BY(mutex);
    std::uint64_t bytes QV_GUARDED_BY(mutex) = 0;
    explicit State(std::uint64_t rate) : schedule(rate) {}
  };

  const std::uint64_t bytes_per_second_;
  const std::shared_ptr<State> state_;
};

/// Of all that a server copies to others, and of all that it copies from others.
struct Paces {
  std::shared_ptr<Pace> out = std::make_shared<Pace>(0);
  std::shared_ptr<Pace> in = std::make_shared<Pace>(0);
};

}  // namespace quiver::cluster
