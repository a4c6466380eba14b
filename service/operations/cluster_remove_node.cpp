#include "service/operations/cluster_remove_node.h"

#include <utility>

namespace quiver::service {
namespace {

std::optional<Confirmation> confirmation(const ClusterRemoveNodeRequest& request,
                                         const Json& arguments) {
  if (arguments.value("dry_run", false)) return std::nullopt;
  Confirmation confirmation;
  confirmation.preview = "cluster_remove_node";
  confirmation.preview_arguments = arguments;
  confirmation.preview_arguments["dry_run"] = true;
  confirmation.question = [node = request.node_id](const Json& reply) -> std::optional<Question> {
    if (reply.at("already_asked").get<bool>()) return std::nullopt;
    const auto moves = reply.at("move_count").get<std::uint64_t>();
    return Question{"Move " + counted(moves, "copy of a shard", "copies of shards") +
                        " off the node " + shown(node) + ", then remove it for good?",
                    moves};
  };
  confirmation.confirmed = arguments;
  confirmation.confirmed["dry_run"] = false;
  return confirmation;
}

}  // namespace

Result<ClusterRemoveNodeResponse> cluster_remove_node(const CallContext& call, Engine& engine,
                                                      const ClusterRemoveNodeRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto removal, request.dry_run ? admin->plan_removal(call, request.node_id)
                                       : admin->remove_node(call, request.node_id));
  ClusterRemoveNodeResponse response;
  response.id = removal.node.id.text;
  response.name = std::move(removal.node.label);
  response.state = std::string(cluster::name(removal.node.state));
  response.move_count = removal.moves;
  response.operation_id = std::move(removal.operation);
  response.already_asked = removal.already;
  response.advice = response.operation_id ? "watch it with cluster_get_operation"
                                          : "do it by calling again with dry_run false";
  return response;
}

Operation cluster_remove_node_operation() {
  return operation(About{"cluster_remove_node", "Remove a node",
                         "Empty a node, then remove it for good; dry_run (default) only checks.",
                         Toolset::Cluster, Access::Admin, Effects{true, true},
                         Route{"DELETE", "/v1/cluster/nodes/{node_id}"}},
                   &cluster_remove_node, &confirmation);
}

}  // namespace quiver::service
