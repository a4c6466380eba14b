#pragma once

#include <string>

#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterAddNodeRequest {
  std::string address;

  static constexpr auto fields() {
    using R = ClusterAddNodeRequest;
    return describe(
        field("address", &R::address, "host:port that it advertises").guarded(1, kClusterNameMax));
  }
};

struct ClusterAddNodeResponse {
  std::string id;
  std::string name;
  std::string state;
  bool already_member = false;
  std::string advice;

  static constexpr auto fields() {
    using R = ClusterAddNodeResponse;
    return describe(field("id", &R::id), field("name", &R::name), field("state", &R::state),
                    field("already_member", &R::already_member),
                    field("advice", &R::advice, "What to do next"));
  }
};

/// Contacts a running node and lets it in. Errors: see ClusterAdmin::add_node.
Result<ClusterAddNodeResponse> cluster_add_node(const CallContext& call, Engine& engine,
                                                const ClusterAddNodeRequest& request);

Operation cluster_add_node_operation();

}  // namespace quiver::service
