#include "service/operations/cluster_rebalance.h"

#include <string>
#include <utility>
#include <vector>

#include "service/items.h"
#include "service/steer.h"

namespace quiver::service {
namespace {

constexpr std::size_t kNodesNamed = 10;

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kNodesNamed; ++i) {
    out += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kNodesNamed) out += " and " + grouped(names.size() - kNodesNamed) + " more";
  return out;
}

/// What to do next, and what this reply does not show.
std::string advice_of(const cluster::RebalanceAnswer& answer,
                      const ClusterRebalanceResponse& response) {
  const auto& plan = answer.plan;
  std::vector<std::string> parts;
  if (response.operation_id) {
    parts.emplace_back("watch it with cluster_get_operation");
  } else if (!plan.empty()) {
    parts.emplace_back("carry it out by calling again with plan_id");
  } else if (plan.unresolved.empty() && answer.down.empty() && answer.copies_upkept == 0) {
    parts.emplace_back("nothing to do: every node has its share");
  } else {
    parts.emplace_back("nothing can be moved now");
  }
  if (answer.copies_upkept > 0) {
    parts.push_back(counted(answer.copies_upkept, "copy goes", "copies go") +
                    " to another node without being asked");
  }
  if (answer.primaries_upkept > 0) {
    parts.push_back(counted(answer.primaries_upkept, "primary changes", "primaries change") +
                    " nodes without being asked, once all is calm");
  }
  if (!plan.unresolved.empty()) {
    parts.push_back(counted(plan.unresolved.size(), "shard is", "shards are") + " unresolved");
  }
  if (!answer.down.empty()) {
    parts.push_back("not reached and left out: " + listed(answer.down));
  }
  if (response.moves.size() < plan.moves.size()) {
    parts.push_back("showing " + grouped(response.moves.size()) + " of " +
                    grouped(plan.moves.size()) + " moves, all of which belong to the plan");
  }
  if (response.unresolved.size() < plan.unresolved.size()) {
    parts.push_back("showing " + grouped(response.unresolved.size()) + " of " +
                    grouped(plan.unresolved.size()) + " unresolved shards");
  }
  if (plan.moves_left_out > 0) {
    parts.push_back(grouped(plan.moves_left_out) + " more moves are left to a next plan");
  }
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : "; ") + part;
  return out;
}

}  // namespace

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
  response.advice = advice_of(answer, response);
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
