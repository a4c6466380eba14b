#include "cluster/cluster_copies.h"

#include <utility>

namespace quiver::cluster {
namespace {

/// Of a call that ended since its server is down: what the caller is told.
template <typename T>
Result<T> outcome(const CallsUnderWay::Call& call, thrift::Reply<T> reply,
                  const std::string& label) {
  if (reply.ok()) return std::move(reply.result);
  Error error = reply.error();
  const bool is_of_way =
      error.code == ErrorCode::Unavailable || error.code == ErrorCode::DeadlineExceeded;
  if (const auto why = call.ended(); why && is_of_way) {
    if (reply.info.outcome_unknown) {
      return Error{ErrorCode::DeadlineExceeded,
                   "whether it took effect is not known: " + label + *why};
    }
    return Error{ErrorCode::Unavailable, label + *why};
  }
  // Named in what only the server can be blamed for.
  if (error.code == ErrorCode::Unavailable) error.message.insert(0, label);
  return error;
}

/// A copy on another server.
class RemoteReplica final : public Replica {
 public:
  struct Way {
    std::shared_ptr<thrift::NodeClient> client;
    /// Whether this server may write at all.
    const ShardHost& host;
    CallsUnderWay& calls;
    NodeId node;
    /// Goes in front of what only the server can be blamed for.
    std::string label;
  };
  /// `call` says which shard, by which view; its context comes with each call.
  RemoteReplica(Way way, thrift::ShardCall call) : way_(std::move(way)), call_(std::move(call)) {}

  Result<Written> write(const CallContext& call, WriteRequest&& request) override {
    QV_CHECK(way_.host.check_writable());
    return ask<Written>(call, [&](const thrift::ShardCall& with) -> thrift::Reply<Written> {
      auto reply = way_.client->write(with, request);
      if (!reply.ok()) return {Result<Written>(reply.error()), std::move(reply.info)};
      const Seq at = reply.info.at;
      return {Written{*reply, at}, std::move(reply.info)};
    });
  }
  Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                          const storage::ShardQuery& query) override {
    return ask<std::vector<ScoredPoint>>(call, [&](const thrift::ShardCall& with) {
      return way_.client->search(
          with, {query.vector, query.k, query.ef, query.exact, query.filter, query.projection});
    });
  }
  Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                 Projection projection) override {
    return ask<std::vector<Point>>(call, [&](const thrift::ShardCall& with) {
      return way_.client->get(with, {ids, projection});
    });
  }
  Result<std::vector<Point>> scroll(const CallContext& call,
                                    const storage::ScrollQuery& query) override {
    return ask<std::vector<Point>>(call, [&](const thrift::ShardCall& with) {
      return way_.client->scroll(with, {query.filter, query.after, query.limit, query.projection});
    });
  }
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) override {
    return ask<std::uint64_t>(
        call, [&](const thrift::ShardCall& with) { return way_.client->count(with, filter); });
  }
  Result<std::vector<storage::FieldSummary>> fields(const CallContext& call,
                                                    std::size_t limit) override {
    QV_TRY(auto counted,
           ask<std::vector<thrift::FieldCount>>(call, [&](const thrift::ShardCall& with) {
             return way_.client->fields(with, limit);
           }));
    std::vector<storage::FieldSummary> out;
    out.reserve(counted.size());
    for (auto& field : counted) {
      out.push_back(
          {std::move(field.name), std::move(field.types), field.points, std::move(field.examples)});
    }
    return out;
  }
  Result<storage::ShardStats> stats(const CallContext& call) override {
    QV_TRY(const auto counts, ask<thrift::ShardCounts>(call, [&](const thrift::ShardCall& with) {
             return way_.client->stats(with);
           }));
    return storage::ShardStats{counts.points, counts.unindexed, counts.disk_bytes};
  }

 private:
  template <typename T, typename Talk>
  Result<T> ask(const CallContext& call, const Talk& talk) const {
    const auto begun = way_.calls.begin(way_.node, call);
    if (!begun.ok()) return Error{begun.error().code, way_.label + begun.error().message};
    auto with = call_;
    with.context = begun->context();
    return outcome<T>(*begun, talk(with), way_.label);
  }

  const Way way_;
  const thrift::ShardCall call_;
};

}  // namespace

ClusterCopies::ClusterCopies(ShardHost& host, replication::CopyHost& replicated, Peers& peers,
                             CallsUnderWay& calls, NodeId self)
    : host_(host),
      local_(host, &replicated, self),
      peers_(peers),
      calls_(calls),
      self_(std::move(self)) {}

Result<std::unique_ptr<Replica>> ClusterCopies::reach(const ClusterView& view,
                                                      const CollectionView& collection,
                                                      ShardId shard, const CopyId& copy,
                                                      const ReadTerms& terms) {
  const auto& state = collection.shards.at(raw(shard));
  const auto place = state.copies.find(copy);
  if (place == state.copies.end()) {
    return Error{ErrorCode::Internal, "the shard's record names no such copy"};
  }
  const NodeId& node = place->second.node;
  if (node == self_) return local_.reach(view, collection, shard, copy, terms);
  QV_TRY(auto client, peers_.client(view, node));
  thrift::ShardCall call;
  call.epoch = view.epoch;
  call.term = state.term;
  call.collection = collection.spec.id;
  call.shard = shard;
  call.copy = copy;
  call.read = terms;
  std::string label = "shard " + std::to_string(raw(shard)) + " on server " +
                      view.find_node(node)->record.label + ": ";
  return std::unique_ptr<Replica>(std::make_unique<RemoteReplica>(
      RemoteReplica::Way{std::move(client), host_, calls_, node, std::move(label)},
      std::move(call)));
}

Status ClusterCopies::create(const CallContext& call, const ClusterView& view, const NodeId& node,
                             const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  if (node == self_) return local_.create(call, view, node, spec, shard, copy);
  QV_TRY(const auto client, peers_.client(view, node));
  const std::string label = "server " + view.find_node(node)->record.label + ": ";
  const auto begun = calls_.begin(node, call);
  if (!begun.ok()) return Error{begun.error().code, label + begun.error().message};
  thrift::ShardCall request;
  request.context = begun->context();
  request.epoch = view.epoch;
  request.collection = spec.id;
  request.shard = shard;
  request.copy = copy;
  return outcome(*begun, client->create_shard(request, spec), label);
}

}  // namespace quiver::cluster
