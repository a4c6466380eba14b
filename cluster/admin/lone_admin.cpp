#include "cluster/admin/lone_admin.h"

#include "cluster/admin/view_reports.h"

namespace quiver::cluster {
namespace {

Error no_cluster() {
  return {ErrorCode::FailedPrecondition,
          "this server is no part of a cluster: \"quiver cluster init\" makes it the first node of "
          "one, \"quiver dev --nodes 3\" starts one to try"};
}

}  // namespace

Result<NodeList> LoneAdmin::list_nodes(const CallContext& /*call*/, const std::string& node) {
  QV_TRY(const auto view, view_());
  return list_of(*view, Liveness{}, node);
}

Result<ShardDistribution> LoneAdmin::shard_distribution(const CallContext& /*call*/,
                                                        const ShardScope& scope) {
  QV_TRY(const auto view, view_());
  return shards_of(*view, Liveness{}, scope);
}

Result<RebalanceAnswer> LoneAdmin::rebalance(const CallContext& /*call*/,
                                             const std::optional<std::string>& /*plan_id*/) {
  return no_cluster();
}

Result<std::string> LoneAdmin::move_shard(const CallContext& /*call*/,
                                          const ShardMoveRequest& /*request*/) {
  return no_cluster();
}

Result<ForcePromotionRecord> LoneAdmin::force_promote(const CallContext& /*call*/,
                                                      const ShardPromotionRequest& /*request*/) {
  return no_cluster();
}

Result<std::vector<ForcePromotionRecord>> LoneAdmin::force_promotions(const CallContext& /*call*/) {
  return std::vector<ForcePromotionRecord>{};
}

Result<NodeAdded> LoneAdmin::add_node(const CallContext& /*call*/, const std::string& /*address*/) {
  return no_cluster();
}

Result<NodeRemoval> LoneAdmin::plan_removal(const CallContext& /*call*/,
                                            const std::string& /*node*/) {
  return no_cluster();
}

Result<NodeRemoval> LoneAdmin::remove_node(const CallContext& /*call*/,
                                           const std::string& /*node*/) {
  return no_cluster();
}

Result<OperationReport> LoneAdmin::get_operation(const CallContext& /*call*/,
                                                 const std::string& /*id*/) {
  return no_cluster();
}

Result<OperationReport> LoneAdmin::cancel_operation(const CallContext& /*call*/,
                                                    const std::string& /*id*/) {
  return no_cluster();
}

}  // namespace quiver::cluster
