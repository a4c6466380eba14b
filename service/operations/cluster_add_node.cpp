#include "service/operations/cluster_add_node.h"

#include <string>
#include <utility>

namespace quiver::service {
namespace {

std::string advice_of(const cluster::NodeAdded& added) {
  switch (added.node.state) {
    case cluster::NodeState::Joining:
      return "it is joining: cluster_list_nodes says when it is active";
    case cluster::NodeState::Draining:
      return "it is being removed; cluster_cancel_operation with its id keeps it, and "
             "cluster_get_operation says how far the removal is";
    default: break;
  }
  if (added.copies == 0) return "it holds no shards until cluster_rebalance moves some to it";
  return "it is a member and holds shards (" + std::to_string(added.copies) +
         "); cluster_rebalance says whether it has its share";
}

}  // namespace

Result<ClusterAddNodeResponse> cluster_add_node(const CallContext& call, Engine& engine,
                                                const ClusterAddNodeRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto added, admin->add_node(call, request.address));
  auto advice = advice_of(added);
  return ClusterAddNodeResponse{added.node.id.text, std::move(added.node.label),
                                std::string(cluster::name(added.node.state)), added.already,
                                std::move(advice)};
}

Operation cluster_add_node_operation() {
  return operation(About{"cluster_add_node", "Add a node",
                         "Contact a started node and let it into the cluster.", Toolset::Cluster,
                         Access::Admin, Effects{false, true}, Route{"POST", "/v1/cluster/nodes"}},
                   &cluster_add_node);
}

}  // namespace quiver::service
