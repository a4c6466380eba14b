#pragma once

#include <functional>

#include "cluster/admin/cluster_admin.h"
#include "cluster/admin/controller.h"
#include "cluster/fan_out.h"
#include "cluster/peers.h"
#include "cluster/view/view_source.h"

namespace quiver::cluster {

/// The administration of a cluster, from any of its servers.
class NodeAdmin final : public ClusterAdmin {
 public:
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    Peers& peers;
    FanOut& fan_out;
    Controller& controller;
    const Clock& clock;
    /// Which servers are out of reach now.
    std::function<Liveness(const ClusterView&)> liveness;
    /// The way to a server; for this one its own handler.
    ReachNode reach;
    /// May be empty.
    std::function<OwnState()> own_state = {};
  };
  struct Options {
    /// For a server to say how it is.
    std::chrono::milliseconds status_time{2'000};
    /// For a server that answers, to become a member by itself.
    std::chrono::milliseconds join_time{10'000};
    /// For a server to say how far its copy is, before another is promoted by force.
    std::chrono::milliseconds promotion_patience{3'000};
  };
  NodeAdmin(Parts parts, const Options& options);

  Result<NodeList> list_nodes(const CallContext& call, const std::string& node) override;
  Result<ShardDistribution> shard_distribution(const CallContext& call,
                                               const ShardScope& scope) override;
  Result<OwnState> own_state() override {
    return parts_.own_state ? parts_.own_state() : OwnState{};
  }
  Result<RebalanceAnswer> rebalance(const CallContext& call,
                                    const std::optional<std::string>& plan_id) override;
  Result<std::string> move_shard(const CallContext& call, const ShardMoveRequest& request) override;
  Result<ForcePromotionRecord> force_promote(const CallContext& call,
                                             const ShardPromotionRequest& request) override;
  Result<std::vector<ForcePromotionRecord>> force_promotions(const CallContext& call) override;
  Result<NodeAdded> add_node(const CallContext& call, const std::string& address) override;
  Result<NodeRemoval> plan_removal(const CallContext& call, const std::string& node) override;
  Result<NodeRemoval> remove_node(const CallContext& call, const std::string& node) override;
  Result<OperationReport> get_operation(const CallContext& call, const std::string& id) override;
  Result<OperationReport> cancel_operation(const CallContext& call, const std::string& id) override;

 private:
  /// The call, with no more time than a server has to answer.
  CallContext soon(const CallContext& call) const;
  /// As it is now, not as it was when the watch last told.
  Result<std::shared_ptr<const ClusterView>> fresh_view(const CallContext& call);
  Result<std::vector<Operations::StoredMove>> unfinished(const CallContext& call);
  /// What the cluster needs now. Errors: FailedPrecondition if shards are moving.
  Result<RebalanceAnswer> plan_now(const CallContext& call);
  /// The same, if it is that plan, and can be carried out. Errors: those of rebalance().
  Result<RebalanceAnswer> plan_again(const CallContext& call, const std::string& plan_id);
  /// Errors: those of move_shard().
  Result<Move> wanted_move(const CallContext& call, const ShardMoveRequest& request);
  ForcePromotion promotion();
  /// Errors: FailedPrecondition if it does not become one in time.
  Result<NodeRecord> await_member(const CallContext& call, const thrift::NodeIdentity& node,
                                  const std::string& address);
  Status check_removal(const CallContext& call, const ClusterView& view,
                       const NodeRecord& node) const;
  /// Whether what only this server has can be copied: it answers now.
  Status check_only_copies(const CallContext& call, const ClusterView& view,
                           const Liveness& liveness, const NodeRecord& node) const;
  Status check_others(const ClusterView& view, const Liveness& liveness,
                      const NodeRecord& node) const;
  Result<OperationState> removal_state(const CallContext& call, const OperationRecord& record,
                                       bool all_ended);
  /// Nothing: the operation or its server has changed since it was read.
  Result<bool> mark_cancelled(const CallContext& call, const std::string& id,
                              Operations::Stored stored);
  /// Moves begin now, not with the next round of whoever leads.
  void hurry(const CallContext& call);

  const Parts parts_;
  const Options options_;
  Operations operations_;
};

}  // namespace quiver::cluster
