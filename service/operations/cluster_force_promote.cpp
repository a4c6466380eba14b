#include "service/operations/cluster_force_promote.h"

#include <utility>

#include "service/items.h"
#include "service/time_text.h"

namespace quiver::service {
namespace {

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

Result<ClusterForcePromoteResponse> cluster_force_promote(
    const CallContext& call, Engine& engine, const ClusterForcePromoteRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto done, admin->force_promote(call, {request.collection, ShardId{request.shard},
                                                request.node.value_or(""), request.accept_data_loss,
                                                request.reason}));
  ClusterForcePromoteResponse response;
  response.promotion_id = std::move(done.id);
  response.collection = std::move(done.collection);
  response.shard = raw(done.shard);
  response.node = std::move(done.node.text);
  response.copy = std::move(done.copy.text);
  response.term = raw(done.term);
  response.last_write = raw(done.last.seq);
  for (auto& copy : done.given_up) response.given_up.push_back(std::move(copy.text));
  response.promoted_at = rfc3339(done.at_ms);
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

}  // namespace quiver::service
