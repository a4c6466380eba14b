#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "cluster/admin/controller.h"
#include "cluster/admin/node_admin.h"
#include "cluster/calls_under_way.h"
#include "cluster/catalogue.h"
#include "cluster/cluster_copies.h"
#include "cluster/coordination/store.h"
#include "cluster/failure_detector.h"
#include "cluster/fan_out.h"
#include "cluster/member_service.h"
#include "cluster/migration/move_source.h"
#include "cluster/migration/mover.h"
#include "cluster/peers.h"
#include "cluster/replication/copy_host.h"
#include "cluster/shard_host.h"
#include "cluster/shard_service.h"
#include "cluster/view/view_keeper.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "storage/options.h"
#include "storage/shard_store.h"

namespace quiver::cluster {

/// All that a server works with once it is registered in its cluster: the view of it, the copies
/// here, the way to those elsewhere. Kept alive by the calls that use it.
///
/// A thread of its own follows the view: it watches the servers that come, and removes the files of
/// collections that are deleted.
///
///     open() ──> (reads, by the map on the disk) ──enter()──> (reads and writes)
///     ──start_moves()──>
///
/// Before enter() it is not known what has changed since the map was written, and whether this is
/// still the only process of this server: so nothing is written, and a shard that was being moved
/// is not read. Reads may then be of a collection, or of a shard, that is no longer here. That ends
/// as soon as another server is heard that has a newer map.
///
/// Threads: any.
class ClusterHome {
 public:
  struct Parts {
    std::shared_ptr<CoordinationStore> store;
    std::shared_ptr<Peers> peers;
    thrift::NodeIdentity self;
    storage::Options storage;
    ShardHost::Options host;
    FailureDetector::Options detector;
    Mover::Options mover;
    replication::CopyHost::Options copies;
    /// Of files of shards, whichever way they are copied.
    Paces paces;
    MemberService::Facts facts;
    /// What answers other servers here; must outlive it.
    thrift::NodeHandler* own = nullptr;
    /// Told once, on a thread of the home, that this server was removed from the cluster. May be
    /// empty; must not close the home.
    std::function<void(const Error&)> removed;
  };
  /// With the map that was `kept`, which may be empty; asks no store. `clock` must outlive it.
  ///
  /// Errors: Corruption naming a value that cannot be understood; those of the file system.
  static Result<std::shared_ptr<ClusterHome>> open(Parts parts, const Listing& kept,
                                                   const Clock& clock);
  /// As close().
  ~ClusterHome();
  ClusterHome(const ClusterHome&) = delete;
  ClusterHome& operator=(const ClusterHome&) = delete;

  /// Takes over the map of the store, and decides what became of the moves that an earlier process
  /// of this server took part in: then it answers for its shards, writes included. To be called
  /// once this process has shown that it is this server; again after a failure.
  ///
  /// Errors: those of CoordinationStore; Corruption naming a value that cannot be understood.
  Status enter(const CallContext& call);
  /// Begins to carry out moves, once this server is a member. Again after a failure.
  ///
  /// Errors: as enter(); those of the file system.
  Status start_moves(const CallContext& call);
  /// Whether it may be asked. Errors: FailedPrecondition if this server was removed; Unavailable if
  /// it has the map of its disk, and another server has a newer one or has not been asked yet.
  Status check_readable() const;
  /// The same for writes. Errors: Unavailable before enter().
  Status check_writable() const;

  Catalogue& catalogue() noexcept { return *catalogue_; }
  CoordinationStore& store() noexcept { return *parts_.store; }
  ViewSource& views() noexcept { return *views_; }
  Peers& peers() noexcept { return *parts_.peers; }
  FanOut& fan_out() noexcept { return fan_out_; }
  ShardHost& host() noexcept { return host_; }
  replication::CopyHost& copy_host() noexcept { return copy_host_; }
  storage::ShardStore& shard_store() noexcept { return shards_; }
  FailureDetector& detector() noexcept { return detector_; }
  const ViewKeeper& keeper() const noexcept { return keeper_; }
  ShardService& shard_service() noexcept { return shard_service_; }
  MoveSource& move_source() noexcept { return *move_source_; }
  MemberService& member_service() noexcept { return member_service_; }
  ClusterAdmin& admin() noexcept { return *admin_; }
  const NodeId& self() const noexcept { return self_; }
  const Clock& clock() const noexcept { return clock_; }

  /// Lets the follower look again.
  void tidy_soon();
  /// Ends the part of this server in shards with several copies, while other servers still reach
  /// it.
  void leave_shards();
  /// Ends its threads; waits for the calls that run, writes index snapshots and closes all copies.
  void close();

 private:
  ClusterHome(Parts parts, std::unique_ptr<ViewSource> views, const Clock& clock);

  /// All that needs the home itself.
  Status build(const std::shared_ptr<ClusterHome>& self);
  OwnState own_state() const;
  replication::CopyHost::Parts copy_parts();
  Status remove_files(const std::string& collection_id);
  Status keep_map(const CallContext& call, Revision revision);
  std::set<storage::ShardPlace> doubtful() const;
  void follow();
  /// Whether this server was removed from the cluster; tells so then.
  bool is_removed();
  void name_strays() const;

  const Parts parts_;
  const Clock& clock_;
  const NodeId self_;
  const std::unique_ptr<ViewSource> views_;
  ViewKeeper keeper_;
  storage::ShardStore shards_;
  ShardHost host_;
  replication::CopyHost copy_host_;
  CallsUnderWay calls_;
  ClusterCopies copies_;
  FanOut fan_out_;
  ShardService shard_service_;
  MemberService member_service_;
  FailureDetector detector_;
  std::unique_ptr<Catalogue> catalogue_;
  std::unique_ptr<MoveSource> move_source_;
  std::unique_ptr<Mover> mover_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<NodeAdmin> admin_;

  Mutex mutex_;
  CondVar changed_;
  bool moved_ QV_GUARDED_BY(mutex_) = true;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  CancelToken under_way_ QV_GUARDED_BY(mutex_) = CancelToken::make();
  std::thread follower_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
