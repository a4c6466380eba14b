#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterGetOperationRequest {
  std::string operation_id;

  static constexpr auto fields() {
    using R = ClusterGetOperationRequest;
    return describe(field("operation_id", &R::operation_id).guarded(1, kClusterNameMax));
  }
};

struct ClusterMoveProgress {
  std::string collection;
  std::uint32_t shard = 0;
  std::string from;
  std::string to;
  std::string phase;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  std::uint32_t attempts = 0;
  std::optional<std::string> error;

  static constexpr auto fields() {
    using R = ClusterMoveProgress;
    return describe(field("collection", &R::collection), field("shard", &R::shard),
                    field("from", &R::from, "Node id"), field("to", &R::to, "Node id"),
                    field("phase", &R::phase,
                          "planned, adding, copying, handing_over, done, failed or aborted"),
                    field("bytes_done", &R::bytes_done),
                    field("bytes_total", &R::bytes_total, "0: not known yet"),
                    field("attempts", &R::attempts, "That failed"), field("error", &R::error));
  }
};

struct ClusterGetOperationResponse {
  std::string operation_id;
  std::string kind;
  std::string state;
  std::optional<std::string> node;
  std::string started_at;
  std::uint64_t moves_done = 0;
  std::uint64_t moves_total = 0;
  std::optional<std::uint64_t> moves_earlier;
  std::optional<std::uint64_t> copies_left;
  std::uint64_t bytes_done = 0;
  std::uint64_t bytes_total = 0;
  std::vector<ClusterMoveProgress> moves;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = ClusterGetOperationResponse;
    return describe(field("operation_id", &R::operation_id),
                    field("kind", &R::kind, "rebalance, move_shard or remove_node"),
                    field("state", &R::state, "running, done, failed or cancelled"),
                    field("node", &R::node, "That is removed"), field("started_at", &R::started_at),
                    field("moves_done", &R::moves_done), field("moves_total", &R::moves_total),
                    field("moves_earlier", &R::moves_earlier, "Ended, and counted no more"),
                    field("copies_left", &R::copies_left, "On the node that is removed"),
                    field("bytes_done", &R::bytes_done),
                    field("bytes_total", &R::bytes_total, "Of the moves that have begun"),
                    field("moves", &R::moves, "Those that have not ended well come first"),
                    field("advice", &R::advice));
  }
};

/// How far an operation has come. Errors: see ClusterAdmin::get_operation.
Result<ClusterGetOperationResponse> cluster_get_operation(
    const CallContext& call, Engine& engine, const ClusterGetOperationRequest& request);

Operation cluster_get_operation_operation();

}  // namespace quiver::service
