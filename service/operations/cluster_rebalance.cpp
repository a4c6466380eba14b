#include "service/operations/cluster_rebalance.h"

#include <utility>

#include "service/items.h"
#include "service/steer.h"

namespace quiver::service {

void ClusterRebalanceRequest::check(const Path& path, Problems& problems) const {
  if (plan_id && dry_run.value_or(false)) {
    problems.add(Path(path, "dry_run"),
                 "is true although plan_id says what to carry out: give one");
  }
  if (!plan_id && !dry_run.value_or(true)) {
    problems.add(Path(path, "plan_id"),
                 "is missing: ask with dry_run first, then give the plan_id of that reply");
  }
}

Result<ClusterRebalanceResponse> cluster_rebalance(const CallContext& call, Engine& engine,
                                                   const ClusterRebalanceRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(const auto answer, admin->rebalance(call, request.plan_id));
  const auto& plan = answer.plan;
  ClusterRebalanceResponse response;
  response.epoch = plan.epoch;
  response.operation_id = answer.operation;
  response.move_count = plan.moves.size() + plan.moves_left_out;
  if (!plan.empty()) response.plan_id = request.plan_id.value_or(plan.plan_id());
  TokenBudget budget(reply_tokens(engine));
  for (const auto& move : plan.moves) {
    ClusterMove one{move.collection, raw(move.shard), move.from ? move.from->text : "",
                    move.to.text, std::string(cluster::name(move.reason))};
    if (!budget.admit(compact(encode(one)).size())) break;
    response.moves.push_back(std::move(one));
  }
  for (const auto& shard : plan.unresolved) {
    ClusterUnresolved one{shard.collection, raw(shard.shard), shard.why};
    if (!budget.admit(compact(encode(one)).size())) break;
    response.unresolved.push_back(std::move(one));
  }
  if (plan.empty()) {
    response.advice = "nothing to do: every node has its share";
  } else if (response.operation_id) {
    response.advice = "watch it with cluster_get_operation";
  } else {
    response.advice = "carry it out by calling again with plan_id";
  }
  return response;
}

Operation cluster_rebalance_operation() {
  return operation(About{"cluster_rebalance", "Rebalance shards",
                         "Plan moves that even out the nodes; call again with plan_id to carry "
                         "them out.",
                         Toolset::Cluster, Access::Admin, Effects{false, true},
                         Route{"POST", "/v1/cluster/rebalance"}},
                   &cluster_rebalance);
}

}  // namespace quiver::service
