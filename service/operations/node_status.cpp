#include "service/operations/node_status.h"

#include "service/cluster_words.h"

namespace quiver::service {

Result<NodeStatusResponse> node_status(const CallContext& call, Engine& engine,
                                       const NodeStatusRequest& /*request*/) {
  QV_TRY(const auto collections, engine.collections.list());
  NodeStatusResponse response;
  response.collections = collections.size();
  if (engine.cluster == nullptr) {
    for (const auto& spec : collections) response.shards += spec.shard_count;
    return response;
  }
  QV_TRY(const auto own, engine.cluster->own_state());
  response.reads_only = own.reads_only;
  response.kept_epoch = own.kept_epoch;
  response.copy_comparisons = own.audited.comparisons;
  response.copy_comparisons_undecided = own.audited.undecided;
  response.copies_differing = own.audited.differing;
  response.copies_compared_at_ms = own.audited.last_ms;
  response.copy_bytes_sent = own.copy_bytes_sent;
  response.copy_bytes_fetched = own.copy_bytes_fetched;
  QV_TRY(const auto spread, engine.cluster->shard_distribution(call, {}));
  response.epoch = spread.nodes.epoch;
  response.shards = spread.shards.size();
  response.copies_missing = spread.nodes.copies_missing;
  response.unresolved = spread.unresolved_count;
  for (const auto& node : spread.nodes.nodes) {
    response.nodes.push_back({node.node.text, node.label, std::string(cluster::name(node.state)),
                              node.up, node.copies, node.primaries});
  }
  return response;
}

Operation node_status_operation() {
  return operation(About{kNodeStatus, "Status of this server",
                         "Whether this server can serve, and what it knows of its cluster.",
                         Toolset::Cluster, Access::Read, Effects{false, true}, Route{}, false},
                   &node_status);
}

}  // namespace quiver::service
