#include "service/operations/cluster_cancel_operation.h"

namespace quiver::service {

Result<ClusterCancelOperationResponse> cluster_cancel_operation(
    const CallContext& call, Engine& engine, const ClusterCancelOperationRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(const auto report, admin->cancel_operation(call, request.operation_id));
  ClusterCancelOperationResponse response;
  response.operation_id = report.id;
  response.state = cluster::name(report.state);
  for (const auto& move : report.moves) {
    if (!move.finished()) ++response.moves_going_on;
    if (move.phase == cluster::MovePhase::Done) ++response.moves_done;
  }
  response.advice = report.record.kind == cluster::OperationKind::RemoveNode
                        ? "the node is active again; cluster_rebalance evens out what has moved"
                        : "what has moved stays; cluster_rebalance plans anew";
  return response;
}

Operation cluster_cancel_operation_operation() {
  return operation(
      About{"cluster_cancel_operation", "Cancel an operation",
            "Stop an operation; moves under way finish.", Toolset::Cluster, Access::Admin,
            Effects{false, true}, Route{"DELETE", "/v1/cluster/operations/{operation_id}"}},
      &cluster_cancel_operation);
}

}  // namespace quiver::service
