#pragma once

#include <cstdint>
#include <string>

#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterCancelOperationRequest {
  std::string operation_id;

  static constexpr auto fields() {
    using R = ClusterCancelOperationRequest;
    return describe(field("operation_id", &R::operation_id).guarded(1, kClusterNameMax));
  }
};

struct ClusterCancelOperationResponse {
  std::string operation_id;
  std::string state;
  std::uint64_t moves_going_on = 0;
  std::uint64_t moves_done = 0;
  std::string advice;

  static constexpr auto fields() {
    using R = ClusterCancelOperationResponse;
    return describe(field("operation_id", &R::operation_id),
                    field("state", &R::state, "cancelled; running: moves that had begun go on"),
                    field("moves_going_on", &R::moves_going_on),
                    field("moves_done", &R::moves_done, "These are not taken back"),
                    field("advice", &R::advice, "What to do next"));
  }
};

/// Keeps an operation from going further. Errors: see ClusterAdmin::cancel_operation.
Result<ClusterCancelOperationResponse> cluster_cancel_operation(
    const CallContext& call, Engine& engine, const ClusterCancelOperationRequest& request);

Operation cluster_cancel_operation_operation();

}  // namespace quiver::service
