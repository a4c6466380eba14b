#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/upkeep/force_promotion.h"
#include "core/limits.h"
#include "service/cluster_words.h"
#include "service/operation.h"

namespace quiver::service {

struct ClusterForcePromoteRequest {
  std::string collection;
  std::uint32_t shard = 0;
  bool accept_data_loss = false;
  std::string reason;
  std::optional<std::string> node;

  static constexpr auto fields() {
    using R = ClusterForcePromoteRequest;
    return describe(field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax),
                    field("shard", &R::shard).guarded(0, limits::kShardsMax - 1),
                    field("accept_data_loss", &R::accept_data_loss, "Must be true"),
                    field("reason", &R::reason, "Kept for ever")
                        .guarded(1, cluster::ForcePromotion::kReasonBytesMax),
                    field("node", &R::node, "Whose copy; default the one with most writes")
                        .guarded(1, kClusterNameMax));
  }
};

struct ClusterForcePromotion {
  std::string promotion_id;
  std::string collection;
  std::uint32_t shard = 0;
  std::string node;
  std::string copy;
  std::uint64_t term = 0;
  std::uint64_t last_write = 0;
  std::vector<std::string> given_up;
  std::string reason;
  std::string promoted_at;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = ClusterForcePromotion;
    return describe(field("promotion_id", &R::promotion_id, "Of the record that is kept of it"),
                    field("collection", &R::collection), field("shard", &R::shard),
                    field("node", &R::node, "Id; where the primary is now"),
                    field("copy", &R::copy), field("term", &R::term),
                    field("last_write", &R::last_write, "Number of its log's last"),
                    field("given_up", &R::given_up, "Copies whose own writes are lost"),
                    field("reason", &R::reason), field("promoted_at", &R::promoted_at),
                    field("advice", &R::advice, "What to do next"));
  }
};

/// Makes a copy primary that may lack acknowledged writes, and keeps a record of who wanted it.
/// Errors: see ClusterAdmin::force_promote.
Result<ClusterForcePromotion> cluster_force_promote(const CallContext& call, Engine& engine,
                                                    const ClusterForcePromoteRequest& request);

Operation cluster_force_promote_operation();

struct ClusterListForcePromotionsRequest {
  static constexpr auto fields() { return describe(); }
};

struct ClusterListForcePromotionsResponse {
  std::uint64_t count = 0;
  std::vector<ClusterForcePromotion> promotions;

  static constexpr auto fields() {
    using R = ClusterListForcePromotionsResponse;
    return describe(field("count", &R::count, "That there ever were"),
                    field("promotions", &R::promotions, "The newest, as many as fit"));
  }
};

/// Who accepted the loss of what, and why. Errors: see ClusterAdmin::force_promotions.
Result<ClusterListForcePromotionsResponse> cluster_list_force_promotions(
    const CallContext& call, Engine& engine, const ClusterListForcePromotionsRequest& request);

Operation cluster_list_force_promotions_operation();

}  // namespace quiver::service
