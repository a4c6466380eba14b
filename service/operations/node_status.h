#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "service/operation.h"

namespace quiver::service {

/// Its name, for those who ask for it and those who must let it through before a server can serve.
inline constexpr std::string_view kNodeStatus = "node_status";

struct NodeStatusRequest {
  static constexpr auto fields() { return describe(); }
};

struct NodeStatusServer {
  std::string id;
  std::string name;
  std::string state;
  bool up = false;
  std::uint64_t shards = 0;
  std::uint64_t primaries = 0;

  static constexpr auto fields() {
    using R = NodeStatusServer;
    return describe(field("id", &R::id), field("name", &R::name), field("state", &R::state),
                    field("up", &R::up), field("shards", &R::shards),
                    field("primaries", &R::primaries));
  }
};

struct NodeStatusResponse {
  std::uint64_t epoch = 0;
  std::uint64_t collections = 0;
  std::uint64_t shards = 0;
  std::uint64_t copies_missing = 0;
  /// As cluster::ShardDistribution::unresolved_count.
  std::uint64_t unresolved = 0;
  /// Why writes are refused; empty: they are not.
  std::string reads_only;
  /// As cluster::OwnState has it.
  std::uint64_t kept_epoch = 0;
  /// As cluster::replication::AuditFigures.
  std::uint64_t copy_comparisons = 0;
  std::uint64_t copy_comparisons_undecided = 0;
  std::uint64_t copies_differing = 0;
  std::int64_t copies_compared_at_ms = 0;
  std::uint64_t copy_bytes_sent = 0;
  std::uint64_t copy_bytes_fetched = 0;
  std::vector<NodeStatusServer> nodes;

  static constexpr auto fields() {
    using R = NodeStatusResponse;
    return describe(field("epoch", &R::epoch), field("collections", &R::collections),
                    field("shards", &R::shards), field("copies_missing", &R::copies_missing),
                    field("unresolved", &R::unresolved), field("reads_only", &R::reads_only),
                    field("kept_epoch", &R::kept_epoch),
                    field("copy_comparisons", &R::copy_comparisons),
                    field("copy_comparisons_undecided", &R::copy_comparisons_undecided),
                    field("copies_differing", &R::copies_differing),
                    field("copies_compared_at_ms", &R::copies_compared_at_ms),
                    field("copy_bytes_sent", &R::copy_bytes_sent),
                    field("copy_bytes_fetched", &R::copy_bytes_fetched),
                    field("nodes", &R::nodes, "Servers that are not removed"));
  }
};

/// Whether this server can serve, and what it knows without asking others. Surfaces use it for
/// their own reports; none shows it.
///
/// Errors: why it cannot serve: those of Collections::list, ClusterAdmin::shard_distribution and
/// ClusterAdmin::own_state.
Result<NodeStatusResponse> node_status(const CallContext& call, Engine& engine,
                                       const NodeStatusRequest& request);

Operation node_status_operation();

}  // namespace quiver::service
