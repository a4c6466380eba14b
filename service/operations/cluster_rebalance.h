#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterRebalanceRequest {
  std::optional<bool> dry_run;
  std::optional<std::string> plan_id;

  static constexpr auto fields() {
    using R = ClusterRebalanceRequest;
    return describe(
        field("dry_run", &R::dry_run, "Only plan; default true without plan_id"),
        field("plan_id", &R::plan_id, "Carry out this plan").guarded(1, kClusterNameMax));
  }
  void check(const Path& path, Problems& problems) const;
};

struct ClusterMove {
  std::string collection;
  std::uint32_t shard = 0;
  std::string from;
  std::string to;
  std::string reason;

  static constexpr auto fields() {
    using R = ClusterMove;
    return describe(field("collection", &R::collection), field("shard", &R::shard),
                    field("from", &R::from, "Node id"), field("to", &R::to, "Node id"),
                    field("reason", &R::reason));
  }
};

struct ClusterUnresolved {
  std::string collection;
  std::uint32_t shard = 0;
  std::string why;

  static constexpr auto fields() {
    using R = ClusterUnresolved;
    return describe(field("collection", &R::collection), field("shard", &R::shard),
                    field("why", &R::why));
  }
};

struct ClusterRebalanceResponse {
  std::uint64_t epoch = 0;
  std::optional<std::string> plan_id;
  std::optional<std::string> operation_id;
  std::uint64_t move_count = 0;
  std::vector<ClusterMove> moves;
  std::vector<ClusterUnresolved> unresolved;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = ClusterRebalanceResponse;
    return describe(field("epoch", &R::epoch),
                    field("plan_id", &R::plan_id, "Absent: nothing to do"),
                    field("operation_id", &R::operation_id, "What carries it out"),
                    field("move_count", &R::move_count), field("moves", &R::moves),
                    field("unresolved", &R::unresolved, "Shards that nothing helps now"),
                    field("advice", &R::advice, "What to do next"));
  }
};

/// Plans moves that even out the cluster, or carries a plan out. Errors: see
/// ClusterAdmin::rebalance.
Result<ClusterRebalanceResponse> cluster_rebalance(const CallContext& call, Engine& engine,
                                                   const ClusterRebalanceRequest& request);

Operation cluster_rebalance_operation();

}  // namespace quiver::service
