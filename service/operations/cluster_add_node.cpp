#include "service/operations/cluster_add_node.h"

#include <utility>

namespace quiver::service {

Result<ClusterAddNodeResponse> cluster_add_node(const CallContext& call, Engine& engine,
                                                const ClusterAddNodeRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto added, admin->add_node(call, request.address));
  return ClusterAddNodeResponse{added.node.id.text, std::move(added.node.label),
                                std::string(cluster::name(added.node.state)), added.already,
                                "it holds no shards until cluster_rebalance moves some to it"};
}

Operation cluster_add_node_operation() {
  return operation(About{"cluster_add_node", "Add a node",
                         "Contact a started node and let it into the cluster.", Toolset::Cluster,
                         Access::Admin, Effects{false, true}, Route{"POST", "/v1/cluster/nodes"}},
                   &cluster_add_node);
}

}  // namespace quiver::service
