#pragma once

#include <memory>
#include <vector>

#include "cluster/local_replica.h"
#include "cluster/routing/copy_routes.h"
#include "cluster/view/cluster_view.h"
#include "core/read_level.h"
#include "storage/shard.h"

namespace quiver::cluster {

/// One copy of a shard: on this server or on another.
///
/// All calls: Errors: those of storage::Shard; WrongOwner if the view that led here is outdated,
/// or the copy does not order the writes and the call needs the one that does, and then nothing has
/// happened; Unavailable if the copy cannot be reached, or cannot answer now. A write whose outcome
/// is not known fails with DeadlineExceeded while call.check() is ok, or later.
///
/// Threads: any.
class Replica {
 public:
  virtual ~Replica() = default;

  /// As LocalReplica::write(). Written::at is 0 where the shard has one copy only.
  virtual Result<Written> write(const CallContext& call, WriteRequest&& request) = 0;
  virtual Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                                  const storage::ShardQuery& query) = 0;
  virtual Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                         Projection projection) = 0;
  virtual Result<std::vector<Point>> scroll(const CallContext& call,
                                            const storage::ScrollQuery& query) = 0;
  virtual Result<std::uint64_t> count(const CallContext& call,
                                      const std::optional<Filter>& filter) = 0;
  virtual Result<std::vector<storage::FieldSummary>> fields(const CallContext& call,
                                                            std::size_t limit) = 0;
  virtual Result<storage::ShardStats> stats(const CallContext& call) = 0;
};

/// The way to the copies of shards, wherever they lie.
///
/// Threads: any. Must outlive the replicas it gave out.
class Copies {
 public:
  virtual ~Copies() = default;

  /// The way to `copy`, which need not be the primary: then it takes no writes, and reads at
  /// `terms` only if these do not ask for Linearizable.
  ///
  /// Errors: Internal if `view` names no such copy; Unavailable if its server is not known; those
  /// of Replica, if it looks at once.
  virtual Result<std::unique_ptr<Replica>> reach(const ClusterView& view,
                                                 const CollectionView& collection, ShardId shard,
                                                 const CopyId& copy, const ReadTerms& terms) = 0;
  /// What this server has learned of these ways; lives as long as this.
  virtual CopyRoutes& routes() = 0;
  /// Makes an empty copy on a server of `view`; of one that is there, nothing. It answers once the
  /// shard's record names it.
  virtual Status create(const CallContext& call, const ClusterView& view, const NodeId& node,
                        const CollectionSpec& spec, ShardId shard, const CopyId& copy) = 0;
};

}  // namespace quiver::cluster
