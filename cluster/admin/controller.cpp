#include "cluster/admin/controller.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "cluster/placement/rebalance_planner.h"
#include "cluster/placement/slots.h"
#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

// Of one round.
constexpr std::chrono::seconds kRoundTime{30};
constexpr std::size_t kMovesPerTxn = 100;

CopyWarden::Options copies_of(const Controller::Options& options) {
  auto out = options.copies;
  out.abandon_after = options.abandon_after;
  return out;
}

/// Whether others look after the shard that moves.
bool is_replicated(const ClusterView& view, const Move& move) {
  const auto* const collection = view.collection_of(move.collection_id);
  return collection != nullptr && has_several_copies(*collection);
}

/// The server that an entry of keys::kLeader names.
std::optional<NodeId> leader_in(const Entry& entry) {
  const auto json = Json::parse(entry.value, nullptr, false);
  if (!json.is_object() || !json.contains("node") || !json.at("node").is_string()) {
    return std::nullopt;
  }
  return NodeId{json.at("node").get<std::string>()};
}

Result<NodeRecord> read_node(const Entry& entry) {
  return NodeRecord::from_json(Json::parse(entry.value, nullptr, false));
}

}  // namespace

Controller::Controller(Parts parts, NodeId self, const Options& options)
    : parts_(std::move(parts)),
      self_(std::move(self)),
      options_(options),
      operations_(parts_.store, parts_.clock),
      records_(parts_.store, self_),
      copies_({parts_.store, parts_.views, parts_.clock, parts_.liveness, parts_.fan_out,
               parts_.reach, [this] { return leading(); }},
              copies_of(options_)) {}

Controller::~Controller() {
  stop();
}

void Controller::start() {
  thread_ = std::thread([this] { work(); });
  copies_.start();
}

void Controller::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  cancel_.cancel();
  wake_.notify_all();
  copies_.stop();
  if (thread_.joinable()) thread_.join();
  lease_.reset();
}

void Controller::work() {
  while (true) {
    {
      const auto until = std::chrono::steady_clock::now() + options_.every;
      const MutexLock lock(mutex_);
      while (!stopping_ && std::chrono::steady_clock::now() < until)
        wake_.wait_until(mutex_, until);
      if (stopping_) return;
    }
    CallContext call;
    call.deadline = std::chrono::steady_clock::now() + kRoundTime;
    call.cancel = cancel_;
    if (!lead(call)) continue;
    if (const auto done = administer(call); !done.ok() && !cancel_.cancelled()) {
      QV_LOG_WARN("controller_round_failed error=\"{}\"", done.error().message);
    }
  }
}

bool Controller::lead(const CallContext& call) {
  {
    const MutexLock lock(mutex_);
    if (lease_ && !lease_lost_) return true;
    lease_lost_ = false;
    leading_.self = false;
  }
  lease_.reset();
  const auto leader = parts_.store.get(call, keys::kLeader);
  if (!leader.ok()) return false;
  if (*leader) {
    const MutexLock lock(mutex_);
    leading_.node = leader_in(**leader);
    return false;
  }
  auto lease = parts_.store.grant(call, options_.leader_ttl, [this] {
    const MutexLock lock(mutex_);
    lease_lost_ = true;
    leading_.self = false;
  });
  if (!lease.ok()) return false;
  const std::string key(keys::kLeader);
  const auto won = parts_.store.txn(call, {{key, Revision{0}}},
                                    {{key, Json{{"node", self_.text}}.dump(), (*lease)->id()}});
  if (!won.ok() || won->outcome != TxnOutcome::Done) return false;
  lease_ = std::move(lease).value();
  {
    const MutexLock lock(mutex_);
    leading_ = {!lease_lost_, self_};
  }
  QV_LOG_INFO("controller_leads node={}", self_.text);
  return true;
}

Leading Controller::leading() const {
  const MutexLock lock(mutex_);
  return leading_;
}

Status Controller::tick(const CallContext& call) {
  auto administered = administer(call);
  auto looked_after = copies_.round(call);
  return administered.ok() ? std::move(looked_after) : std::move(administered);
}

Status Controller::administer(const CallContext& call) {
  // What goes wrong in one place keeps no other waiting.
  Status problem = Done{};
  const auto note = [&problem](Status done) {
    if (!done.ok() && problem.ok()) problem = std::move(done);
  };
  note(complete_operations(call));
  Known known;
  QV_TRY(known.turn, operations_.turn(call));
  QV_TRY(known.operations, operations_.all(call));
  QV_TRY(known.moves, operations_.moves(call));
  QV_CHECK(parts_.views.refresh(call));
  const auto view = parts_.views.current();
  note(end_hopeless(call, *view, known.moves));
  for (const auto& [unused, node] : view->nodes) {
    if (node.record.state != NodeState::Draining) continue;
    auto drained = drain(call, *view, node.record, known);
    if (!drained.ok()) {
      QV_LOG_WARN("drain_failed node={} error=\"{}\"", node.record.label, drained.error().message);
    }
    note(std::move(drained));
  }
  note(forget_removed(call, *view));
  note(forget_old(call, known.moves));
  return problem;
}

Status Controller::complete_operations(const CallContext& call) {
  QV_TRY(const auto all, operations_.all(call));
  Status problem = Done{};
  for (const auto& [id, stored] : all) {
    Status done = Done{};
    if (stored.record.made < stored.record.moves.size()) done = operations_.complete(call, id);
    if (done.ok() && stored.record.cancelled) done = operations_.end_waiting(call, stored.record);
    if (!done.ok() && problem.ok()) problem = std::move(done);
  }
  return problem;
}

Status Controller::end_hopeless(const CallContext& call, const ClusterView& view,
                                const Moves& moves) {
  const auto liveness = parts_.liveness(view);
  const auto now = parts_.clock.wall_ms();
  for (const auto& move : moves) {
    if (move.record.finished() || is_replicated(view, move.record.move)) continue;
    const auto& to = move.record.move.to;
    const auto* const node = view.find_node(to);
    const bool silent = move.record.updated_ms + options_.abandon_after.count() < now;
    const bool hopeless = node == nullptr || node->record.state == NodeState::Removed ||
                          liveness.dead.contains(to) || (liveness.down.contains(to) && silent);
    if (hopeless) QV_CHECK(end_move(call, move));
  }
  return Done{};
}

Status Controller::end_move(const CallContext& call, const Operations::StoredMove& move) {
  auto record = move.record;
  bool taken_over = false;
  // Behind this nobody can hand over to it any more.
  QV_TRY(
      const auto unused,
      records_.change(call, record.move.collection_id, record.move.shard, [&](ShardState& state) {
        taken_over = state.primary == record.to_copy;
        return !taken_over && state.copies.erase(record.to_copy) != 0;
      }));
  record.phase = taken_over ? MovePhase::Done : MovePhase::Failed;
  record.error = taken_over ? "" : "the server that it leads to is gone";
  record.updated_ms = parts_.clock.wall_ms();
  QV_TRY(const auto ended,
         decided(parts_.store.txn(call, {{keys::move(move.id), move.revision}},
                                  {{keys::move(move.id), record.to_json().dump()}})));
  if (ended == TxnOutcome::Done) {
    QV_LOG_WARN("move_ended id={} phase={} why=\"{}\"", move.id, name(record.phase), record.error);
  }
  return Done{};
}

Status Controller::drain(const CallContext& call, const ClusterView& view, const NodeRecord& node,
                         const Known& known) {
  const auto& operations = known.operations;
  const auto& moves = known.moves;
  const auto concerns = [&](const Operations::StoredMove& move) {
    return !move.record.finished() &&
           (move.record.move.to == node.id || move.record.move.from == node.id);
  };
  // Whoever works on these goes on, or end_hopeless() ends them.
  if (std::any_of(moves.begin(), moves.end(), concerns)) return Done{};
  QV_TRY(const bool holds, holds_anything(call, node.id, parts_.liveness(view)));
  if (!holds) return remove(call, node.id);
  const auto there = std::find_if(operations.begin(), operations.end(),
                                  [&](const auto& one) { return one.first == node.id.text; });
  if (there == operations.end()) return adopt_drain(call, node);
  const auto& record = there->second.record;
  // Incomplete: its moves are not among those that were read.
  if (record.cancelled || record.made < record.moves.size()) return Done{};
  return drain_further(call, view, node, there->second, known);
}

Status Controller::drain_further(const CallContext& call, const ClusterView& view,
                                 const NodeRecord& node, const Operations::Stored& operation,
                                 const Known& known) {
  std::set<std::string> own;
  for (const auto& one : operation.record.moves) own.insert(one.id);
  const auto now = parts_.clock.wall_ms();
  std::set<std::pair<std::string, ShardId>> busy;
  for (const auto& move : Operations::unfinished(known.operations, known.moves)) {
    busy.insert({move.record.move.collection_id, move.record.move.shard});
  }
  for (const auto& move : known.moves) {
    const bool failed =
        move.record.phase == MovePhase::Failed || move.record.phase == MovePhase::Aborted;
    if (failed && own.contains(move.id) &&
        move.record.updated_ms + options_.retry_after.count() > now) {
      return Done{};
    }
  }
  auto plan = plan_rebalance(view, parts_.liveness(view));
  if (!plan.ok()) {
    QV_LOG_WARN("drain_waits node={} why=\"{}\"", node.label, plan.error().message);
    return Done{};
  }
  std::vector<Move> away;
  for (auto& move : plan->moves) {
    if (move.from != node.id || !move.copy || is_replicated(view, move)) continue;
    if (busy.contains({move.collection_id, move.shard})) continue;
    away.push_back(std::move(move));
    if (away.size() == kMovesPerTxn) break;
  }
  if (away.empty()) return Done{};
  // False: another round, or somebody else, has begun these, or others.
  QV_TRY(const bool begun, operations_.extend(call, node.id.text, operation, away, known.turn));
  static_cast<void>(begun);
  return Done{};
}

Status Controller::adopt_drain(const CallContext& call, const NodeRecord& node) {
  auto record = operations_.record_of(OperationKind::RemoveNode, {});
  record.node = node.id;
  QV_TRY(const bool begun, operations_.begin(call, node.id.text, record, {}));
  static_cast<void>(begun);
  return Done{};
}

Result<bool> Controller::holds_anything(const CallContext& call, const NodeId& node,
                                        const Liveness& liveness) {
  // Before the shards: a collection that is deleted after that counts as being there.
  QV_TRY(const auto dropping, parts_.store.list(call, keys::kDropping));
  QV_TRY(const auto shards, parts_.store.list(call, keys::kShards));
  const bool up = !liveness.down.contains(node) && !liveness.dead.contains(node);
  const auto forgotten = [&](std::string_view key) {
    return !up &&
           std::any_of(dropping.entries.begin(), dropping.entries.end(), [&](const auto& one) {
             const auto id = one.key.substr(keys::kDropping.size());
             return key.starts_with(keys::join(keys::kShards, id) + '/');
           });
  };
  for (const auto& entry : shards.entries) {
    // The records of a deleted collection go when every server has removed its files, or itself.
    if (forgotten(entry.key)) continue;
    QV_TRY(const auto state, ShardState::from_json(Json::parse(entry.value, nullptr, false)));
    for (const auto& [unused, place] : state.copies) {
      if (place.node == node) return true;
    }
  }
  // Collections that are being made, and whose shards have no records yet.
  QV_TRY(const auto creating, parts_.store.list(call, keys::kCreating));
  for (const auto& entry : creating.entries) {
    QV_TRY(const auto record, DroppingRecord::from_json(Json::parse(entry.value, nullptr, false)));
    if (std::binary_search(record.nodes.begin(), record.nodes.end(), node)) return true;
  }
  return false;
}

Status Controller::remove(const CallContext& call, const NodeId& node) {
  const std::string key = keys::node(node);
  const std::string slots_key(keys::kSlots);
  QV_TRY(const auto entry, parts_.store.get(call, key));
  QV_TRY(const auto slots_entry, parts_.store.get(call, slots_key));
  if (!entry || !slots_entry) return Done{};
  QV_TRY(auto record, read_node(*entry));
  if (record.state != NodeState::Draining) return Done{};
  record.state = NodeState::Removed;
  QV_TRY(auto slots, SlotList::from_json(Json::parse(slots_entry->value, nullptr, false)));
  if (auto without = without_slot(slots, node); without.ok()) slots = std::move(without).value();
  QV_TRY(const auto removed,
         decided(parts_.store.txn(
             call, {{key, entry->revision}, {slots_key, slots_entry->revision}},
             {{key, record.to_json().dump()}, {slots_key, slots.to_json().dump()}})));
  // Conflict: somebody else was quicker, or the next round tries again.
  if (removed == TxnOutcome::Done) {
    QV_LOG_INFO("node_removed node={} label={}", node.text, record.label);
    return parts_.views.await(call, removed.revision);
  }
  return Done{};
}

Status Controller::forget_removed(const CallContext& call, const ClusterView& view) {
  for (const auto& [id, dropping] : view.dropping) {
    auto left = dropping;
    std::erase_if(left.nodes, [&](const NodeId& node) {
      const auto* const known = view.find_node(node);
      return known == nullptr || known->record.state == NodeState::Removed;
    });
    if (left == dropping) continue;
    const std::string key = keys::join(keys::kDropping, id);
    QV_TRY(const auto entry, parts_.store.get(call, key));
    // Empty, it goes with the next server that tidies up.
    if (!entry || entry->value != dropping.to_json().dump()) continue;
    QV_TRY(const auto unused, decided(parts_.store.txn(call, {{key, entry->revision}},
                                                       {{key, left.to_json().dump()}})));
  }
  return Done{};
}

Status Controller::forget_old(const CallContext& call, const Moves& moves) {
  QV_TRY(auto all, operations_.all(call));
  std::set<std::string> open;
  for (const auto& move : moves) {
    if (!move.record.finished()) open.insert(move.record.operation);
  }
  // Read behind the moves, so that whatever move is listed is listed here.
  std::map<std::string, std::set<std::string>> kept;
  for (const auto& [id, stored] : all) {
    auto& listed = kept[id];
    for (const auto& one : stored.record.moves) listed.insert(one.id);
  }
  const auto view = parts_.views.current();
  std::erase_if(all, [&](const auto& one) {
    const auto* const node = view->find_node(one.second.record.node);
    const bool drains = node != nullptr && node->record.state == NodeState::Draining;
    return open.contains(one.first) || drains ||
           one.second.record.made < one.second.record.moves.size();
  });
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.second.record.started_ms > b.second.record.started_ms;
  });
  for (std::size_t i = options_.operations_kept; i < all.size(); ++i) {
    const std::string key = keys::operation(all[i].first);
    QV_TRY(const auto gone,
           decided(parts_.store.txn(call, {{key, all[i].second.revision}}, {{key, std::nullopt}})));
    if (gone == TxnOutcome::Done) kept.erase(all[i].first);
  }
  std::vector<Put> puts;
  for (const auto& move : moves) {
    const auto operation = kept.find(move.record.operation);
    const bool listed = operation != kept.end() && operation->second.contains(move.id);
    if (!move.record.finished() || listed) continue;
    puts.push_back({keys::move(move.id), std::nullopt});
    if (puts.size() == kMovesPerTxn) break;
  }
  if (puts.empty()) return Done{};
  QV_TRY(const auto unused, decided(parts_.store.txn(call, {}, puts)));
  return Done{};
}

}  // namespace quiver::cluster
