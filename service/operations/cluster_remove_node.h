#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterRemoveNodeRequest {
  std::string node_id;
  bool dry_run = true;

  static constexpr auto fields() {
    using R = ClusterRemoveNodeRequest;
    return describe(field("node_id", &R::node_id, "Id or name").guarded(1, kClusterNameMax),
                    field("dry_run", &R::dry_run).optional());
  }
};

struct ClusterRemoveNodeResponse {
  std::string id;
  std::string name;
  std::string state;
  std::uint64_t move_count = 0;
  std::optional<std::string> operation_id;
  bool already_asked = false;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = ClusterRemoveNodeResponse;
    return describe(field("id", &R::id), field("name", &R::name), field("state", &R::state),
                    field("move_count", &R::move_count, "Copies of shards that go elsewhere"),
                    field("operation_id", &R::operation_id, "What carries it out"),
                    field("already_asked", &R::already_asked),
                    field("advice", &R::advice, "What to do next"));
  }
};

/// Begins to empty and remove a node, or says what that would do. Errors: see
/// ClusterAdmin::remove_node.
Result<ClusterRemoveNodeResponse> cluster_remove_node(const CallContext& call, Engine& engine,
                                                      const ClusterRemoveNodeRequest& request);

Operation cluster_remove_node_operation();

}  // namespace quiver::service
