#include "cluster/shard_service.h"

#include <utility>

namespace quiver::cluster {
namespace {

Error not_here(const thrift::ShardCall& call, const std::string& why) {
  return {ErrorCode::WrongOwner, "shard " + std::to_string(raw(call.shard)) + ": " + why};
}

/// A copy goes by its id: a caller that means another one has an outdated view, or a newer one.
bool is_meant(const ShardState& state, const thrift::ShardCall& call) {
  return call.copy.empty() || call.copy == state.primary;
}

}  // namespace

ShardService::ShardService(ViewSource& views, ShardHost& host, NodeId self)
    : views_(views), host_(host), self_(std::move(self)) {}

Result<ShardHost::Use> ShardService::find(const thrift::ShardCall& call, thrift::ReplyInfo& info) {
  auto view = views_.current();
  if (call.epoch > view->epoch) {
    QV_CHECK(views_.refresh(call.context));
    view = views_.current();
  }
  info.epoch = view->epoch;
  const auto found = view->collections_by_id.find(call.collection);
  if (found == view->collections_by_id.end()) return not_here(call, "its collection is not known");
  const auto& collection = *found->second;
  if (raw(call.shard) >= collection.shards.size()) {
    return Error{ErrorCode::InvalidArgument, "shard " + std::to_string(raw(call.shard)) +
                                                 ": the collection has " +
                                                 std::to_string(collection.shards.size())};
  }
  const auto& state = collection.shards[raw(call.shard)];
  info.term = state.term;
  const NodeId* const owner = state.primary_node();
  if (owner != nullptr) info.primary = owner->text;
  if (owner == nullptr || *owner != self_) return not_here(call, "its primary is elsewhere");
  if (!is_meant(state, call)) return not_here(call, "another copy is the primary");
  return host_.use(collection.spec, call.shard, state.primary);
}

template <typename T, typename Work>
thrift::Reply<T> ShardService::on_copy(const thrift::ShardCall& call, const Work& work) {
  thrift::ReplyInfo info;
  auto use = find(call, info);
  if (!use.ok()) return {Result<T>(std::move(use).error()), std::move(info)};
  Result<T> result = work(**use);
  return {std::move(result), std::move(info)};
}

thrift::Reply<std::vector<ScoredPoint>> ShardService::search(const thrift::ShardCall& call,
                                                             const thrift::SearchCall& query) {
  const storage::ShardQuery local{query.vector, query.k,  query.filter,
                                  query.exact,  query.ef, query.projection};
  return on_copy<std::vector<ScoredPoint>>(
      call, [&](LocalReplica& copy) { return copy.shard().search(call.context, local); });
}

thrift::Reply<std::vector<Point>> ShardService::get(const thrift::ShardCall& call,
                                                    const thrift::GetCall& wanted) {
  return on_copy<std::vector<Point>>(
      call, [&](LocalReplica& copy) { return copy.shard().get(wanted.ids, wanted.projection); });
}

thrift::Reply<std::vector<Point>> ShardService::scroll(const thrift::ShardCall& call,
                                                       const thrift::ScrollCall& query) {
  const storage::ScrollQuery local{query.filter, query.after, query.limit, query.projection};
  return on_copy<std::vector<Point>>(
      call, [&](LocalReplica& copy) { return copy.shard().scroll(call.context, local); });
}

thrift::Reply<std::uint64_t> ShardService::count(const thrift::ShardCall& call,
                                                 const std::optional<Filter>& filter) {
  return on_copy<std::uint64_t>(
      call, [&](LocalReplica& copy) { return copy.shard().count(call.context, filter); });
}

thrift::Reply<std::vector<thrift::FieldCount>> ShardService::fields(const thrift::ShardCall& call,
                                                                    std::size_t limit) {
  using Fields = std::vector<thrift::FieldCount>;
  return on_copy<Fields>(call, [&](LocalReplica& copy) -> Result<Fields> {
    QV_TRY(auto summaries, copy.shard().fields(limit));
    Fields out;
    out.reserve(summaries.size());
    for (auto& summary : summaries) {
      out.push_back({std::move(summary.name), std::move(summary.types), summary.points,
                     std::move(summary.examples)});
    }
    return out;
  });
}

thrift::Reply<thrift::ShardCounts> ShardService::stats(const thrift::ShardCall& call) {
  return on_copy<thrift::ShardCounts>(
      call, [](const LocalReplica& copy) -> Result<thrift::ShardCounts> {
        const auto stats = copy.shard().stats();
        return thrift::ShardCounts{stats.points, stats.unindexed, stats.disk_bytes};
      });
}

thrift::Reply<MutationResult> ShardService::write(const thrift::ShardCall& call,
                                                  const WriteRequest& request) {
  return on_copy<MutationResult>(call, [&](LocalReplica& copy) -> Result<MutationResult> {
    QV_CHECK(host_.check_writable());
    auto mine = request;
    return copy.write(call.context, std::move(mine));
  });
}

thrift::Answered ShardService::create_shard(const thrift::ShardCall& call,
                                            const CollectionSpec& spec) {
  const thrift::ReplyInfo info{views_.current()->epoch, Term{0}, {}, {}, false};
  if (spec.id != call.collection || raw(call.shard) >= spec.shard_count || call.copy.empty()) {
    return {Status(Error{ErrorCode::InvalidArgument,
                         "create_shard: names no copy of a shard of this collection"}),
            info};
  }
  return {host_.create(spec, call.shard, call.copy), info};
}

thrift::Answered ShardService::drop_shard(const thrift::ShardCall& call) {
  const auto view = views_.current();
  const thrift::ReplyInfo info{view->epoch, Term{0}, {}, {}, false};
  const auto found = view->collections_by_id.find(call.collection);
  if (found != view->collections_by_id.end() && raw(call.shard) < found->second->shards.size() &&
      found->second->shards[raw(call.shard)].copies.contains(call.copy)) {
    return {Status(Error{ErrorCode::FailedPrecondition,
                         "drop_shard: the shard's record still names this copy"}),
            info};
  }
  return {host_.drop({call.collection, call.shard, call.copy}), info};
}

}  // namespace quiver::cluster
