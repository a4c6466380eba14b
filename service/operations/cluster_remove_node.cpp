#include "service/operations/cluster_remove_node.h"

#include <utility>

namespace quiver::service {

Result<ClusterRemoveNodeResponse> cluster_remove_node(const CallContext& call, Engine& engine,
                                                      const ClusterRemoveNodeRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto removal, admin->remove_node(call, request.node));
  return ClusterRemoveNodeResponse{removal.node.id.text, std::move(removal.node.label),
                                   std::string(cluster::name(removal.node.state)),
                                   std::move(removal.operation), removal.already};
}

Operation cluster_remove_node_operation() {
  return operation(
      About{"cluster_remove_node", "Remove a node",
            "Move all shards off a node, then remove it for good.", Toolset::Cluster, Access::Admin,
            Effects{true, true}, Route{"DELETE", "/v1/cluster/nodes/{node}"}},
      &cluster_remove_node);
}

}  // namespace quiver::service
