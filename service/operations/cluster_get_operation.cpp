#include "service/operations/cluster_get_operation.h"

#include <algorithm>
#include <utility>

#include "service/items.h"
#include "service/steer.h"
#include "service/time_text.h"

namespace quiver::service {
namespace {

ClusterMoveProgress shown_move(const cluster::MoveRecord& record) {
  ClusterMoveProgress out;
  out.collection = record.move.collection;
  out.shard = raw(record.move.shard);
  out.from = record.move.from ? record.move.from->text : "";
  out.to = record.move.to.text;
  out.phase = cluster::name(record.phase);
  out.bytes_done = record.bytes_done;
  out.bytes_total = record.bytes_total;
  out.attempts = record.attempts;
  if (!record.error.empty()) out.error = record.error;
  return out;
}

}  // namespace

Result<ClusterGetOperationResponse> cluster_get_operation(
    const CallContext& call, Engine& engine, const ClusterGetOperationRequest& request) {
  QV_TRY(auto* const admin, admin_of(engine));
  QV_TRY(auto report, admin->get_operation(call, request.operation_id));
  ClusterGetOperationResponse response;
  response.operation_id = report.id;
  response.kind = cluster::name(report.record.kind);
  response.state = cluster::name(report.state);
  if (!report.record.node.empty()) response.node = report.record.node.text;
  response.started_at = rfc3339(report.record.started_ms);
  response.moves_total = report.moves.size();
  if (report.record.forgotten > 0) response.moves_earlier = report.record.forgotten;
  response.copies_left = report.copies_left;
  const auto is_done = [](const cluster::MoveRecord& move) {
    return move.phase == cluster::MovePhase::Done;
  };
  std::stable_partition(report.moves.begin(), report.moves.end(),
                        [&](const auto& move) { return !is_done(move); });
  TokenBudget budget(reply_tokens(engine));
  bool room = true;
  for (const auto& move : report.moves) {
    response.bytes_done += move.bytes_done;
    response.bytes_total += move.bytes_total;
    if (is_done(move)) ++response.moves_done;
    auto one = shown_move(move);
    room = room && budget.admit(compact(encode(one)).size());
    if (room) response.moves.push_back(std::move(one));
  }
  if (!room) {
    response.advice = "showing " + std::to_string(response.moves.size()) + " of " +
                      grouped(report.moves.size()) + " moves";
  }
  return response;
}

Operation cluster_get_operation_operation() {
  return operation(
      About{"cluster_get_operation", "Watch an operation",
            "Progress of a rebalance, shard move or node removal.", Toolset::Cluster, Access::Read,
            Effects{false, true}, Route{"GET", "/v1/cluster/operations/{operation_id}"}},
      &cluster_get_operation);
}

}  // namespace quiver::service
