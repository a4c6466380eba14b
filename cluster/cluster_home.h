#pragma once

#include <filesystem>
#include <functional>
#include <memory>
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
#include "cluster/shard_host.h"
#include "cluster/shard_service.h"
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
    MemberService::Facts facts;
    /// Told once, on a thread of the home, that this server was removed from the cluster. May be
    /// empty; must not close the home.
    std::function<void(const Error&)> removed;
  };
  /// Decides what became of the moves that an earlier process of this server took part in, so that
  /// it can answer for its shards. `clock` must outlive it.
  ///
  /// Errors: those of CoordinationStore; Corruption naming a value that cannot be understood; those
  /// of the file system.
  static Result<std::shared_ptr<ClusterHome>> open(const CallContext& call, Parts parts,
                                                   const Clock& clock);
  /// As close().
  ~ClusterHome();
  ClusterHome(const ClusterHome&) = delete;
  ClusterHome& operator=(const ClusterHome&) = delete;

  /// Begins to carry out moves, once this server is a member. Once.
  ///
  /// Errors: as open().
  Status start_moves(const CallContext& call);

  Catalogue& catalogue() noexcept { return *catalogue_; }
  CoordinationStore& store() noexcept { return *parts_.store; }
  ViewSource& views() noexcept { return *views_; }
  Peers& peers() noexcept { return *parts_.peers; }
  FanOut& fan_out() noexcept { return fan_out_; }
  ShardHost& host() noexcept { return host_; }
  storage::ShardStore& shard_store() noexcept { return shards_; }
  FailureDetector& detector() noexcept { return detector_; }
  ShardService& shard_service() noexcept { return shard_service_; }
  MoveSource& move_source() noexcept { return *move_source_; }
  MemberService& member_service() noexcept { return member_service_; }
  ClusterAdmin& admin() noexcept { return *admin_; }
  const NodeId& self() const noexcept { return self_; }
  const Clock& clock() const noexcept { return clock_; }

  /// Lets the follower look again.
  void tidy_soon();
  /// Ends its threads; waits for the calls that run, writes index snapshots and closes all copies.
  void close();

 private:
  ClusterHome(Parts parts, std::unique_ptr<ViewSource> views, const Clock& clock);

  void follow();
  /// Whether this server was removed from the cluster; tells so then.
  bool is_removed();
  void name_strays() const;

  const Parts parts_;
  const Clock& clock_;
  const NodeId self_;
  const std::unique_ptr<ViewSource> views_;
  storage::ShardStore shards_;
  ShardHost host_;
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
