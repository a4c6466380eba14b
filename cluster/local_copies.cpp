#include "cluster/local_copies.h"

#include <utility>

namespace quiver::cluster {
namespace {

class HostedReplica final : public Replica {
 public:
  HostedReplica(const ShardHost& host, ShardHost::Use use) : host_(host), use_(std::move(use)) {}

  Result<MutationResult> write(const CallContext& call, WriteRequest&& request) override {
    QV_CHECK(host_.check_writable());
    return use_->write(call, std::move(request));
  }
  Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                          const storage::ShardQuery& query) override {
    return shard().search(call, query);
  }
  Result<std::vector<Point>> get(const CallContext& /*call*/, const std::vector<PointId>& ids,
                                 Projection projection) override {
    return shard().get(ids, projection);
  }
  Result<std::vector<Point>> scroll(const CallContext& call,
                                    const storage::ScrollQuery& query) override {
    return shard().scroll(call, query);
  }
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) override {
    return shard().count(call, filter);
  }
  Result<std::vector<storage::FieldSummary>> fields(const CallContext& /*call*/,
                                                    std::size_t limit) override {
    return shard().fields(limit);
  }
  Result<storage::ShardStats> stats(const CallContext& /*call*/) override {
    return shard().stats();
  }

 private:
  const storage::Shard& shard() const { return use_->shard(); }

  const ShardHost& host_;
  const ShardHost::Use use_;
};

}  // namespace

Result<std::unique_ptr<Replica>> LocalCopies::primary(const ClusterView& /*view*/,
                                                      const CollectionView& collection,
                                                      ShardId shard) {
  const auto& state = collection.shards.at(raw(shard));
  const NodeId* const node = state.primary_node();
  if (node == nullptr || *node != self_) {
    return Error{ErrorCode::WrongOwner, "the primary of the shard is on another server"};
  }
  QV_TRY(auto use, host_.use(collection.spec, shard, state.primary));
  return std::unique_ptr<Replica>(std::make_unique<HostedReplica>(host_, std::move(use)));
}

Status LocalCopies::create(const CallContext& call, const ClusterView& /*view*/, const NodeId& node,
                           const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  QV_CHECK(call.check());
  if (node != self_) {
    return Error{ErrorCode::Unavailable, "server " + node.text + " cannot be reached"};
  }
  return host_.create(spec, shard, copy);
}

}  // namespace quiver::cluster
