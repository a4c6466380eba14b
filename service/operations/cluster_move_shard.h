#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/limits.h"
#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterMoveShardRequest {
  std::string collection;
  std::uint32_t shard = 0;
  std::string to;
  std::optional<std::string> from;

  static constexpr auto fields() {
    using R = ClusterMoveShardRequest;
    return describe(field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax),
                    field("shard", &R::shard).guarded(0, limits::kShardsMax - 1),
                    field("to", &R::to, "Node id or name").guarded(1, kClusterNameMax),
                    field("from", &R::from).guarded(1, kClusterNameMax));
  }
};

struct ClusterMoveShardResponse {
  std::string operation_id;

  static constexpr auto fields() {
    using R = ClusterMoveShardResponse;
    return describe(field("operation_id", &R::operation_id, "Watch it with cluster_get_operation"));
  }
};

/// Begins to move one shard. Errors: see ClusterAdmin::move_shard.
Result<ClusterMoveShardResponse> cluster_move_shard(const CallContext& call, Engine& engine,
                                                    const ClusterMoveShardRequest& request);

Operation cluster_move_shard_operation();

}  // namespace quiver::service
