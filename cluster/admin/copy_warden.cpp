#include "cluster/admin/copy_warden.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "cluster/view/keys.h"
#include "core/log.h"

namespace quiver::cluster {
namespace {

// Of one round.
constexpr std::chrono::seconds kRoundTime{30};
// For what is only for people to read.
constexpr std::chrono::seconds kBesideTime{2};
// Shards that a round tells of in the log, one by one.
constexpr std::size_t kShardsLogged = 20;

bool any_has_several(const ClusterView& view) {
  return std::any_of(view.collections.begin(), view.collections.end(),
                     [](const auto& one) { return has_several_copies(*one.second); });
}

bool is_up(const Liveness& liveness, const NodeId& node) {
  return !liveness.down.contains(node) && !liveness.dead.contains(node);
}

/// Whether the server of a primary is down that another copy could take the place of.
bool lacks_primary(const ClusterView& view, const Liveness& liveness) {
  if (liveness.down.empty() && liveness.dead.empty()) return false;
  for (const auto& [unused, collection] : view.collections) {
    if (!has_several_copies(*collection)) continue;
    for (const auto& state : collection->shards) {
      const auto* const owner = state.primary_node();
      if (owner != nullptr && state.in_sync.size() > 1 && !is_up(liveness, *owner)) return true;
    }
  }
  return false;
}

Json to_json(const CopyWarden::Helpless& helpless) {
  Json shards = Json::array();
  for (const auto& one : helpless.shards) shards.push_back(one.to_json());
  return {{"shards", std::move(shards)}, {"count", helpless.count}};
}

Result<CopyWarden::Helpless> helpless_from(std::string_view text) {
  const Error malformed{ErrorCode::Corruption, "the stored list of unresolved shards is malformed"};
  const auto json = Json::parse(text, nullptr, false);
  if (!json.is_object() || json.size() != 2) return malformed;
  try {
    CopyWarden::Helpless out;
    for (const auto& one : json.at("shards")) {
      QV_TRY(auto shard, Unresolved::from_json(one));
      out.shards.push_back(std::move(shard));
    }
    json.at("count").get_to(out.count);
    return out;
  } catch (const Json::exception&) {
    return malformed;
  }
}

}  // namespace

CopyWarden::CopyWarden(Parts parts, const Options& options)
    : parts_(std::move(parts)),
      options_(options),
      operations_(parts_.store, parts_.clock),
      upkeep_(
          {parts_.store, parts_.views, parts_.clock, parts_.fan_out, parts_.liveness, parts_.reach},
          options_.upkeep),
      rescue_(
          {parts_.store, parts_.views, parts_.clock, parts_.fan_out, parts_.liveness, parts_.reach},
          options_.upkeep) {}

CopyWarden::~CopyWarden() {
  stop();
}

void CopyWarden::start() {
  thread_ = std::thread([this] { work(); });
}

void CopyWarden::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  cancel_.cancel();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  watch_.reset();
}

bool CopyWarden::pause(std::chrono::milliseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  const MutexLock lock(mutex_);
  while (!stopping_ && std::chrono::steady_clock::now() < until) wake_.wait_until(mutex_, until);
  return !stopping_;
}

void CopyWarden::work() {
  while (pause(options_.look_every)) {
    const auto now = std::chrono::steady_clock::now();
    const auto turn = turn_at(now);
    if (now >= due_) follow();
    if (now >= due_ || turn != Turn::Wait) {
      due_ = now + options_.every;
      take(turn);
    }
  }
}

CopyWarden::Turn CopyWarden::turn_at(Time now) {
  const auto view = parts_.views.current();
  auto liveness = parts_.liveness(*view);
  const bool changed = liveness.down != seen_.down || liveness.dead != seen_.dead;
  seen_ = std::move(liveness);
  const auto leader = parts_.leader();
  if (leader.self) return changed || now >= due_ ? Turn::Round : Turn::Wait;
  if (!lacks_primary(*view, seen_)) {
    needed_since_.reset();
    return Turn::Wait;
  }
  const bool first = !needed_since_;
  if (first) needed_since_ = now;
  const bool led = leader.node && is_up(seen_, *leader.node);
  if (led && now - *needed_since_ < options_.stand_in_after) return Turn::Wait;
  return first || changed || now >= due_ ? Turn::Promote : Turn::Wait;
}

void CopyWarden::take(Turn turn) {
  if (turn == Turn::Wait) return;
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + kRoundTime;
  call.cancel = cancel_;
  const auto done = turn == Turn::Round ? round(call) : promote(call);
  if (!done.ok() && !cancel_.cancelled()) {
    QV_LOG_WARN("upkeep_round_failed error=\"{}\"", done.error().message);
  }
}

Status CopyWarden::round(const CallContext& call) {
  const MutexLock lock(round_mutex_);
  const auto view = parts_.views.current();
  sightings_.note(parts_.liveness(*view), {}, parts_.clock.now());
  if (!any_has_several(*view) && unresolved().count == 0) return Done{};
  Status problem = Done{};
  const auto note = [&problem](Status done) {
    if (!done.ok() && problem.ok()) problem = std::move(done);
  };
  // Without them a copy that a move makes would pass for one too many.
  QV_TRY(auto known, moves(call));
  note(settle(call, known));
  note(begin(call, known));
  Upkeep::Wishes wishes;
  for (const auto& move : known) {
    if (move.record.finished() || move.record.phase == MovePhase::Planned) continue;
    wishes.moves.emplace(ShardName{move.record.move.collection_id, move.record.move.shard},
                         move.record.move);
  }
  note(upkeep_.round(call, wishes));
  note(settle(call, known));
  note(publish(call));
  return problem;
}

Status CopyWarden::promote(const CallContext& call) {
  const MutexLock lock(round_mutex_);
  Upkeep::Wishes nothing_else;
  nothing_else.replaces = false;
  return rescue_.round(call, nothing_else);
}

Result<std::vector<CopyWarden::StoredMove>> CopyWarden::moves(const CallContext& call) {
  QV_TRY(auto all, operations_.moves(call));
  std::erase_if(all, [](const StoredMove& move) { return move.record.finished(); });
  const auto newest = std::max_element(
      all.begin(), all.end(), [](const auto& a, const auto& b) { return a.revision < b.revision; });
  // What their collections are is known then.
  if (newest != all.end()) QV_CHECK(parts_.views.await(call, newest->revision));
  const auto view = parts_.views.current();
  std::erase_if(all, [&](const StoredMove& move) {
    const auto* const collection = view->collection_of(move.record.move.collection_id);
    // Others carry it out, or end it.
    return collection == nullptr || !has_several_copies(*collection);
  });
  return all;
}

std::string CopyWarden::hopeless(const ClusterView& view, const Move& move) const {
  const auto* const node = view.find_node(move.to);
  if (node == nullptr || node->record.state == NodeState::Removed) {
    return "the server that it leads to is gone";
  }
  if (node->record.state != NodeState::Active) {
    return "the server that it leads to is not active";
  }
  return sightings_.dead(options_.abandon_after).contains(move.to)
             ? "the server that it leads to has been down for too long"
             : "";
}

Status CopyWarden::settle(const CallContext& call, std::vector<StoredMove>& moves) {
  const auto view = parts_.views.current();
  std::map<std::pair<std::string, ShardId>, std::string> waits;
  for (auto& one : upkeep_.unresolved()) waits[{one.collection, one.shard}] = std::move(one.why);
  Status problem = Done{};
  for (auto& move : moves) {
    if (move.record.finished()) continue;
    const auto& what = move.record.move;
    auto progress =
        progress_of(what, view->collection_of(what.collection_id), hopeless(*view, what));
    auto record = move.record;
    record.phase = progress.phase;
    record.error = std::move(progress.error);
    if (progress.to_copy) note_bytes(*progress.to_copy, record);
    if (!record.finished()) {
      // Nobody has begun it: what the shard has there it has for another reason.
      if (move.record.phase == MovePhase::Planned) continue;
      record.phase = std::max(record.phase, MovePhase::Adding);
      const auto why = waits.find({what.collection, what.shard});
      if (why != waits.end()) record.error = why->second;
    }
    auto saved = save(call, move, record);
    if (!saved.ok() && problem.ok()) problem = std::move(saved);
  }
  return problem;
}

void CopyWarden::note_bytes(const CopyId& to_copy, MoveRecord& record) const {
  if (record.to_copy != to_copy) record.bytes_done = record.bytes_total = 0;
  record.to_copy = to_copy;
  const auto position = upkeep_.position(to_copy);
  // A server that was restarted may not know any more what it has fetched.
  if (position && position->bytes_total > 0) {
    record.bytes_done = position->bytes_fetched;
    record.bytes_total = position->bytes_total;
  }
  // In sync: what came by snapshot is there.
  if (record.phase >= MovePhase::HandingOver && record.phase <= MovePhase::Done) {
    record.bytes_done = record.bytes_total;
  }
}

Status CopyWarden::begin(const CallContext& call, std::vector<StoredMove>& moves) {
  std::set<ShardName> busy;
  std::map<NodeId, std::size_t> coming;
  const auto has_begun = [](const StoredMove& move) {
    return !move.record.finished() && move.record.phase != MovePhase::Planned;
  };
  for (const auto& move : moves) {
    if (!has_begun(move)) continue;
    busy.insert({move.record.move.collection_id, move.record.move.shard});
    ++coming[move.record.move.to];
  }
  Status problem = Done{};
  for (auto& move : moves) {
    if (move.record.phase != MovePhase::Planned) continue;
    const ShardName shard{move.record.move.collection_id, move.record.move.shard};
    auto& there = coming[move.record.move.to];
    if (busy.contains(shard) || there >= options_.upkeep.planner.filling_max) continue;
    auto record = move.record;
    record.phase = MovePhase::Adding;
    auto saved = save(call, move, record);
    if (!saved.ok() && problem.ok()) problem = std::move(saved);
    if (!has_begun(move)) continue;
    busy.insert(shard);
    ++there;
  }
  return problem;
}

Status CopyWarden::save(const CallContext& call, StoredMove& move, const MoveRecord& record) {
  if (record == move.record) return Done{};
  auto changed = record;
  changed.updated_ms = parts_.clock.wall_ms();
  const auto key = keys::move(move.id);
  QV_TRY(const auto saved, decided(parts_.store.txn(call, {{key, move.revision}},
                                                    {{key, changed.to_json().dump()}})));
  // Others were quicker: it was cancelled, or another server looks after it, too. The next round
  // sees what it is.
  if (saved != TxnOutcome::Done) return Done{};
  move.record = std::move(changed);
  move.revision = saved.revision;
  if (move.record.finished()) {
    QV_LOG_INFO("move_ended id={} collection={} shard={} phase={} why=\"{}\"", move.id,
                move.record.move.collection, raw(move.record.move.shard), name(move.record.phase),
                move.record.error);
  }
  return Done{};
}

Status CopyWarden::publish(const CallContext& call) {
  auto all = upkeep_.unresolved();
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.collection, a.shard) < std::tie(b.collection, b.shard);
  });
  std::map<std::pair<std::string, ShardId>, std::string> now;
  for (const auto& one : all) now.emplace(std::pair{one.collection, one.shard}, one.why);
  std::size_t logged = 0;
  for (const auto& [shard, why] : now) {
    const auto before = told_.find(shard);
    if ((before != told_.end() && before->second == why) || ++logged > kShardsLogged) continue;
    QV_LOG_WARN("shard_unresolved collection={} shard={} why=\"{}\"", shard.first,
                raw(shard.second), why);
  }
  if (!told_.empty() && now.empty()) QV_LOG_INFO("shards_resolved");
  told_ = std::move(now);
  Helpless helpless;
  helpless.count = all.size();
  if (all.size() > kUnresolvedListed) all.resize(kUnresolvedListed);
  helpless.shards = std::move(all);
  if (helpless == unresolved()) return Done{};
  QV_TRY(const auto written,
         decided(parts_.store.txn(call, {},
                                  {{std::string(keys::kUnresolved), to_json(helpless).dump()}})));
  static_cast<void>(written);
  const MutexLock lock(mutex_);
  helpless_ = std::move(helpless);
  return Done{};
}

CopyWarden::Helpless CopyWarden::unresolved() const {
  const MutexLock lock(mutex_);
  return helpless_;
}

void CopyWarden::learn(std::optional<std::string_view> text) {
  Helpless learned;
  if (text) {
    auto read = helpless_from(*text);
    if (!read.ok()) {
      QV_LOG_ERROR("unresolved_not_understood error=\"{}\"", read.error().message);
      return;
    }
    learned = std::move(read).value();
  }
  const MutexLock lock(mutex_);
  helpless_ = std::move(learned);
}

void CopyWarden::follow() {
  if (watch_) return;
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + kBesideTime;
  call.cancel = cancel_;
  const auto there = parts_.store.list(call, keys::kUnresolved);
  if (!there.ok()) return;
  if (!there->entries.empty()) learn(there->entries.front().value);
  auto watch = parts_.store.watch(keys::kUnresolved, there->revision, [this](const auto& batch) {
    for (const auto& change : batch.changes) learn(change.value);
    if (batch.relisted && batch.changes.empty()) learn(std::nullopt);
  });
  if (watch.ok()) watch_ = std::move(watch).value();
}

}  // namespace quiver::cluster
