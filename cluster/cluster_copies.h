#pragma once

#include "cluster/calls_under_way.h"
#include "cluster/local_copies.h"
#include "cluster/peers.h"

namespace quiver::cluster {

/// The copies of a cluster: those on this server directly, others through their servers.
///
/// A call to a server that is down, or that goes down before it answers, fails with Unavailable; a
/// write that may have taken effect with DeadlineExceeded.
///
/// As long as `host` refuses writes no write is sent to others either: so a call that concerns
/// several shards is not carried out in part.
///
/// Threads: any. `host`, `replicated`, `peers` and `calls` must outlive it.
class ClusterCopies final : public Copies {
 public:
  ClusterCopies(ShardHost& host, replication::CopyHost& replicated, Peers& peers,
                CallsUnderWay& calls, NodeId self);

  Result<std::unique_ptr<Replica>> reach(const ClusterView& view, const CollectionView& collection,
                                         ShardId shard, const CopyId& copy,
                                         const ReadTerms& terms) override;
  CopyRoutes& routes() override { return local_.routes(); }
  Status create(const CallContext& call, const ClusterView& view, const NodeId& node,
                const CollectionSpec& spec, ShardId shard, const CopyId& copy) override;

 private:
  const ShardHost& host_;
  LocalCopies local_;
  Peers& peers_;
  CallsUnderWay& calls_;
  const NodeId self_;
};

}  // namespace quiver::cluster
