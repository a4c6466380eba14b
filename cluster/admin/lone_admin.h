#pragma once

#include <functional>
#include <memory>

#include "cluster/admin/cluster_admin.h"

namespace quiver::cluster {

/// The administration of a server that is no part of a cluster: shows it, and says how to make a
/// cluster of it.
///
/// Threads: as `view`.
class LoneAdmin final : public ClusterAdmin {
 public:
  using View = std::function<Result<std::shared_ptr<const ClusterView>>()>;
  explicit LoneAdmin(View view) : view_(std::move(view)) {}

  Result<NodeList> list_nodes(const CallContext& call, const std::string& node) override;
  Result<ShardDistribution> shard_distribution(const CallContext& call,
                                               const ShardScope& scope) override;
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
  const View view_;
};

}  // namespace quiver::cluster
