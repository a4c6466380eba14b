#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "cluster/admin/copy_warden.h"
#include "cluster/coordination/store.h"
#include "cluster/migration/operations.h"
#include "cluster/migration/shard_records.h"
#include "cluster/placement/layout.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Brings what people asked for to its end, whatever becomes of the server that they asked: begins
/// moves, empties and removes draining servers, ends moves to servers that are gone, and forgets
/// old operations. Shards with several copies it leaves to a CopyWarden.
///
/// Any server may do this, and several at once: everything is a compare-and-swap. A lease on
/// ctl/leader only keeps the others from doing it in vain.
///
/// Threads: any. Works on threads of its own between start() and stop().
class Controller {
 public:
  struct Options {
    std::chrono::milliseconds every{1'000};
    std::chrono::seconds leader_ttl{10};
    /// A move ends when nothing was heard of it for so long and the server that it leads to is
    /// down.
    std::chrono::milliseconds abandon_after{120'000};
    /// Pause before a draining server's shard is moved again, behind a move that failed.
    std::chrono::milliseconds retry_after{30'000};
    /// Operations that have ended and are kept for those who ask.
    std::size_t operations_kept = 100;
    /// But for `abandon_after`, which is that above.
    CopyWarden::Options copies = {};
  };
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    const Clock& clock;
    /// Which servers are out of reach now.
    std::function<Liveness(const ClusterView&)> liveness;
    FanOut& fan_out;
    /// The way to a server; for this one its own handler.
    ReachNode reach;
  };

  Controller(Parts parts, NodeId self, const Options& options);
  /// stop().
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  void start();
  void stop();
  /// One round of all, whoever leads: administer(), and a round of the CopyWarden. What fails for
  /// one operation, server or shard does not keep the others from their turn.
  ///
  /// Errors: the first; those of CoordinationStore, Operations and Upkeep.
  Status tick(const CallContext& call);
  /// Operations, drains and moves of shards with one copy. Errors: as tick().
  Status administer(const CallContext& call);
  /// Whether this server leads, or does from now on.
  bool lead(const CallContext& call);
  /// As lead() last found it.
  Leading leading() const;
  const CopyWarden& copies() const noexcept { return copies_; }

 private:
  using Moves = std::vector<Operations::StoredMove>;
  /// As read at the beginning of a round, in this order: what was added to an operation, or moved,
  /// behind what is known of either shows when the operation is changed.
  struct Known {
    Revision turn{0};
    Operations::All operations;
    Moves moves;
  };

  void work();
  Status complete_operations(const CallContext& call);
  Status end_hopeless(const CallContext& call, const ClusterView& view, const Moves& moves);
  Status end_move(const CallContext& call, const Operations::StoredMove& move);
  Status drain(const CallContext& call, const ClusterView& view, const NodeRecord& node,
               const Known& known);
  Status drain_further(const CallContext& call, const ClusterView& view, const NodeRecord& node,
                       const Operations::Stored& operation, const Known& known);
  /// Gives a drain without an operation one.
  Status adopt_drain(const CallContext& call, const NodeRecord& node);
  /// Whether there are copies on the server that it would lose, or must remove itself.
  Result<bool> holds_anything(const CallContext& call, const NodeId& node,
                              const Liveness& liveness);
  Status remove(const CallContext& call, const NodeId& node);
  Status forget_removed(const CallContext& call, const ClusterView& view);
  Status forget_old(const CallContext& call, const Moves& moves);

  const Parts parts_;
  const NodeId self_;
  const Options options_;
  Operations operations_;
  ShardRecords records_;
  CopyWarden copies_;
  const CancelToken cancel_ = CancelToken::make();

  mutable Mutex mutex_;
  CondVar wake_;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  bool lease_lost_ QV_GUARDED_BY(mutex_) = false;
  Leading leading_ QV_GUARDED_BY(mutex_);
  /// Of the thread that leads.
  std::unique_ptr<Lease> lease_;
  std::thread thread_;
};

}  // namespace quiver::cluster
