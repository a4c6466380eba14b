#pragma once

#include <vector>

#include "cluster/replication/copy_host.h"
#include "cluster/shard_host.h"
#include "cluster/view/view_source.h"
#include "thrift/node_handler.h"

namespace quiver::cluster {

/// What other servers ask of the copies on this one.
///
/// A call is answered only if the view of this server agrees that the copy meant is here and orders
/// the writes of its shard. A caller with a newer view makes it read the coordination store first.
///
/// A copy of a shard that has several knows by itself whether it may answer, whatever anybody's
/// view says: a call for one is passed to it as it is.
///
/// Threads: any. `views`, `host` and `replicated` must outlive it.
class ShardService {
 public:
  ShardService(ViewSource& views, ShardHost& host, replication::CopyHost& replicated, NodeId self);

  thrift::Reply<std::vector<ScoredPoint>> search(const thrift::ShardCall& call,
                                                 const thrift::SearchCall& query);
  thrift::Reply<std::vector<Point>> get(const thrift::ShardCall& call,
                                        const thrift::GetCall& wanted);
  thrift::Reply<std::vector<Point>> scroll(const thrift::ShardCall& call,
                                           const thrift::ScrollCall& query);
  thrift::Reply<std::uint64_t> count(const thrift::ShardCall& call,
                                     const std::optional<Filter>& filter);
  thrift::Reply<std::vector<thrift::FieldCount>> fields(const thrift::ShardCall& call,
                                                        std::size_t limit);
  thrift::Reply<thrift::ShardCounts> stats(const thrift::ShardCall& call);
  thrift::Reply<MutationResult> write(const thrift::ShardCall& call, const WriteRequest& request);
  thrift::Answered create_shard(const thrift::ShardCall& call, const CollectionSpec& spec);
  thrift::Answered drop_shard(const thrift::ShardCall& call);

  /// The copy that a call means, of a shard that has one, if it is here; `info` gets the epoch, and
  /// whom to ask instead.
  Result<ShardHost::Use> find(const thrift::ShardCall& call, thrift::ReplyInfo& info);

 private:
  using ReplicatedCopy = std::shared_ptr<replication::ReplicatedCopy>;

  /// The same of a shard that has several; null if it has one.
  Result<ReplicatedCopy> find_replicated(const thrift::ShardCall& call, thrift::ReplyInfo& info);
  template <typename T, typename Work>
  thrift::Reply<T> read(const thrift::ShardCall& call, const Work& work);

  ViewSource& views_;
  ShardHost& host_;
  replication::CopyHost& replicated_;
  const NodeId self_;
};

}  // namespace quiver::cluster
