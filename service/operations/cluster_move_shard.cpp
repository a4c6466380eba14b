#include "service/operations/cluster_move_shard.h"

#include <utility>

namespace quiver::service {

Result<ClusterMoveShardResponse> cluster_move_shard(const CallContext& call, Engine& engine,
                                                    const ClusterMoveShardRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto id, admin->move_shard(call, {request.collection, ShardId{request.shard},
                                           request.from.value_or(""), request.to}));
  return ClusterMoveShardResponse{std::move(id)};
}

Operation cluster_move_shard_operation() {
  return operation(
      About{"cluster_move_shard", "Move a shard",
            "Move a shard copy to another node; an only copy's writes wait.", Toolset::Cluster,
            Access::Admin, Effects{false, true}, Route{"POST", "/v1/cluster/moves"}},
      &cluster_move_shard);
}

}  // namespace quiver::service
