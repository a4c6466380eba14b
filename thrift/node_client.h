#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "thrift/node_handler.h"
#include "thrift/options.h"

namespace quiver::thrift {

class ConnectionPool;
class Dialer;
class Talk;

/// Where a peer listens, and who it should be.
struct PeerAddress {
  std::string host;
  std::uint16_t port = 0;
  /// Empty: not known yet, any node of the cluster will do.
  std::string node_id;

  auto operator<=>(const PeerAddress&) const = default;
};

/// The calls that one node makes to another.
///
/// Every call ends at its deadline (ClientOptions::call_time if it has none), whatever the peer
/// does: connecting, waiting for a free connection and repeating included. It is repeated on a new
/// connection while nothing of it had been sent, and after that if it reads, or writes under a
/// request id. What the peer itself answers is never repeated here.
///
/// Errors, beside those of the peer's handler:
/// Unavailable: the peer could not be reached or went away; what was to be changed is not.
/// DeadlineExceeded: out of time or cancelled, or the connection was lost behind a request that
/// changes something. With ReplyInfo::outcome_unknown it may have taken effect.
/// PermissionDenied, FailedPrecondition: the greeting failed: token, certificate, cluster, version.
/// InvalidArgument: the call cannot be carried, such as a write that split_write() must divide.
/// Internal: the peer answered what cannot be understood.
///
/// search() asks the peer a second time for the hits that one reply has no room for; of these, a
/// point that was erased in between is left out. get(), scroll() and
/// copy_positions() ask as often as it takes.
///
/// Threads: any.
class NodeClient final : public NodeHandler {
 public:
  /// `dialer` opens connections to the peer.
  NodeClient(std::shared_ptr<const Dialer> dialer, const ClientOptions& options);
  ~NodeClient() override;
  NodeClient(const NodeClient&) = delete;
  NodeClient& operator=(const NodeClient&) = delete;

  /// Who answers at the address now: greets it over a connection of its own, which is closed then.
  Result<NodeIdentity> greet(const CallContext& call);
  const PeerAddress& peer() const noexcept;
  /// Closes connections that were idle for ClientOptions::idle_time; how many stay, idle or not.
  std::size_t close_idle();

  Reply<std::vector<ScoredPoint>> search(const ShardCall& call, const SearchCall& query) override;
  Reply<std::vector<Point>> get(const ShardCall& call, const GetCall& wanted) override;
  Reply<std::vector<Point>> scroll(const ShardCall& call, const ScrollCall& query) override;
  Reply<std::uint64_t> count(const ShardCall& call, const std::optional<Filter>& filter) override;
  Reply<std::vector<FieldCount>> fields(const ShardCall& call, std::size_t limit) override;
  Reply<ShardCounts> stats(const ShardCall& call) override;
  Reply<MutationResult> write(const ShardCall& call, const WriteRequest& request) override;
  Answered create_shard(const ShardCall& call, const CollectionSpec& spec) override;
  Answered drop_shard(const ShardCall& call) override;
  Reply<Checkpoint> begin_checkpoint(const ShardCall& call) override;
  Reply<std::string> read_chunk(const ShardCall& call, const ChunkCall& chunk) override;
  Answered end_checkpoint(const ShardCall& call, const std::string& checkpoint) override;
  Reply<LogPosition> hold_writes(const ShardCall& call, std::chrono::milliseconds hold) override;
  Answered release_writes(const ShardCall& call) override;
  Answered hand_over(const ShardCall& call, const HandOverCall& request) override;
  /// On the connection for entries, if there are any, else on that for signs of life. Never
  /// repeated: whoever sends does that.
  Reply<std::vector<RefusedParcel>> deliver(const NodeCall& call,
                                            std::vector<CopyParcel> parcels) override;
  Answered offer_snapshot(const ShardCall& call, const SnapshotOffer& offer) override;
  Reply<std::vector<CopyPosition>> copy_positions(const NodeCall& call,
                                                  const std::vector<CopyName>& copies) override;
  Answered direct(const ShardCall& call, const PrimaryOrder& order) override;
  Reply<ContentSums> content_sums(const ShardCall& call) override;
  Reply<Welcome> join(const NodeCall& call, const JoinCall& request) override;
  Reply<HeartbeatEcho> ping(const NodeCall& call, const Heartbeat& heartbeat) override;
  Reply<NodeStatus> status(const NodeCall& call) override;

 private:
  /// What is said again if the connection is lost behind it.
  enum class Kind : std::uint8_t {
    Read,        ///< Again and again.
    Idempotent,  ///< The same, but it changes something.
    Write,       ///< Only under a request id.
    Once,        ///< Never.
  };
  struct Plan {
    Purpose purpose;
    Kind kind;
    const NodeCall& call;
    /// Null for a call to the node.
    const ShardCall* shard;
  };

  /// Carries one call to the peer; why it failed, or nothing. `talk` says it over a connection and
  /// keeps the answer.
  std::optional<RemoteError> carry(const Plan& plan, const Talk& talk);
  struct Attempt;
  Attempt carry_once(const Plan& plan, const Talk& talk,
                     std::chrono::steady_clock::time_point until);
  Error malformed(const Error& problem) const;

  const std::shared_ptr<const Dialer> dialer_;
  const ClientOptions options_;
  std::array<std::unique_ptr<ConnectionPool>, kPurposes> pools_;
};

}  // namespace quiver::thrift
