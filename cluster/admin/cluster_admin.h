#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/migration/operations.h"
#include "cluster/placement/distribution.h"
#include "cluster/placement/plan.h"
#include "cluster/replication/audit_figures.h"
#include "cluster/upkeep/force_promotion.h"
#include "cluster/view/cluster_view.h"
#include "core/call_context.h"
#include "thrift/calls.h"

namespace quiver::cluster {

/// A server, by the map and by what it says of itself.
struct NodeReport {
  NodeRecord record;
  bool up = false;
  std::uint64_t copies = 0;
  std::uint64_t primaries = 0;
  /// Absent: it did not answer, and `problem` says why.
  std::optional<thrift::NodeStatus> status;
  std::string problem;
};

struct NodeList {
  std::uint64_t epoch = 0;
  /// Without those that are removed; in the order of their ids.
  std::vector<NodeReport> nodes;
};

/// What is asked about; empty: all.
struct ShardScope {
  std::string collection = {};
  /// Id or label.
  std::string node = {};
};

struct ShardReport {
  std::string collection;
  ShardId shard{0};
  ShardState state;
};

struct ShardDistribution {
  Distribution nodes;
  /// By name of the collection and number of the shard.
  std::vector<ShardReport> shards;
  /// Of shards with several copies: what nothing can be done about, as the server that leads last
  /// told, of the scope, and how many there are in the whole cluster.
  std::vector<Unresolved> unresolved = {};
  std::uint64_t unresolved_count = 0;
};

struct RebalanceAnswer {
  /// Without what is done anyway.
  Plan plan;
  /// What carries it out; absent: nobody does.
  std::optional<std::string> operation;
  /// Labels of active servers that cannot be reached, and so take no part.
  std::vector<std::string> down = {};
  /// Of shards with several copies, without being asked for: copies that are made anew or leave
  /// draining servers, and primaries that change servers.
  std::uint64_t copies_upkept = 0;
  std::uint64_t primaries_upkept = 0;
};

struct ShardMoveRequest {
  std::string collection;
  ShardId shard{0};
  /// Id or label: whose copy moves; empty: the primary's.
  std::string from;
  std::string to;
};

/// As ForcePromotionRequest, with the server by id or label; empty: the copy with the longest log.
struct ShardPromotionRequest {
  std::string collection;
  ShardId shard{0};
  std::string node;
  bool accept_data_loss = false;
  std::string reason;
};

struct NodeAdded {
  NodeRecord node;
  /// It was a member before.
  bool already = false;
  /// Copies of shards that it has.
  std::uint64_t copies = 0;
};

struct NodeRemoval {
  NodeRecord node;
  /// Copies of shards that must go elsewhere first.
  std::uint64_t moves = 0;
  /// What does it; absent: nobody does.
  std::optional<std::string> operation;
  /// It was asked for before.
  bool already = false;
};

/// What a server says of itself to those who run it.
struct OwnState {
  /// Why it refuses writes; empty: it does not.
  std::string reads_only;
  /// Epoch of the map of the cluster on its disk; 0: there is none, or it is of an earlier start.
  std::uint64_t kept_epoch = 0;
  /// Of copies with their primaries here.
  replication::AuditFigures audited = {};
  /// Of files of shards that were moved or copied from here, and to here, since the start.
  std::uint64_t copy_bytes_sent = 0;
  std::uint64_t copy_bytes_fetched = 0;
};

enum class OperationState : std::uint8_t { Running = 1, Done = 2, Failed = 3, Cancelled = 4 };
std::string_view name(OperationState state) noexcept;

struct OperationReport {
  std::string id;
  OperationRecord record;
  OperationState state = OperationState::Running;
  /// In the order of record.moves; of those that have not begun, what will be their record.
  std::vector<MoveRecord> moves;
  /// Of the server that is removed, until it is: copies that it has, of which those of shards with
  /// several go without being listed as moves.
  std::optional<std::uint64_t> copies_left = std::nullopt;
};

/// What people may ask of a cluster.
///
/// All calls: Errors: those of CoordinationStore; FailedPrecondition for changes if there is no
/// cluster.
///
/// Threads: any.
class ClusterAdmin {
 public:
  virtual ~ClusterAdmin() = default;

  /// Asks the server of that id or label, or all at once for an empty one; those that do not answer
  /// soon are listed with the reason. Errors: NotFound.
  virtual Result<NodeList> list_nodes(const CallContext& call, const std::string& node) = 0;
  /// The shards of the scope, beside the load of all servers. Errors: NotFound.
  virtual Result<ShardDistribution> shard_distribution(const CallContext& call,
                                                       const ShardScope& scope) = 0;
  virtual Result<OwnState> own_state() { return OwnState{}; }
  /// Without `plan_id`: what would be done. With it: does exactly that.
  ///
  /// Errors: FailedPrecondition if that is not the plan any more, or shards are moving; those of
  /// plan_rebalance().
  virtual Result<RebalanceAnswer> rebalance(const CallContext& call,
                                            const std::optional<std::string>& plan_id) = 0;
  /// Makes a copy primary although acknowledged writes may be lost, and keeps a record of it.
  /// Errors: those of ForcePromotion::run().
  virtual Result<ForcePromotionRecord> force_promote(const CallContext& call,
                                                     const ShardPromotionRequest& request) = 0;
  /// All there ever were, the newest first.
  virtual Result<std::vector<ForcePromotionRecord>> force_promotions(const CallContext& call) = 0;
  /// The operation that does it. Errors: those of plan_move(); FailedPrecondition.
  virtual Result<std::string> move_shard(const CallContext& call,
                                         const ShardMoveRequest& request) = 0;
  /// Errors: Unavailable if nobody answers there; PermissionDenied or FailedPrecondition if it is
  /// no server that may join.
  virtual Result<NodeAdded> add_node(const CallContext& call, const std::string& address) = 0;
  /// What remove_node() would do. Errors: as remove_node().
  virtual Result<NodeRemoval> plan_removal(const CallContext& call, const std::string& node) = 0;
  /// Begins to empty a server, which is removed once that is done. Errors: NotFound;
  /// FailedPrecondition for the last one, or if the others cannot take its copies; Unavailable if
  /// only it has a shard and it cannot be reached, or no other one can be.
  virtual Result<NodeRemoval> remove_node(const CallContext& call, const std::string& node) = 0;
  /// Errors: NotFound.
  virtual Result<OperationReport> get_operation(const CallContext& call, const std::string& id) = 0;
  /// Keeps the moves of an operation from beginning that nobody works on yet; the others go on. A
  /// server that was to be removed is active again. Of one that was cancelled before, the report.
  ///
  /// Errors: NotFound; FailedPrecondition if it has ended.
  virtual Result<OperationReport> cancel_operation(const CallContext& call,
                                                   const std::string& id) = 0;
};

}  // namespace quiver::cluster
