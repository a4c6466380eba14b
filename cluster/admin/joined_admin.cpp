#include "cluster/admin/joined_admin.h"

namespace quiver::cluster {

Result<NodeList> JoinedAdmin::list_nodes(const CallContext& call, const std::string& node) {
  QV_TRY(const auto admin, find_());
  return admin->list_nodes(call, node);
}

Result<ShardDistribution> JoinedAdmin::shard_distribution(const CallContext& call,
                                                          const ShardScope& scope) {
  QV_TRY(const auto admin, find_());
  return admin->shard_distribution(call, scope);
}

Result<OwnState> JoinedAdmin::own_state() {
  QV_TRY(const auto admin, find_());
  return admin->own_state();
}

Result<RebalanceAnswer> JoinedAdmin::rebalance(const CallContext& call,
                                               const std::optional<std::string>& plan_id) {
  QV_TRY(const auto admin, find_to_change_());
  return admin->rebalance(call, plan_id);
}

Result<std::string> JoinedAdmin::move_shard(const CallContext& call,
                                            const ShardMoveRequest& request) {
  QV_TRY(const auto admin, find_to_change_());
  return admin->move_shard(call, request);
}

Result<ForcePromotionRecord> JoinedAdmin::force_promote(const CallContext& call,
                                                        const ShardPromotionRequest& request) {
  QV_TRY(const auto admin, find_to_change_());
  return admin->force_promote(call, request);
}

Result<std::vector<ForcePromotionRecord>> JoinedAdmin::force_promotions(const CallContext& call) {
  QV_TRY(const auto admin, find_());
  return admin->force_promotions(call);
}

Result<NodeAdded> JoinedAdmin::add_node(const CallContext& call, const std::string& address) {
  QV_TRY(const auto admin, find_to_change_());
  return admin->add_node(call, address);
}

Result<NodeRemoval> JoinedAdmin::plan_removal(const CallContext& call, const std::string& node) {
  QV_TRY(const auto admin, find_to_change_());
  return admin->plan_removal(call, node);
}

Result<NodeRemoval> JoinedAdmin::remove_node(const CallContext& call, const std::string& node) {
  QV_TRY(const auto admin, find_to_change_());
  return admin->remove_node(call, node);
}

Result<OperationReport> JoinedAdmin::get_operation(const CallContext& call, const std::string& id) {
  QV_TRY(const auto admin, find_());
  return admin->get_operation(call, id);
}

Result<OperationReport> JoinedAdmin::cancel_operation(const CallContext& call,
                                                      const std::string& id) {
  QV_TRY(const auto admin, find_to_change_());
  return admin->cancel_operation(call, id);
}

}  // namespace quiver::cluster
