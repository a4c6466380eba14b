#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/fan_out.h"
#include "cluster/migration/operations.h"
#include "cluster/upkeep/move_progress.h"
#include "cluster/upkeep/sightings.h"
#include "cluster/upkeep/upkeep.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Which server looks after the cluster, as far as this one knows.
struct Leading {
  bool self = false;
  /// Absent: none that it knows of.
  std::optional<NodeId> node;
};

/// Has the shards with several copies looked after: rounds of Upkeep, the moves that people asked
/// for, and a list of what nothing can be done about.
///
/// The server that leads does all of it. Every other one watches, and where a primary's server is
/// down it promotes, and nothing else, if the leader is down too or does nothing about it for a
/// while. So a primary that is gone is replaced as soon as others see that it is, however long the
/// leader's lease goes on: a shorter lease would be lost for a slow store, and help no sooner.
///
/// Threads: any. Works on a thread of its own between start() and stop().
class CopyWarden {
 public:
  struct Options {
    /// Between the rounds of the server that leads. Who goes down or comes back begins one at once.
    std::chrono::milliseconds every{1'000};
    /// How often it looks who is down, which costs no call.
    std::chrono::milliseconds look_every{100};
    /// How long others leave it to a leader that works to replace a primary.
    std::chrono::milliseconds stand_in_after{3'000};
    /// A move ends when the server that it leads to is down for so long.
    std::chrono::milliseconds abandon_after{120'000};
    /// A server that does not answer holds a round up for its `patience`.
    Upkeep::Options upkeep{{}, std::chrono::milliseconds{1'000}};
  };
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    const Clock& clock;
    /// Which servers are out of reach now.
    std::function<Liveness(const ClusterView&)> liveness;
    FanOut& fan_out;
    ReachNode reach;
    std::function<Leading()> leader;
  };
  /// What the list of unresolved() names at most.
  static constexpr std::size_t kUnresolvedListed = 200;

  CopyWarden(Parts parts, const Options& options);
  /// stop().
  ~CopyWarden();
  CopyWarden(const CopyWarden&) = delete;
  CopyWarden& operator=(const CopyWarden&) = delete;

  void start();
  void stop();

  /// A round of all that is to be done, whoever leads. What fails in one place keeps no other from
  /// its turn.
  ///
  /// Errors: the first; those of Upkeep and CoordinationStore.
  Status round(const CallContext& call);
  /// Another primary for each that is gone, and nothing else. Errors: as round().
  Status promote(const CallContext& call);

  /// Shards that nothing can be done about, as the last round of the server that leads left them.
  struct Helpless {
    /// In the order of collections and shards; the first kUnresolvedListed.
    std::vector<Unresolved> shards;
    std::uint64_t count = 0;

    bool operator==(const Helpless&) const = default;
  };
  Helpless unresolved() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  using StoredMove = Operations::StoredMove;

  void work();
  bool pause(std::chrono::milliseconds time);
  /// What to do now: nothing, the one or the other.
  enum class Turn { Wait, Round, Promote };
  Turn turn_at(Time now);
  void take(Turn turn);

  Result<std::vector<StoredMove>> moves(const CallContext& call);
  std::string hopeless(const ClusterView& view, const Move& move) const QV_REQUIRES(round_mutex_);
  /// Brings the records of moves up to what the shards' records show; ends what has ended.
  Status settle(const CallContext& call, std::vector<StoredMove>& moves) QV_REQUIRES(round_mutex_);
  /// How much of its files has come, as the copy's server said.
  void note_bytes(const CopyId& to_copy, MoveRecord& record) const QV_REQUIRES(round_mutex_);
  /// Marks as begun what there is room for, so that it is not cancelled any more.
  Status begin(const CallContext& call, std::vector<StoredMove>& moves) QV_REQUIRES(round_mutex_);
  Status save(const CallContext& call, StoredMove& move, const MoveRecord& record);
  Status publish(const CallContext& call) QV_REQUIRES(round_mutex_);
  void follow();
  void learn(std::optional<std::string_view> text);

  const Parts parts_;
  const Options options_;
  Operations operations_;
  const CancelToken cancel_ = CancelToken::make();

  /// Held by whoever does a round.
  Mutex round_mutex_;
  Upkeep upkeep_ QV_GUARDED_BY(round_mutex_);
  /// Apart: what it saw, and when, is of single moments and says nothing of how long it lasted.
  Upkeep rescue_ QV_GUARDED_BY(round_mutex_);
  Sightings sightings_ QV_GUARDED_BY(round_mutex_);
  /// Of the last round here, for what is new about it.
  std::map<std::pair<std::string, ShardId>, std::string> told_ QV_GUARDED_BY(round_mutex_);

  mutable Mutex mutex_;
  CondVar wake_;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  Helpless helpless_ QV_GUARDED_BY(mutex_);

  /// Of the thread.
  Liveness seen_;
  Time due_;
  std::optional<Time> needed_since_;
  std::unique_ptr<Watch> watch_;
  std::thread thread_;
};

}  // namespace quiver::cluster
