#pragma once

#include "cluster/replica.h"
#include "cluster/shard_host.h"

namespace quiver::cluster {

namespace replication {
class CopyHost;
}

/// The copies on this server, and no others.
///
/// Threads: any. `host` must outlive it, as must `replicated`, which holds those of shards with
/// several copies; null: there are none.
class LocalCopies final : public Copies {
 public:
  LocalCopies(ShardHost& host, replication::CopyHost* replicated, NodeId self)
      : host_(host), replicated_(replicated), self_(std::move(self)), routes_(self_) {}

  /// Errors: WrongOwner if the view says that the copy is elsewhere.
  Result<std::unique_ptr<Replica>> reach(const ClusterView& view, const CollectionView& collection,
                                         ShardId shard, const CopyId& copy,
                                         const ReadTerms& terms) override;
  CopyRoutes& routes() override { return routes_; }
  Status create(const CallContext& call, const ClusterView& view, const NodeId& node,
                const CollectionSpec& spec, ShardId shard, const CopyId& copy) override;

 private:
  ShardHost& host_;
  replication::CopyHost* const replicated_;
  const NodeId self_;
  CopyRoutes routes_;
};

}  // namespace quiver::cluster
