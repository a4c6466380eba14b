#include "cluster/node_service.h"

#include <utility>

namespace quiver::cluster {
namespace {

Error not_joined() {
  return {ErrorCode::Unavailable, "this server has not joined its cluster yet; try again later"};
}

}  // namespace

void NodeService::open(Parts parts) {
  const MutexLock lock(mutex_);
  parts_ = std::move(parts);
}

void NodeService::close() {
  Parts gone;
  const MutexLock lock(mutex_);
  std::swap(gone, parts_);
}

NodeService::Parts NodeService::parts() const {
  const MutexLock lock(mutex_);
  return parts_;
}

Result<NodeService::Parts> NodeService::parts_for(const thrift::NodeCall& call) const {
  auto open = parts();
  if (open.members == nullptr) return not_joined();
  QV_CHECK(open.members->admit(call.caller));
  return open;
}

Result<NodeService::Parts> NodeService::all_parts_for(const thrift::NodeCall& call) const {
  QV_TRY(auto open, parts_for(call));
  if (open.moves == nullptr) return not_joined();
  return open;
}

Result<std::shared_ptr<replication::CopyExchange>> NodeService::exchange_of(const Parts& open) {
  if (auto ways = open.exchange ? open.exchange() : nullptr) return ways;
  return Error{ErrorCode::Unavailable, "the copies of this server do not take part yet"};
}

Status NodeService::admit(const thrift::NodeIdentity& caller) const {
  const auto open = parts();
  return open.members == nullptr ? Status(Done{}) : open.members->admit(caller.id);
}

thrift::Reply<std::vector<ScoredPoint>> NodeService::search(const thrift::ShardCall& call,
                                                            const thrift::SearchCall& query) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->search(call, query);
}

thrift::Reply<std::vector<Point>> NodeService::get(const thrift::ShardCall& call,
                                                   const thrift::GetCall& wanted) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->get(call, wanted);
}

thrift::Reply<std::vector<Point>> NodeService::scroll(const thrift::ShardCall& call,
                                                      const thrift::ScrollCall& query) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->scroll(call, query);
}

thrift::Reply<std::uint64_t> NodeService::count(const thrift::ShardCall& call,
                                                const std::optional<Filter>& filter) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->count(call, filter);
}

thrift::Reply<std::vector<thrift::FieldCount>> NodeService::fields(const thrift::ShardCall& call,
                                                                   std::size_t limit) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->fields(call, limit);
}

thrift::Reply<thrift::ShardCounts> NodeService::stats(const thrift::ShardCall& call) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->stats(call);
}

thrift::Reply<MutationResult> NodeService::write(const thrift::ShardCall& call,
                                                 const WriteRequest& request) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->write(call, request);
}

thrift::Answered NodeService::create_shard(const thrift::ShardCall& call,
                                           const CollectionSpec& spec) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->create_shard(call, spec);
}

thrift::Answered NodeService::drop_shard(const thrift::ShardCall& call) {
  QV_TRY(const auto open, parts_for(call));
  return open.shards->drop_shard(call);
}

thrift::Reply<thrift::Checkpoint> NodeService::begin_checkpoint(const thrift::ShardCall& call) {
  QV_TRY(const auto open, all_parts_for(call));
  return open.moves->begin_checkpoint(call);
}

thrift::Reply<std::string> NodeService::read_chunk(const thrift::ShardCall& call,
                                                   const thrift::ChunkCall& chunk) {
  QV_TRY(const auto open, all_parts_for(call));
  if (const auto ways = exchange_of(open); ways.ok() && (*ways)->knows(chunk.checkpoint)) {
    return (*ways)->read_chunk(call, chunk);
  }
  return open.moves->read_chunk(call, chunk);
}

thrift::Answered NodeService::end_checkpoint(const thrift::ShardCall& call,
                                             const std::string& checkpoint) {
  QV_TRY(const auto open, all_parts_for(call));
  if (const auto ways = exchange_of(open); ways.ok() && (*ways)->knows(checkpoint)) {
    return (*ways)->end_checkpoint(call, checkpoint);
  }
  return open.moves->end_checkpoint(call, checkpoint);
}

thrift::Reply<LogPosition> NodeService::hold_writes(const thrift::ShardCall& call,
                                                    std::chrono::milliseconds hold) {
  QV_TRY(const auto open, all_parts_for(call));
  return open.moves->hold_writes(call, hold);
}

thrift::Answered NodeService::release_writes(const thrift::ShardCall& call) {
  QV_TRY(const auto open, all_parts_for(call));
  return open.moves->release_writes(call);
}

thrift::Answered NodeService::hand_over(const thrift::ShardCall& call,
                                        const thrift::HandOverCall& request) {
  QV_TRY(const auto open, all_parts_for(call));
  return open.moves->hand_over(call, request);
}

thrift::Reply<std::vector<thrift::RefusedParcel>> NodeService::deliver(
    const thrift::NodeCall& call, std::vector<thrift::CopyParcel> parcels) {
  QV_TRY(const auto open, parts_for(call));
  QV_TRY(const auto ways, exchange_of(open));
  return ways->deliver(call, std::move(parcels));
}

thrift::Answered NodeService::offer_snapshot(const thrift::ShardCall& call,
                                             const thrift::SnapshotOffer& offer) {
  QV_TRY(const auto open, parts_for(call));
  QV_TRY(const auto ways, exchange_of(open));
  return ways->offer_snapshot(call, offer);
}

thrift::Reply<std::vector<thrift::CopyPosition>> NodeService::copy_positions(
    const thrift::NodeCall& call, const std::vector<thrift::CopyName>& copies) {
  QV_TRY(const auto open, parts_for(call));
  if (open.copies == nullptr) return NodeHandler::copy_positions(call, copies);
  return open.copies->positions(copies);
}

thrift::Answered NodeService::direct(const thrift::ShardCall& call,
                                     const thrift::PrimaryOrder& order) {
  QV_TRY(const auto open, parts_for(call));
  if (open.copies == nullptr) return NodeHandler::direct(call, order);
  QV_CHECK(open.copies->direct({call.collection, call.shard, call.copy}, order));
  return Done{};
}

thrift::Reply<ContentSums> NodeService::content_sums(const thrift::ShardCall& call) {
  QV_TRY(const auto open, parts_for(call));
  if (open.copies == nullptr) return NodeHandler::content_sums(call);
  return open.copies->content_sums(call.context, {call.collection, call.shard, call.copy});
}

thrift::Reply<thrift::Welcome> NodeService::join(const thrift::NodeCall& call,
                                                 const thrift::JoinCall& request) {
  QV_TRY(const auto open, all_parts_for(call));
  return open.members->join(call, request);
}

thrift::Reply<thrift::HeartbeatEcho> NodeService::ping(const thrift::NodeCall& call,
                                                       const thrift::Heartbeat&) {
  if (parts().members == nullptr) return thrift::HeartbeatEcho{self_, "joining"};
  QV_TRY(const auto open, parts_for(call));
  return open.members->ping();
}

thrift::Reply<thrift::NodeStatus> NodeService::status(const thrift::NodeCall& call) {
  QV_TRY(const auto open, parts_for(call));
  return open.members->status(call);
}

}  // namespace quiver::cluster
