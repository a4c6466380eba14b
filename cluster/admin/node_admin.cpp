#include "cluster/admin/node_admin.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "cluster/admin/view_reports.h"
#include "cluster/placement/manual_move.h"
#include "cluster/placement/rebalance_planner.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

constexpr int kAttempts = 10;
constexpr std::size_t kShardsNamed = 5;

Error moving(const Operations::StoredMove& move) {
  return {ErrorCode::FailedPrecondition,
          "shard " + std::to_string(raw(move.record.move.shard)) + " of collection \"" +
              move.record.move.collection + "\" is on the move (operation " +
              move.record.operation + "); wait until that has ended"};
}

Error begun_by_others() {
  return {ErrorCode::Unavailable, "others keep beginning moves; try again"};
}

bool is_up(const Liveness& liveness, const NodeId& node) {
  return !liveness.down.contains(node) && !liveness.dead.contains(node);
}

/// Takes out of a plan what is done without being asked for: what shards with several copies lack,
/// or have on servers that drain, and who their primaries are.
void leave_to_upkeep(const ClusterView& view, RebalanceAnswer& answer) {
  auto& plan = answer.plan;
  const auto is_upkept = [&](const Move& move) {
    const auto* const collection = view.collection_of(move.collection_id);
    if (collection == nullptr || !has_several_copies(*collection)) return false;
    return move.reason == MoveReason::Refill || move.reason == MoveReason::Drain;
  };
  answer.copies_upkept = std::erase_if(plan.moves, is_upkept);
  answer.primaries_upkept = plan.role_swaps.size();
  plan.role_swaps.clear();
}

/// Whether a plan leaves a copy of this shard at the server although nothing moves it now.
bool stays_at(const ClusterView& view, const Unresolved& one, const NodeId& node) {
  const auto* const collection = view.find_collection(one.collection);
  if (collection == nullptr || raw(one.shard) >= collection->shards.size()) return false;
  const auto& copies = collection->shards[raw(one.shard)].copies;
  // More than it wants: it is on the move, and is planned again behind that.
  if (copies.size() > collection->spec.replication_factor) return false;
  return std::any_of(copies.begin(), copies.end(),
                     [&](const auto& copy) { return copy.second.node == node; });
}

/// Whether a server beside this one has a copy of the shard, in sync or not.
bool has_other_copy(const ShardState& state, const NodeId& node) {
  return std::any_of(state.copies.begin(), state.copies.end(),
                     [&](const auto& copy) { return copy.second.node != node; });
}

/// Of a server that has the last copies with everything. `others_behind`: some of these shards have
/// further copies, which lack writes.
std::string ways_out(bool others_behind) {
  if (!others_behind) return "or delete these collections";
  return "or give up what only it has: cluster_force_promote makes a copy primary that is behind, "
         "where a shard has one; else delete these collections";
}

}  // namespace

std::string_view name(OperationState state) noexcept {
  switch (state) {
    case OperationState::Running: return "running";
    case OperationState::Done: return "done";
    case OperationState::Cancelled: return "cancelled";
    case OperationState::Failed: break;
  }
  return "failed";
}

NodeAdmin::NodeAdmin(Parts parts, const Options& options)
    : parts_(std::move(parts)), options_(options), operations_(parts_.store, parts_.clock) {}

Result<std::shared_ptr<const ClusterView>> NodeAdmin::fresh_view(const CallContext& call) {
  QV_CHECK(parts_.views.refresh(call));
  return parts_.views.current();
}

Result<std::vector<Operations::StoredMove>> NodeAdmin::unfinished(const CallContext& call) {
  // In this order: a move that gets its record in between is not missed.
  QV_TRY(const auto operations, operations_.all(call));
  QV_TRY(const auto moves, operations_.moves(call));
  return Operations::unfinished(operations, moves);
}

void NodeAdmin::hurry(const CallContext& call) {
  if (const auto hurried = parts_.controller.administer(call); !hurried.ok()) {
    QV_LOG_DEBUG("controller_round_failed error=\"{}\"", hurried.error().message);
  }
}

CallContext NodeAdmin::soon(const CallContext& call) const {
  auto out = call;
  const auto until = std::chrono::steady_clock::now() + options_.status_time;
  out.deadline = call.deadline ? std::min(*call.deadline, until) : until;
  return out;
}

Result<NodeList> NodeAdmin::list_nodes(const CallContext& call, const std::string& node) {
  QV_CHECK(call.check());
  const auto view = parts_.views.current();
  QV_TRY(auto out, list_of(*view, parts_.liveness(*view), node));
  thrift::NodeCall asked;
  asked.context = soon(call);
  asked.epoch = view->epoch;
  parts_.fan_out.run(out.nodes.size(), [&](std::size_t i) {
    auto& one = out.nodes[i];
    const auto client = parts_.peers.client(*view, one.record.id);
    auto status =
        client.ok() ? (*client)->status(asked).result : Result<thrift::NodeStatus>(client.error());
    if (status.ok()) {
      one.status = std::move(status).value();
    } else {
      one.problem = status.error().message;
    }
  });
  return out;
}

Result<ShardDistribution> NodeAdmin::shard_distribution(const CallContext& call,
                                                        const ShardScope& scope) {
  QV_CHECK(call.check());
  const auto view = parts_.views.current();
  QV_TRY(auto out, shards_of(*view, parts_.liveness(*view), scope));
  auto helpless = parts_.controller.copies().unresolved();
  out.unresolved_count = helpless.count;
  std::set<std::pair<std::string_view, ShardId>> shown;
  for (const auto& shard : out.shards) shown.emplace(shard.collection, shard.shard);
  for (auto& one : helpless.shards) {
    if (shown.contains({one.collection, one.shard})) out.unresolved.push_back(std::move(one));
  }
  return out;
}

Result<RebalanceAnswer> NodeAdmin::rebalance(const CallContext& call,
                                             const std::optional<std::string>& plan_id) {
  if (!plan_id) return plan_now(call);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Operations::Beside beside;
    QV_TRY(beside.turn, operations_.turn(call));
    QV_TRY(const auto there, operations_.find(call, *plan_id));
    // One that was cancelled before it moved anything may be carried out after all.
    if (there && there->record.cancelled) beside.instead_of = there->revision;
    // Asked for a second time, by a client whose first call was lost.
    if (there && there->record.kind == OperationKind::Rebalance && !there->record.cancelled) {
      RebalanceAnswer out;
      for (const auto& one : there->record.moves) out.plan.moves.push_back(one.move);
      out.plan.epoch = there->record.epoch;
      out.operation = *plan_id;
      return out;
    }
    auto out = plan_again(call, *plan_id);
    if (!out.ok()) {
      // Whoever has begun moves meanwhile may have begun these.
      QV_TRY(const auto now, operations_.turn(call));
      if (now == *beside.turn) return out;
      continue;
    }
    if (out->plan.empty()) return out;
    auto record = operations_.record_of(OperationKind::Rebalance, out->plan.moves);
    record.epoch = out->plan.epoch;
    QV_TRY(const bool begun, operations_.begin(call, *plan_id, record, beside));
    if (!begun) continue;
    out->operation = *plan_id;
    return out;
  }
  return begun_by_others();
}

Result<RebalanceAnswer> NodeAdmin::plan_now(const CallContext& call) {
  QV_TRY(const auto view, fresh_view(call));
  QV_TRY(const auto busy, unfinished(call));
  if (!busy.empty()) return moving(busy.front());
  const auto liveness = parts_.liveness(*view);
  QV_TRY(auto plan, plan_rebalance(*view, liveness, {Operations::kMovesMax}));
  RebalanceAnswer out{std::move(plan), std::nullopt};
  leave_to_upkeep(*view, out);
  for (const auto& [id, node] : view->nodes) {
    if (node.record.state != NodeState::Active || is_up(liveness, id)) continue;
    out.down.push_back(node.record.label);
  }
  return out;
}

Result<RebalanceAnswer> NodeAdmin::plan_again(const CallContext& call, const std::string& plan_id) {
  QV_TRY(auto out, plan_now(call));
  if (out.plan.plan_id() != plan_id) {
    return Error{ErrorCode::FailedPrecondition,
                 "plan_id: the cluster has changed since that plan was made; ask for a new one "
                 "with dry_run"};
  }
  const auto moves = std::all_of(out.plan.moves.begin(), out.plan.moves.end(),
                                 [](const Move& move) { return move.copy && move.from; });
  if (!moves) {
    return Error{ErrorCode::FailedPrecondition,
                 "the plan makes copies of shards that want one, which nothing does"};
  }
  return out;
}

Result<std::string> NodeAdmin::move_shard(const CallContext& call,
                                          const ShardMoveRequest& request) {
  const std::string id = (call.request_id.empty() ? RequestId::random() : call.request_id).hex();
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Operations::Beside beside;
    QV_TRY(beside.turn, operations_.turn(call));
    QV_TRY(const auto there, operations_.find(call, id));
    if (there) return id;
    QV_TRY(auto move, wanted_move(call, request));
    std::vector<Move> moves{std::move(move)};
    const auto record = operations_.record_of(OperationKind::MoveShard, std::move(moves));
    QV_TRY(const bool begun, operations_.begin(call, id, record, beside));
    if (begun) return id;
  }
  return begun_by_others();
}

Result<Move> NodeAdmin::wanted_move(const CallContext& call, const ShardMoveRequest& request) {
  QV_TRY(const auto view, fresh_view(call));
  QV_TRY(const auto to, node_named(*view, request.to));
  QV_TRY(auto wanted, shards_of(*view, parts_.liveness(*view), {request.collection}));
  const auto shard =
      std::find_if(wanted.shards.begin(), wanted.shards.end(), [&](const ShardReport& one) {
        return one.collection == request.collection && one.shard == request.shard;
      });
  if (shard == wanted.shards.end()) {
    return Error{ErrorCode::NotFound, "shard: collection \"" + request.collection +
                                          "\" has shards 0 to " +
                                          std::to_string(wanted.shards.size() - 1) + ", got " +
                                          std::to_string(raw(request.shard))};
  }
  const auto& id = view->find_collection(request.collection)->spec.id;
  // In front of plan_move(), which sees that it moves, and not what moves it.
  QV_TRY(const auto busy, unfinished(call));
  for (const auto& other : busy) {
    const auto& what = other.record.move;
    if (what.collection_id == id && what.shard == request.shard) return moving(other);
  }
  NodeId from;
  if (request.from.empty()) {
    from = *shard->state.primary_node();
  } else {
    QV_TRY(const auto named, node_named(*view, request.from));
    from = named.id;
  }
  QV_TRY(auto move,
         plan_move(*view, parts_.liveness(*view), request.collection, request.shard, from, to.id));
  return move;
}

Result<ForcePromotionRecord> NodeAdmin::force_promote(const CallContext& call,
                                                      const ShardPromotionRequest& request) {
  ForcePromotionRequest wanted{request.collection, request.shard, std::nullopt,
                               request.accept_data_loss, request.reason};
  if (!request.node.empty()) {
    QV_TRY(const auto view, fresh_view(call));
    QV_TRY(auto node, node_named(*view, request.node));
    wanted.node = std::move(node.id);
  }
  return promotion().run(call, wanted);
}

Result<std::vector<ForcePromotionRecord>> NodeAdmin::force_promotions(const CallContext& call) {
  QV_TRY(auto out, promotion().list(call));
  std::reverse(out.begin(), out.end());
  return out;
}

ForcePromotion NodeAdmin::promotion() {
  return ForcePromotion({parts_.store, parts_.views, parts_.clock, parts_.fan_out, parts_.reach,
                         options_.promotion_patience});
}

Result<NodeAdded> NodeAdmin::add_node(const CallContext& call, const std::string& address) {
  QV_TRY(const auto client, parts_.peers.client_at(address));
  auto greeting = call;
  if (!greeting.deadline) greeting = soon(call);
  auto node = client->greet(greeting);
  if (!node.ok()) {
    return Error{node.error().code,
                 "no node of this cluster answers at " + address + ": " + node.error().message};
  }
  QV_TRY(const auto view, fresh_view(call));
  if (const auto* const known = view->find_node({node->id})) {
    if (known->record.state != NodeState::Removed) {
      return NodeAdded{known->record, true, held_by(*view, known->record.id).copies};
    }
    return Error{ErrorCode::FailedPrecondition,
                 "node " + node->id +
                     " was removed and may not come back; start it with an empty data directory"};
  }
  QV_TRY(auto record, await_member(call, *node, address));
  return NodeAdded{std::move(record), false};
}

Result<NodeRecord> NodeAdmin::await_member(const CallContext& call,
                                           const thrift::NodeIdentity& node,
                                           const std::string& address) {
  auto joining = call;
  const auto until = std::chrono::steady_clock::now() + options_.join_time;
  joining.deadline = call.deadline ? std::min(*call.deadline, until) : until;
  std::optional<NodeRecord> record;
  const auto has_joined = [&](const ClusterView& view) {
    const auto* const known = view.find_node({node.id});
    if (known != nullptr) record = known->record;
    return known != nullptr;
  };
  if (parts_.views.await(joining, has_joined)) return std::move(*record);
  return Error{ErrorCode::FailedPrecondition,
               "node " + node.id + " answers at " + address +
                   " and has not joined yet: it does so by itself once its config names nodes of "
                   "this cluster; its log says what it waits for"};
}

Status NodeAdmin::check_only_copies(const CallContext& call, const ClusterView& view,
                                    const Liveness& liveness, const NodeRecord& node) const {
  std::size_t only_here = 0;
  bool others_behind = false;
  std::string named;
  for (const auto& [collection, one] : view.collections) {
    for (std::size_t i = 0; i < one->shards.size(); ++i) {
      const auto& state = one->shards[i];
      bool here = false;
      bool elsewhere = false;
      for (const auto& copy : state.in_sync) {
        const auto& at = state.copies.at(copy).node;
        here = here || at == node.id;
        elsewhere = elsewhere || (at != node.id && is_up(liveness, at));
      }
      if (!here || elsewhere) continue;
      // Where one copy is wanted, a second one is on the move, and nobody can promote it.
      others_behind = others_behind || (has_several_copies(*one) && has_other_copy(state, node.id));
      if (++only_here > kShardsNamed) continue;
      named += (named.empty() ? "" : ", ") + collection + '/' + std::to_string(i);
    }
  }
  if (only_here == 0) return Done{};
  std::string why;
  if (is_up(liveness, node.id)) {
    // One that has just gone is not known to be down yet.
    QV_TRY(const auto client, parts_.peers.client(view, node.id));
    const auto answered = client->greet(soon(call));
    if (answered.ok()) return Done{};
    QV_CHECK(call.check());
    why = " (" + answered.error().message + ')';
  }
  return Error{ErrorCode::Unavailable, "node \"" + node.label + "\" cannot be reached" + why +
                                           " and has the only copy of " +
                                           std::to_string(only_here) + " shards (" + named +
                                           "): bring it back, " + ways_out(others_behind)};
}

Status NodeAdmin::check_removal(const CallContext& call, const ClusterView& view,
                                const NodeRecord& node) const {
  const auto liveness = parts_.liveness(view);
  QV_CHECK(check_others(view, liveness, node));
  QV_CHECK(check_only_copies(call, view, liveness, node));
  // Whether the others can take what it has.
  auto drained = view;
  drained.nodes.at(node.id).record.state = NodeState::Draining;
  QV_TRY(const auto plan, plan_rebalance(drained, liveness));
  std::size_t left = 0;
  std::string first;
  for (const auto& one : plan.unresolved) {
    if (!stays_at(view, one, node.id)) continue;
    if (left++ == 0) first = one.collection + '/' + std::to_string(raw(one.shard)) + ": " + one.why;
  }
  if (left == 0) return Done{};
  return Error{ErrorCode::FailedPrecondition,
               "node \"" + node.label + "\" cannot be emptied now: " + std::to_string(left) +
                   " of its shards have nowhere to go (" + first +
                   "); bring back the nodes that are down, or add one"};
}

Status NodeAdmin::check_others(const ClusterView& view, const Liveness& liveness,
                               const NodeRecord& node) const {
  std::string silent;
  for (const auto& [id, other] : view.nodes) {
    if (id == node.id || other.record.state != NodeState::Active) continue;
    if (is_up(liveness, id)) return Done{};
    silent += (silent.empty() ? "" : ", ") + other.record.label;
  }
  if (silent.empty()) {
    return Error{ErrorCode::FailedPrecondition,
                 "node \"" + node.label + "\" is the last active one: add another first"};
  }
  return Error{ErrorCode::Unavailable,
               "node \"" + node.label + "\" cannot be removed: of the other active nodes (" +
                   silent + ") none can be reached; bring one back, or add one"};
}

Result<NodeRemoval> NodeAdmin::plan_removal(const CallContext& call, const std::string& wanted) {
  QV_TRY(const auto view, fresh_view(call));
  QV_TRY(auto node, node_named(*view, wanted));
  const auto moves = held_by(*view, node.id).copies;
  if (node.state == NodeState::Draining) {
    const std::string id = node.id.text;
    return NodeRemoval{std::move(node), moves, id, true};
  }
  QV_CHECK(check_removal(call, *view, node));
  return NodeRemoval{std::move(node), moves, std::nullopt, false};
}

Result<NodeRemoval> NodeAdmin::remove_node(const CallContext& call, const std::string& wanted) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    // Read in front of the view that is judged: whoever removes a server behind this changes it,
    // and of two who would remove the last two one conflicts.
    const std::string slots(keys::kSlots);
    QV_TRY(const auto slots_entry, parts_.store.get(call, slots));
    QV_TRY(const auto view, fresh_view(call));
    QV_TRY(auto node, node_named(*view, wanted));
    const std::string id = node.id.text;
    const auto moves = held_by(*view, node.id).copies;
    if (node.state == NodeState::Draining) return NodeRemoval{std::move(node), moves, id, true};
    QV_CHECK(check_removal(call, *view, node));
    const std::string key = keys::node(node.id);
    QV_TRY(const auto entry, parts_.store.get(call, key));
    if (!entry || !slots_entry || entry->value != node.to_json().dump()) continue;
    node.state = NodeState::Draining;
    auto record = operations_.record_of(OperationKind::RemoveNode, {});
    record.node = node.id;
    // One that was cancelled has the same id.
    QV_TRY(const auto before, operations_.find(call, id));
    const Revision instead_of = before ? before->revision : Revision{0};
    QV_TRY(const bool begun,
           operations_.begin(call, id, record,
                             {{{key, entry->revision}, {slots, slots_entry->revision}},
                              {{key, node.to_json().dump()}, {slots, slots_entry->value}},
                              instead_of}));
    if (!begun) continue;
    QV_LOG_INFO("node_drains node={} label={}", id, node.label);
    hurry(call);
    return NodeRemoval{std::move(node), moves, id, false};
  }
  return Error{ErrorCode::Unavailable, "the record of the node keeps changing; try again"};
}

Result<OperationReport> NodeAdmin::get_operation(const CallContext& call, const std::string& id) {
  QV_CHECK(call.check());
  const Error unknown{ErrorCode::NotFound, "there is no operation \"" + id +
                                               "\"; those that ended long ago are forgotten"};
  QV_TRY(auto stored, operations_.find(call, id));
  if (!stored) return unknown;
  OperationReport out{id, std::move(stored->record), OperationState::Running, {}};
  bool all_ended = true;
  bool all_done = true;
  for (const auto& one : out.record.moves) {
    QV_TRY(const auto entry, parts_.store.get(call, keys::move(one.id)));
    MoveRecord move;
    move.move = one.move;
    if (entry) {
      QV_TRY(move, MoveRecord::parse(entry->value));
    }
    all_ended = all_ended && move.finished();
    all_done = all_done && move.phase == MovePhase::Done;
    out.moves.push_back(std::move(move));
  }
  if (out.record.kind == OperationKind::RemoveNode) {
    QV_TRY(out.state, removal_state(call, out.record, all_ended));
    if (out.state == OperationState::Running) {
      out.copies_left = held_by(*parts_.views.current(), out.record.node).copies;
    }
  } else if (all_ended) {
    out.state = all_done               ? OperationState::Done
                : out.record.cancelled ? OperationState::Cancelled
                                       : OperationState::Failed;
  }
  return out;
}

Result<OperationState> NodeAdmin::removal_state(const CallContext& call,
                                                const OperationRecord& record, bool all_ended) {
  if (record.cancelled) return all_ended ? OperationState::Cancelled : OperationState::Running;
  // Moves that fail are followed by others until the node is empty.
  QV_TRY(const auto entry, parts_.store.get(call, keys::node(record.node)));
  if (!entry) return OperationState::Failed;
  QV_TRY(const auto node, NodeRecord::from_json(Json::parse(entry->value, nullptr, false)));
  if (node.state == NodeState::Removed) return OperationState::Done;
  return node.state == NodeState::Draining ? OperationState::Running : OperationState::Failed;
}

Result<bool> NodeAdmin::mark_cancelled(const CallContext& call, const std::string& id,
                                       Operations::Stored stored) {
  stored.record.cancelled = true;
  std::vector<Compare> compares{{keys::operation(id), stored.revision}};
  std::vector<Put> puts{{keys::operation(id), stored.record.to_json().dump()}};
  if (stored.record.kind == OperationKind::RemoveNode) {
    const std::string key = keys::node(stored.record.node);
    QV_TRY(const auto entry, parts_.store.get(call, key));
    if (!entry) return false;
    QV_TRY(auto node, NodeRecord::from_json(Json::parse(entry->value, nullptr, false)));
    if (node.state != NodeState::Draining) return false;
    node.state = NodeState::Active;
    compares.push_back({key, entry->revision});
    puts.push_back({key, node.to_json().dump()});
  }
  QV_TRY(const auto result, parts_.store.txn(call, compares, puts));
  if (result != TxnOutcome::Done) return false;
  QV_LOG_INFO("operation_cancelled id={} kind={}", id, name(stored.record.kind));
  return true;
}

Result<OperationReport> NodeAdmin::cancel_operation(const CallContext& call,
                                                    const std::string& id) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(auto report, get_operation(call, id));
    if (!report.record.cancelled) {
      if (report.state != OperationState::Running) {
        return Error{ErrorCode::FailedPrecondition, "operation \"" + id + "\" has ended (" +
                                                        std::string(name(report.state)) +
                                                        "): there is nothing to cancel"};
      }
      QV_TRY(auto stored, operations_.find(call, id));
      // Of the next round, whether this one took effect or not.
      if (stored && !stored->record.cancelled) {
        QV_CHECK(mark_cancelled(call, id, std::move(*stored)));
      }
      continue;
    }
    QV_CHECK(operations_.complete(call, id));
    QV_CHECK(operations_.end_waiting(call, report.record));
    return get_operation(call, id);
  }
  return Error{ErrorCode::Unavailable, "the record of the operation keeps changing; try again"};
}

}  // namespace quiver::cluster
