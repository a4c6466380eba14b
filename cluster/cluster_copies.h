#pragma once

#include "cluster/local_copies.h"
#include "cluster/peers.h"

namespace quiver::cluster {

/// The copies of a cluster: those on this server directly, others through their servers.
///
/// Threads: any. `host` and `peers` must outlive it.
class ClusterCopies final : public Copies {
 public:
  ClusterCopies(ShardHost& host, Peers& peers, NodeId self);

  Result<std::unique_ptr<Replica>> primary(const ClusterView& view,
                                           const CollectionView& collection,
                                           ShardId shard) override;
  Status create(const CallContext& call, const ClusterView& view, const NodeId& node,
                const CollectionSpec& spec, ShardId shard, const CopyId& copy) override;

 private:
  LocalCopies local_;
  Peers& peers_;
  const NodeId self_;
};

}  // namespace quiver::cluster
