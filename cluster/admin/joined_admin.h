#pragma once

#include <functional>
#include <memory>

#include "cluster/admin/cluster_admin.h"

namespace quiver::cluster {

/// The administration of a server that is joining its cluster, or has joined.
///
/// Threads: any.
class JoinedAdmin final : public ClusterAdmin {
 public:
  /// Keeps what it gives alive. Errors: Unavailable with the reason before the server has joined.
  using Find = std::function<Result<std::shared_ptr<ClusterAdmin>>()>;
  /// Each may refuse: to look, and to change anything.
  JoinedAdmin(Find find, Find find_to_change)
      : find_(std::move(find)), find_to_change_(std::move(find_to_change)) {}

  Result<NodeList> list_nodes(const CallContext& call, const std::string& node) override;
  Result<ShardDistribution> shard_distribution(const CallContext& call,
                                               const ShardScope& scope) override;
  Result<OwnState> own_state() override;
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
  const Find find_;
  const Find find_to_change_;
};

}  // namespace quiver::cluster
