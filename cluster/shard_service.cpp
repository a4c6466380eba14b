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

ShardService::ShardService(ViewSource& views, ShardHost& host, replication::CopyHost& replicated,
                           NodeId self)
    : views_(views), host_(host), replicated_(replicated), self_(std::move(self)) {}

Result<ShardService::ReplicatedCopy> ShardService::find_replicated(const thrift::ShardCall& call,
                                                                   thrift::ReplyInfo& info) {
  auto view = views_.current();
  if (call.epoch > view->epoch && !view->collections_by_id.contains(call.collection)) {
    QV_CHECK(views_.refresh(call.context));
    view = views_.current();
  }
  info.epoch = view->epoch;
  const auto found = view->collections_by_id.find(call.collection);
  if (found == view->collections_by_id.end()) return ReplicatedCopy();
  const auto& collection = *found->second;
  if (collection.spec.replication_factor < 2) return ReplicatedCopy();
  if (raw(call.shard) < collection.shards.size()) {
    const auto& state = collection.shards[raw(call.shard)];
    info.term = state.term;
    if (const NodeId* const node = state.primary_node()) info.primary = node->text;
  }
  return replicated_.find({call.collection, call.shard, call.copy});
}

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
  if (collection.spec.replication_factor > 1) {
    return Error{ErrorCode::FailedPrecondition,
                 "the shard has several copies: none of them is held back or handed over"};
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
thrift::Reply<T> ShardService::read(const thrift::ShardCall& call, const Work& work) {
  thrift::ReplyInfo info;
  Result<T> result = [&]() -> Result<T> {
    QV_TRY(const auto copy, find_replicated(call, info));
    if (copy != nullptr) {
      QV_TRY(const auto shard, copy->read(call.context, call.read.level, call.read.token));
      return work(*shard);
    }
    QV_TRY(const auto use, find(call, info));
    return work(use->shard());
  }();
  return {std::move(result), std::move(info)};
}

thrift::Reply<std::vector<ScoredPoint>> ShardService::search(const thrift::ShardCall& call,
                                                             const thrift::SearchCall& query) {
  const storage::ShardQuery local{query.vector, query.k,  query.filter,
                                  query.exact,  query.ef, query.projection};
  return read<std::vector<ScoredPoint>>(
      call, [&](const storage::Shard& shard) { return shard.search(call.context, local); });
}

thrift::Reply<std::vector<Point>> ShardService::get(const thrift::ShardCall& call,
                                                    const thrift::GetCall& wanted) {
  return read<std::vector<Point>>(
      call, [&](const storage::Shard& shard) { return shard.get(wanted.ids, wanted.projection); });
}

thrift::Reply<std::vector<Point>> ShardService::scroll(const thrift::ShardCall& call,
                                                       const thrift::ScrollCall& query) {
  const storage::ScrollQuery local{query.filter, query.after, query.limit, query.projection};
  return read<std::vector<Point>>(
      call, [&](const storage::Shard& shard) { return shard.scroll(call.context, local); });
}

thrift::Reply<std::uint64_t> ShardService::count(const thrift::ShardCall& call,
                                                 const std::optional<Filter>& filter) {
  return read<std::uint64_t>(
      call, [&](const storage::Shard& shard) { return shard.count(call.context, filter); });
}

thrift::Reply<std::vector<thrift::FieldCount>> ShardService::fields(const thrift::ShardCall& call,
                                                                    std::size_t limit) {
  using Fields = std::vector<thrift::FieldCount>;
  return read<Fields>(call, [&](const storage::Shard& shard) -> Result<Fields> {
    QV_TRY(auto summaries, shard.fields(limit));
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
  return read<thrift::ShardCounts>(
      call, [](const storage::Shard& shard) -> Result<thrift::ShardCounts> {
        const auto stats = shard.stats();
        return thrift::ShardCounts{stats.points, stats.unindexed, stats.disk_bytes};
      });
}

thrift::Reply<MutationResult> ShardService::write(const thrift::ShardCall& call,
                                                  const WriteRequest& request) {
  thrift::ReplyInfo info;
  auto result = [&]() -> Result<MutationResult> {
    QV_TRY(const auto copy, find_replicated(call, info));
    if (copy != nullptr) {
      QV_TRY(const auto written, copy->write_at(call.context, request));
      info.at = written.at;
      return written.result;
    }
    QV_TRY(const auto use, find(call, info));
    QV_CHECK(host_.check_writable());
    auto mine = request;
    return use->write(call.context, std::move(mine));
  }();
  return {std::move(result), std::move(info)};
}

thrift::Answered ShardService::create_shard(const thrift::ShardCall& call,
                                            const CollectionSpec& spec) {
  const thrift::ReplyInfo info{views_.current()->epoch, Term{0}, {}, {}, false};
  if (spec.id != call.collection || raw(call.shard) >= spec.shard_count || call.copy.empty()) {
    return {Status(Error{ErrorCode::InvalidArgument,
                         "create_shard: names no copy of a shard of this collection"}),
            info};
  }
  if (spec.replication_factor > 1) return {replicated_.make(spec, call.shard, call.copy), info};
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
