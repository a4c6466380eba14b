#include "cluster/local_copies.h"

#include <utility>

#include "cluster/replication/copy_host.h"

namespace quiver::cluster {
namespace {

class HostedReplica final : public Replica {
 public:
  HostedReplica(const ShardHost& host, ShardHost::Use use) : host_(host), use_(std::move(use)) {}

  Result<Written> write(const CallContext& call, WriteRequest&& request) override {
    QV_CHECK(host_.check_writable());
    QV_TRY(const auto result, use_->write(call, std::move(request)));
    return Written{result, Seq{0}};
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

/// One of several copies of a shard.
class ReplicatedReplica final : public Replica {
 public:
  ReplicatedReplica(const ShardHost& host, std::shared_ptr<replication::ReplicatedCopy> copy,
                    const ReadTerms& terms)
      : host_(host), copy_(std::move(copy)), terms_(terms) {}

  Result<Written> write(const CallContext& call, WriteRequest&& request) override {
    QV_CHECK(host_.check_writable());
    return copy_->write_at(call, request);
  }
  Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                          const storage::ShardQuery& query) override {
    QV_TRY(const auto shard, read(call));
    return shard->search(call, query);
  }
  Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                 Projection projection) override {
    QV_TRY(const auto shard, read(call));
    return shard->get(ids, projection);
  }
  Result<std::vector<Point>> scroll(const CallContext& call,
                                    const storage::ScrollQuery& query) override {
    QV_TRY(const auto shard, read(call));
    return shard->scroll(call, query);
  }
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) override {
    QV_TRY(const auto shard, read(call));
    return shard->count(call, filter);
  }
  Result<std::vector<storage::FieldSummary>> fields(const CallContext& call,
                                                    std::size_t limit) override {
    QV_TRY(const auto shard, read(call));
    return shard->fields(limit);
  }
  Result<storage::ShardStats> stats(const CallContext& call) override {
    QV_TRY(const auto shard, read(call));
    return shard->stats();
  }

 private:
  Result<std::shared_ptr<const storage::Shard>> read(const CallContext& call) const {
    return copy_->read(call, terms_.level, terms_.token);
  }

  const ShardHost& host_;
  const std::shared_ptr<replication::ReplicatedCopy> copy_;
  const ReadTerms terms_;
};

Error no_several_copies() {
  return {ErrorCode::FailedPrecondition, "this server holds no shards with several copies"};
}

}  // namespace

Result<std::unique_ptr<Replica>> LocalCopies::reach(const ClusterView& /*view*/,
                                                    const CollectionView& collection, ShardId shard,
                                                    const CopyId& copy, const ReadTerms& terms) {
  const auto& copies = collection.shards.at(raw(shard)).copies;
  const auto place = copies.find(copy);
  if (place == copies.end() || place->second.node != self_) {
    return Error{ErrorCode::WrongOwner, "the copy of the shard is on another server"};
  }
  if (collection.spec.replication_factor > 1) {
    if (replicated_ == nullptr) return no_several_copies();
    QV_TRY(auto here, replicated_->find({collection.spec.id, shard, copy}));
    return std::unique_ptr<Replica>(
        std::make_unique<ReplicatedReplica>(host_, std::move(here), terms));
  }
  QV_TRY(auto use, host_.use(collection.spec, shard, copy));
  return std::unique_ptr<Replica>(std::make_unique<HostedReplica>(host_, std::move(use)));
}

Status LocalCopies::create(const CallContext& call, const ClusterView& /*view*/, const NodeId& node,
                           const CollectionSpec& spec, ShardId shard, const CopyId& copy) {
  QV_CHECK(call.check());
  if (node != self_) {
    return Error{ErrorCode::Unavailable, "server " + node.text + " cannot be reached"};
  }
  if (spec.replication_factor > 1) {
    return replicated_ == nullptr ? Status(no_several_copies())
                                  : replicated_->make(spec, shard, copy);
  }
  return host_.create(spec, shard, copy);
}

}  // namespace quiver::cluster
