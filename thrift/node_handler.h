#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "thrift/calls.h"

namespace quiver::thrift {

/// What one node does for another. The same interface at both ends: NodeClient carries the calls
/// to a peer, whose server gives them to the peer's own handler.
///
/// A handler checks `epoch` and `term` of the call against its view and answers WrongOwner, with
/// ReplyInfo::primary if it knows better. It sets ReplyInfo::epoch in every reply. It does local
/// work only: it never calls a third node, so that no two nodes can wait for each other.
///
/// Threads: any, many at once. A handler returns soon after the call's deadline or cancellation.
class NodeHandler {
 public:
  virtual ~NodeHandler() = default;

  // -- reads of one shard
  /// Nearest first, ties by id.
  virtual Reply<std::vector<ScoredPoint>> search(const ShardCall& call,
                                                 const SearchCall& query) = 0;
  /// Those of the ids that exist, in the order asked.
  virtual Reply<std::vector<Point>> get(const ShardCall& call, const GetCall& wanted) = 0;
  /// In order of id.
  virtual Reply<std::vector<Point>> scroll(const ShardCall& call, const ScrollCall& query) = 0;
  virtual Reply<std::uint64_t> count(const ShardCall& call,
                                     const std::optional<Filter>& filter) = 0;
  virtual Reply<std::vector<FieldCount>> fields(const ShardCall& call, std::size_t limit) = 0;
  virtual Reply<ShardCounts> stats(const ShardCall& call) = 0;

  // -- writes to one shard
  /// Durable when it is answered. The request id of the context makes a repetition take effect
  /// once.
  virtual Reply<MutationResult> write(const ShardCall& call, const WriteRequest& request) = 0;
  /// Makes an empty copy of the shard here; of one that is here already, nothing.
  virtual Answered create_shard(const ShardCall& call, const CollectionSpec& spec) = 0;
  /// Removes the copy that is here; of one that is not, nothing.
  virtual Answered drop_shard(const ShardCall& call) = 0;

  // -- copying one shard
  /// Keeps the shard's files as they are now until end_checkpoint(), or until nobody has read of
  /// them for a while.
  virtual Reply<Checkpoint> begin_checkpoint(const ShardCall& call) = 0;
  virtual Reply<std::string> read_chunk(const ShardCall& call, const ChunkCall& chunk) = 0;
  virtual Answered end_checkpoint(const ShardCall& call, const std::string& checkpoint) = 0;
  /// Holds back the shard's writes for at most `hold` from now; a repetition prolongs it. The last
  /// log entry that was written before.
  virtual Reply<LogPosition> hold_writes(const ShardCall& call, std::chrono::milliseconds hold) = 0;
  virtual Answered release_writes(const ShardCall& call) = 0;
  /// Makes another copy the primary, if writes have been held back ever since the checkpoint that
  /// it was made from; gives up the one that is here. A repetition changes nothing.
  virtual Answered hand_over(const ShardCall& call, const HandOverCall& request) = 0;

  // -- several copies of one shard
  /// Gives each parcel to the copy that it is for; those that were not taken.
  virtual Reply<std::vector<RefusedParcel>> deliver(const NodeCall& call,
                                                    std::vector<CopyParcel> parcels);
  /// Fetches a snapshot from the caller, in the background, for the copy that the call means. The
  /// caller learns by end_checkpoint() that it has come, or by nobody reading of it that it has
  /// not.
  virtual Answered offer_snapshot(const ShardCall& call, const SnapshotOffer& offer);

  // -- copies that replicate; a node that has none answers Unavailable
  /// How far these copies are, in the order asked.
  virtual Reply<std::vector<CopyPosition>> copy_positions(const NodeCall& call,
                                                          const std::vector<CopyName>& copies);
  /// Passes an order to the copy that is meant, which carries it out if it is the primary and can;
  /// that shows in the shard's record. A repetition does no harm.
  virtual Answered direct(const ShardCall& call, const PrimaryOrder& order);
  /// What the copy that is meant holds on its disk. Takes as long as reading all of it.
  virtual Reply<ContentSums> content_sums(const ShardCall& call);

  // -- the node
  virtual Reply<Welcome> join(const NodeCall& call, const JoinCall& request) = 0;
  virtual Reply<HeartbeatEcho> ping(const NodeCall& call, const Heartbeat& heartbeat) = 0;
  virtual Reply<NodeStatus> status(const NodeCall& call) = 0;
};

inline Error no_replicas() {
  return {ErrorCode::Unavailable, "this node keeps no copies that replicate"};
}
inline Reply<std::vector<CopyPosition>> NodeHandler::copy_positions(const NodeCall& /*call*/,
                                                                    const std::vector<CopyName>&) {
  return no_replicas();
}
inline Answered NodeHandler::direct(const ShardCall& /*call*/, const PrimaryOrder& /*order*/) {
  return no_replicas();
}
inline Reply<ContentSums> NodeHandler::content_sums(const ShardCall& /*call*/) {
  return no_replicas();
}

}  // namespace quiver::thrift
