#pragma once

#include <string>

#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterRemoveNodeRequest {
  std::string node;

  static constexpr auto fields() {
    using R = ClusterRemoveNodeRequest;
    return describe(field("node", &R::node, "Id or name").guarded(1, kClusterNameMax));
  }
};

struct ClusterRemoveNodeResponse {
  std::string id;
  std::string name;
  std::string state;
  std::string operation_id;
  bool already_asked = false;

  static constexpr auto fields() {
    using R = ClusterRemoveNodeResponse;
    return describe(field("id", &R::id), field("name", &R::name), field("state", &R::state),
                    field("operation_id", &R::operation_id, "Watch it with cluster_get_operation"),
                    field("already_asked", &R::already_asked));
  }
};

/// Begins to empty and remove a node. Errors: see ClusterAdmin::remove_node.
Result<ClusterRemoveNodeResponse> cluster_remove_node(const CallContext& call, Engine& engine,
                                                      const ClusterRemoveNodeRequest& request);

Operation cluster_remove_node_operation();

}  // namespace quiver::service
