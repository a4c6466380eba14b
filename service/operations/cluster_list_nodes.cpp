#include "service/operations/cluster_list_nodes.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "service/steer.h"

namespace quiver::service {
namespace {

/// Nothing if it is not known of every shard: a part of them would pass for the whole.
std::optional<std::uint64_t> points_of(std::uint64_t primaries, const thrift::NodeStatus& status) {
  if (status.shards.size() < primaries) return std::nullopt;
  std::uint64_t points = 0;
  for (const auto& shard : status.shards) {
    if (shard.state == "unknown") return std::nullopt;
    points += shard.counts.points;
  }
  return points;
}

ClusterNode shown_node(const cluster::NodeReport& report) {
  ClusterNode out;
  out.id = report.record.id.text;
  out.name = report.record.label;
  out.state = cluster::name(report.record.state);
  out.up = report.up;
  const auto& record = report.record;
  if (!record.rpc_address.empty()) out.rpc_address = record.rpc_address;
  if (!record.http_address.empty()) out.http_address = record.http_address;
  if (!report.record.zone.empty()) out.zone = report.record.zone;
  out.weight = report.record.weight;
  out.version = report.record.version;
  out.shards = report.copies;
  out.primaries = report.primaries;
  if (report.status) {
    const auto& status = *report.status;
    out.load = status.load;
    out.memory_bytes = status.memory_bytes;
    out.disk_bytes_total = status.disk_bytes_total;
    out.disk_bytes_free = status.disk_bytes_free;
    out.uptime_ms = static_cast<std::uint64_t>(status.uptime.count());
    out.points = points_of(report.primaries, status);
  }
  if (!report.problem.empty()) out.problem = report.problem;
  return out;
}

}  // namespace

Result<ClusterListNodesResponse> cluster_list_nodes(const CallContext& call, Engine& engine,
                                                    const ClusterListNodesRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(const auto list, admin->list_nodes(call, request.node_id.value_or("")));
  ClusterListNodesResponse response;
  response.epoch = list.epoch;
  for (const auto& node : list.nodes) response.nodes.push_back(shown_node(node));
  return response;
}

Operation cluster_list_nodes_operation() {
  return operation(
      About{"cluster_list_nodes", "List nodes",
            "Nodes of the cluster: state, addresses, shards, load, disk.", Toolset::Cluster,
            Access::Read, Effects{false, true}, Route{"GET", "/v1/cluster/nodes"}, true,
            Route{"GET", "/v1/cluster/nodes/{node_id}"}},
      &cluster_list_nodes);
}

}  // namespace quiver::service
