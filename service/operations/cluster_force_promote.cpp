#include "service/operations/cluster_force_promote.h"

#include <utility>

#include "service/items.h"
#include "service/steer.h"
#include "service/time_text.h"

namespace quiver::service {
namespace {

ClusterForcePromotion shown_promotion(cluster::ForcePromotionRecord record) {
  ClusterForcePromotion out;
  out.promotion_id = std::move(record.id);
  out.collection = std::move(record.collection);
  out.shard = raw(record.shard);
  out.node = std::move(record.node.text);
  out.copy = std::move(record.copy.text);
  out.term = raw(record.term);
  out.last_write = raw(record.last.seq);
  for (auto& copy : record.given_up) out.given_up.push_back(std::move(copy.text));
  out.reason = std::move(record.reason);
  out.promoted_at = rfc3339(record.at_ms);
  return out;
}

std::optional<Confirmation> confirmation(const ClusterForcePromoteRequest& request,
                                         const Json& arguments) {
  // Without it nothing is done.
  if (!request.accept_data_loss) return std::nullopt;
  Confirmation confirmation;
  confirmation.preview = "cluster_get_shard_distribution";
  confirmation.preview_arguments = {{"collection", request.collection}};
  confirmation.unseen = "Make a copy of shard " + std::to_string(request.shard) +
                        " of the collection " + shown(request.collection) +
                        " primary, although writes that were acknowledged may be lost for good?";
  confirmation.question = [text = confirmation.unseen](const Json&) {
    return std::optional(Question{text, 1});
  };
  confirmation.confirmed = arguments;
  return confirmation;
}

}  // namespace

Result<ClusterForcePromotion> cluster_force_promote(const CallContext& call, Engine& engine,
                                                    const ClusterForcePromoteRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto done, admin->force_promote(call, {request.collection, ShardId{request.shard},
                                                request.node.value_or(""), request.accept_data_loss,
                                                request.reason}));
  auto response = shown_promotion(std::move(done));
  response.advice =
      "what only the copies given up had is lost; those that come back follow this one";
  return response;
}

Operation cluster_force_promote_operation() {
  return operation(
      About{"cluster_force_promote", "Promote a copy by force",
            "Make a copy of a shard primary when no copy that has all writes will come back: what "
            "it lacks is lost.",
            Toolset::Recovery, Access::Admin, Effects{true, true},
            Route{"POST", "/v1/cluster/force-promotions"}},
      &cluster_force_promote, &confirmation);
}

Result<ClusterListForcePromotionsResponse> cluster_list_force_promotions(
    const CallContext& call, Engine& engine, const ClusterListForcePromotionsRequest& /*request*/) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto all, admin->force_promotions(call));
  ClusterListForcePromotionsResponse response;
  response.count = all.size();
  TokenBudget budget(reply_tokens(engine));
  for (auto& record : all) {
    auto one = shown_promotion(std::move(record));
    if (!budget.admit(compact(encode(one)).size())) break;
    response.promotions.push_back(std::move(one));
  }
  return response;
}

Operation cluster_list_force_promotions_operation() {
  return operation(
      About{"cluster_list_force_promotions", "Show promotions by force",
            "Who promoted which copy by force, and why.", Toolset::Recovery, Access::Read,
            Effects{false, true}, Route{"GET", "/v1/cluster/force-promotions"}},
      &cluster_list_force_promotions);
}

}  // namespace quiver::service
