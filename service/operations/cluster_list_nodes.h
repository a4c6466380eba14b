#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterListNodesRequest {
  std::optional<std::string> node_id;

  static constexpr auto fields() {
    using R = ClusterListNodesRequest;
    return describe(
        field("node_id", &R::node_id, "Only this id or name").guarded(1, kClusterNameMax));
  }
};

struct ClusterNode {
  std::string id;
  std::string name;
  std::string state;
  bool up = false;
  /// Absent: of a server that is alone.
  std::optional<std::string> rpc_address;
  std::optional<std::string> http_address;
  std::optional<std::string> zone;
  double weight = 1.0;
  std::string version;
  std::uint64_t shards = 0;
  std::uint64_t primaries = 0;
  std::optional<double> load;
  std::optional<std::uint64_t> memory_bytes;
  std::optional<std::uint64_t> disk_bytes_total;
  std::optional<std::uint64_t> disk_bytes_free;
  std::optional<std::uint64_t> points;
  std::optional<std::uint64_t> uptime_ms;
  std::optional<std::string> problem;

  static constexpr auto fields() {
    using R = ClusterNode;
    return describe(
        field("id", &R::id), field("name", &R::name),
        field("state", &R::state, "joining, active, draining"), field("up", &R::up),
        field("rpc_address", &R::rpc_address), field("http_address", &R::http_address),
        field("zone", &R::zone), field("weight", &R::weight), field("version", &R::version),
        field("shards", &R::shards, "Copies of shards on it"), field("primaries", &R::primaries),
        field("load", &R::load, "Runnable threads a processor"),
        field("memory_bytes", &R::memory_bytes), field("disk_bytes_total", &R::disk_bytes_total),
        field("disk_bytes_free", &R::disk_bytes_free), field("points", &R::points),
        field("uptime_ms", &R::uptime_ms), field("problem", &R::problem, "Why it did not answer"));
  }
};

struct ClusterListNodesResponse {
  std::uint64_t epoch = 0;
  std::vector<ClusterNode> nodes;

  static constexpr auto fields() {
    using R = ClusterListNodesResponse;
    return describe(field("epoch", &R::epoch, "Equal epochs, equal maps"),
                    field("nodes", &R::nodes));
  }
};

/// The servers of the cluster and how they are. Errors: NotFound; see ClusterAdmin::list_nodes.
Result<ClusterListNodesResponse> cluster_list_nodes(const CallContext& call, Engine& engine,
                                                    const ClusterListNodesRequest& request);

Operation cluster_list_nodes_operation();

}  // namespace quiver::service
