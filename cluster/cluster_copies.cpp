#include "cluster/cluster_copies.h"

#include <utility>

namespace quiver::cluster {
namespace {

/// A shard whose primary is on another server.
class RemoteReplica final : public Replica {
 public:
  /// `call` says which shard, by which view; its context comes with each call.
  RemoteReplica(std::shared_ptr<thrift::NodeClient> client, thrift::ShardCall call,
                std::string label)
      : client_(std::move(client)), call_(std::move(call)), label_(std::move(label)) {}

  Result<MutationResult> write(const CallContext& call, WriteRequest&& request) override {
    return named(client_->write(with(call), request));
  }
  Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                          const storage::ShardQuery& query) override {
    return named(client_->search(with(call), {query.vector, query.k, query.ef, query.exact,
                                              query.filter, query.projection}));
  }
  Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                 Projection projection) override {
    return named(client_->get(with(call), {ids, projection}));
  }
  Result<std::vector<Point>> scroll(const CallContext& call,
                                    const storage::ScrollQuery& query) override {
    return named(
        client_->scroll(with(call), {query.filter, query.after, query.limit, query.projection}));
  }
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) override {
    return named(client_->count(with(call), filter));
  }
  Result<std::vector<storage::FieldSummary>> fields(const CallContext& call,
                                                    std::size_t limit) override {
    QV_TRY(auto counted, named(client_->fields(with(call), limit)));
    std::vector<storage::FieldSummary> out;
    out.reserve(counted.size());
    for (auto& field : counted) {
      out.push_back(
          {std::move(field.name), std::move(field.types), field.points, std::move(field.examples)});
    }
    return out;
  }
  Result<storage::ShardStats> stats(const CallContext& call) override {
    QV_TRY(const auto counts, named(client_->stats(with(call))));
    return storage::ShardStats{counts.points, counts.unindexed, counts.disk_bytes};
  }

 private:
  thrift::ShardCall with(const CallContext& call) const {
    auto out = call_;
    out.context = call;
    return out;
  }
  /// Names the server in what only it can be blamed for.
  template <typename T>
  Result<T> named(thrift::Reply<T> reply) const {
    if (reply.ok()) return std::move(reply.result);
    Error error = reply.error();
    if (error.code == ErrorCode::Unavailable) error.message.insert(0, label_);
    return error;
  }

  const std::shared_ptr<thrift::NodeClient> client_;
  const thrift::ShardCall call_;
  const std::string label_;
};

}  // namespace

ClusterCopies::ClusterCopies(ShardHost& host, Peers& peers, NodeId self)
    : local_(host, self), peers_(peers), self_(std::move(self)) {}

Result<std::unique_ptr<Replica>> ClusterCopies::primary(const ClusterView& view,
                                                        const CollectionView& collection,
                                                        ShardId shard) {
  const auto& state = collection.shards.at(raw(shard));
  const NodeId* const node = state.primary_node();
  if (node != nullptr && *node == self_) return local_.primary(view, collection, shard);
  if (node == nullptr) {
    return Error{ErrorCode::Internal, "the shard's record names no primary"};
  }
  QV_TRY(auto client, peers_.client(view, *node));
  thrift::ShardCall call;
  call.epoch = view.epoch;
  call.term = state.term;
  call.collection = collection.spec.id;
  call.shard = shard;
  call.copy = state.primary;
  std::string label = "shard " + std::to_string(raw(shard)) + " on server " +
                      view.find_node(*node)->record.label + ": ";
  return std::unique_ptr<Replica>(
      std::make_unique<RemoteReplica>(std::move(client), std::move(call), std::move(label)));
}

Status ClusterCopies::create(const CallContext& call, const ClusterView& view, const NodeId& node,
                             const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  if (node == self_) return local_.create(call, view, node, spec, shard, copy);
  QV_TRY(const auto client, peers_.client(view, node));
  thrift::ShardCall request;
  request.context = call;
  request.epoch = view.epoch;
  request.collection = spec.id;
  request.shard = shard;
  request.copy = copy;
  return client->create_shard(request, spec).result;
}

}  // namespace quiver::cluster
