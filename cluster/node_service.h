#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/member_service.h"
#include "cluster/migration/move_source.h"
#include "cluster/replication/copy_exchange.h"
#include "cluster/shard_service.h"
#include "cluster/upkeep/copy_desk.h"
#include "core/mutex.h"
#include "thrift/node_handler.h"

namespace quiver::cluster {

/// All that other servers ask of this one. Until the server has joined its cluster it answers pings
/// only, or reads too if it has a map of it, and says so to everything else.
///
/// Threads: any.
class NodeService final : public thrift::NodeHandler {
 public:
  /// What answers once the server has joined; `home` owns all of it.
  struct Parts {
    ShardService* shards = nullptr;
    /// Null: it has not joined, and nobody may join or move shards through it.
    MoveSource* moves = nullptr;
    MemberService* members = nullptr;
    std::shared_ptr<const void> home;
    /// Null: this server keeps no copies that replicate.
    CopyDesk* copies = nullptr;
    /// What such copies send each other; null: nothing.
    std::function<std::shared_ptr<replication::CopyExchange>()> exchange = {};
  };
  explicit NodeService(thrift::NodeIdentity self) : self_(std::move(self)) {}

  void open(Parts parts);
  /// As before open(). Calls that run keep what they use.
  void close();
  /// For greetings, as MemberService::admit(); before open() everybody who knows the token is let
  /// in.
  Status admit(const thrift::NodeIdentity& caller) const;

  thrift::Reply<std::vector<ScoredPoint>> search(const thrift::ShardCall& call,
                                                 const thrift::SearchCall& query) override;
  thrift::Reply<std::vector<Point>> get(const thrift::ShardCall& call,
                                        const thrift::GetCall& wanted) override;
  thrift::Reply<std::vector<Point>> scroll(const thrift::ShardCall& call,
                                           const thrift::ScrollCall& query) override;
  thrift::Reply<std::uint64_t> count(const thrift::ShardCall& call,
                                     const std::optional<Filter>& filter) override;
  thrift::Reply<std::vector<thrift::FieldCount>> fields(const thrift::ShardCall& call,
                                                        std::size_t limit) override;
  thrift::Reply<thrift::ShardCounts> stats(const thrift::ShardCall& call) override;
  thrift::Reply<MutationResult> write(const thrift::ShardCall& call,
                                      const WriteRequest& request) override;
  thrift::Answered create_shard(const thrift::ShardCall& call, const CollectionSpec& spec) override;
  thrift::Answered drop_shard(const thrift::ShardCall& call) override;
  thrift::Reply<thrift::Checkpoint> begin_checkpoint(const thrift::ShardCall& call) override;
  thrift::Reply<std::string> read_chunk(const thrift::ShardCall& call,
                                        const thrift::ChunkCall& chunk) override;
  thrift::Answered end_checkpoint(const thrift::ShardCall& call,
                                  const std::string& checkpoint) override;
  thrift::Reply<LogPosition> hold_writes(const thrift::ShardCall& call,
                                         std::chrono::milliseconds hold) override;
  thrift::Answered release_writes(const thrift::ShardCall& call) override;
  thrift::Answered hand_over(const thrift::ShardCall& call,
                             const thrift::HandOverCall& request) override;
  thrift::Reply<std::vector<thrift::RefusedParcel>> deliver(
      const thrift::NodeCall& call, std::vector<thrift::CopyParcel> parcels) override;
  thrift::Answered offer_snapshot(const thrift::ShardCall& call,
                                  const thrift::SnapshotOffer& offer) override;
  thrift::Reply<std::vector<thrift::CopyPosition>> copy_positions(
      const thrift::NodeCall& call, const std::vector<thrift::CopyName>& copies) override;
  thrift::Answered direct(const thrift::ShardCall& call,
                          const thrift::PrimaryOrder& order) override;
  thrift::Reply<ContentSums> content_sums(const thrift::ShardCall& call) override;
  thrift::Reply<thrift::Welcome> join(const thrift::NodeCall& call,
                                      const thrift::JoinCall& request) override;
  thrift::Reply<thrift::HeartbeatEcho> ping(const thrift::NodeCall& call,
                                            const thrift::Heartbeat& heartbeat) override;
  thrift::Reply<thrift::NodeStatus> status(const thrift::NodeCall& call) override;

 private:
  Parts parts() const;
  /// Errors: Unavailable before open(); as MemberService::admit(), for either side may have been
  /// removed since the greeting.
  Result<Parts> parts_for(const thrift::NodeCall& call) const;
  /// Errors: as parts_for(); Unavailable without Parts::moves.
  Result<Parts> all_parts_for(const thrift::NodeCall& call) const;

  /// Errors: as parts_for(); Unavailable if copies here do not take part yet. Kept alive by
  /// `open`.
  static Result<std::shared_ptr<replication::CopyExchange>> exchange_of(const Parts& open);

  const thrift::NodeIdentity self_;
  mutable Mutex mutex_;
  Parts parts_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
