#include "service/operations/cluster_get_shard_distribution.h"

#include <map>
#include <utility>

#include "service/items.h"
#include "service/steer.h"

namespace quiver::service {
namespace {

ClusterShard shown_shard(const cluster::ShardReport& report,
                         const std::map<std::string, std::string>& names) {
  ClusterShard out{report.collection, raw(report.shard), {}};
  for (const auto& [copy, place] : report.state.copies) {
    const bool filling = place.state == cluster::CopyState::New;
    const auto name = names.find(place.node.text);
    out.copies.push_back({name == names.end() ? place.node.text : name->second,
                          filling                        ? "filling"
                          : copy == report.state.primary ? "primary"
                                                         : "copy"});
  }
  return out;
}

}  // namespace

Result<ClusterGetShardDistributionResponse> cluster_get_shard_distribution(
    const CallContext& call, Engine& engine, const ClusterGetShardDistributionRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(const auto found, admin->shard_distribution(call, request.collection.value_or("")));
  ClusterGetShardDistributionResponse response;
  response.epoch = found.nodes.epoch;
  response.copies_missing = found.nodes.copies_missing;
  response.max_over_mean = found.nodes.max_over_mean;
  std::map<std::string, std::string> names;
  TokenBudget budget(reply_tokens(engine));
  for (const auto& node : found.nodes.nodes) {
    names.emplace(node.node.text, node.label);
    response.nodes.push_back({node.node.text, node.label, std::string(cluster::name(node.state)),
                              node.up, node.copies, node.primaries, node.copies_target});
    static_cast<void>(budget.admit(compact(encode(response.nodes.back())).size()));
  }
  for (const auto& shard : found.shards) {
    auto one = shown_shard(shard, names);
    if (!budget.admit(compact(encode(one)).size())) break;
    response.shards.push_back(std::move(one));
  }
  if (response.shards.size() < found.shards.size()) {
    response.advice = "showing " + std::to_string(response.shards.size()) + " of " +
                      grouped(found.shards.size()) + " shards: name a collection";
  }
  return response;
}

Operation cluster_get_shard_distribution_operation() {
  return operation(
      About{"cluster_get_shard_distribution", "Show shards",
            "Which node holds which shard, and how even that is.", Toolset::Cluster, Access::Read,
            Effects{false, true}, Route{"GET", "/v1/cluster/shard-distribution"}},
      &cluster_get_shard_distribution);
}

}  // namespace quiver::service
