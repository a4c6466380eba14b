#include "cluster/migration/operations.h"

#include <algorithm>
#include <array>
#include <utility>

#include "cluster/view/keys.h"

namespace quiver::cluster {
namespace {

constexpr std::size_t kFields = 8;
constexpr int kAttempts = 10;
// Records of one transaction: each is below 1 KB.
constexpr std::size_t kMovesPerTxn = 50;
constexpr std::array<std::pair<OperationKind, std::string_view>, 3> kKinds{{
    {OperationKind::Rebalance, "rebalance"},
    {OperationKind::MoveShard, "move_shard"},
    {OperationKind::RemoveNode, "remove_node"},
}};

Error malformed(const std::string& why) {
  return {ErrorCode::Corruption, "a stored record of an operation is malformed: " + why};
}

Error contended() {
  return {ErrorCode::Unavailable, "the records of operations keep changing; try again"};
}

std::vector<OperationMove> named(const std::vector<Move>& moves) {
  std::vector<OperationMove> out;
  out.reserve(moves.size());
  for (const auto& move : moves) out.push_back({RequestId::random().hex(), move});
  return out;
}

void end_as_cancelled(MoveRecord& move) {
  move.phase = MovePhase::Aborted;
  move.error = "the operation was cancelled before this move began";
}

}  // namespace

std::string_view name(OperationKind kind) noexcept {
  for (const auto& [known, text] : kKinds) {
    if (known == kind) return text;
  }
  return "unknown";
}

Json OperationRecord::to_json() const {
  Json list = Json::array();
  for (const auto& one : moves) list.push_back({{"id", one.id}, {"move", one.move.to_json()}});
  return {{"kind", name(kind)},     {"node", node.text},       {"moves", std::move(list)},
          {"made", made},           {"forgotten", forgotten},  {"epoch", epoch},
          {"cancelled", cancelled}, {"started_ms", started_ms}};
}

Result<OperationRecord> OperationRecord::from_json(const Json& json) {
  if (!json.is_object() || json.size() != kFields) return malformed("it has other fields");
  try {
    OperationRecord out;
    const auto wanted = json.at("kind").get<std::string>();
    const auto* const kind = std::find_if(kKinds.begin(), kKinds.end(),
                                          [&](const auto& one) { return one.second == wanted; });
    if (kind == kKinds.end()) return malformed("unknown kind \"" + wanted + '"');
    out.kind = kind->first;
    json.at("node").get_to(out.node.text);
    for (const auto& one : json.at("moves")) {
      QV_TRY(auto move, Move::from_json(one.at("move")));
      if (!move.copy || !move.from) return malformed("a move names no copy that is given up");
      out.moves.push_back({one.at("id").get<std::string>(), std::move(move)});
    }
    json.at("made").get_to(out.made);
    json.at("forgotten").get_to(out.forgotten);
    json.at("epoch").get_to(out.epoch);
    json.at("cancelled").get_to(out.cancelled);
    json.at("started_ms").get_to(out.started_ms);
    if (out.made > out.moves.size()) return malformed("more moves were made than it has");
    return out;
  } catch (const Json::exception& problem) {
    return malformed(problem.what());
  }
}

OperationRecord Operations::record_of(OperationKind kind, const std::vector<Move>& moves) const {
  OperationRecord out;
  out.kind = kind;
  out.moves = named(moves);
  out.started_ms = clock_.wall_ms();
  return out;
}

Result<std::optional<Operations::Stored>> Operations::find(const CallContext& call,
                                                           std::string_view id) {
  QV_TRY(const auto entry, store_.get(call, keys::operation(id)));
  if (!entry) return std::optional<Stored>();
  QV_TRY(auto record, OperationRecord::from_json(Json::parse(entry->value, nullptr, false)));
  return std::optional(Stored{std::move(record), entry->revision});
}

Result<Operations::All> Operations::all(const CallContext& call) {
  QV_TRY(const auto listing, store_.list(call, keys::kOperations));
  All out;
  for (const auto& entry : listing.entries) {
    QV_TRY(auto record, OperationRecord::from_json(Json::parse(entry.value, nullptr, false)));
    out.emplace_back(entry.key.substr(keys::kOperations.size()),
                     Stored{std::move(record), entry.revision});
  }
  return out;
}

Result<std::vector<Operations::StoredMove>> Operations::moves(const CallContext& call) {
  QV_TRY(const auto listing, store_.list(call, keys::kMoves));
  std::vector<StoredMove> out;
  for (const auto& entry : listing.entries) {
    QV_TRY(auto record, MoveRecord::parse(entry.value));
    out.push_back({entry.key.substr(keys::kMoves.size()), std::move(record), entry.revision});
  }
  return out;
}

std::vector<Operations::StoredMove> Operations::unfinished(const All& operations,
                                                           const std::vector<StoredMove>& moves) {
  std::vector<StoredMove> out;
  for (const auto& move : moves) {
    if (!move.record.finished()) out.push_back(move);
  }
  for (const auto& [id, stored] : operations) {
    const auto& record = stored.record;
    if (record.cancelled) continue;
    for (std::size_t i = record.made; i < record.moves.size(); ++i) {
      StoredMove waiting{record.moves[i].id, {}, {}};
      waiting.record.move = record.moves[i].move;
      waiting.record.operation = id;
      out.push_back(std::move(waiting));
    }
  }
  return out;
}

Result<Revision> Operations::turn(const CallContext& call) {
  QV_TRY(const auto entry, store_.get(call, keys::kMovesTurn));
  return entry ? entry->revision : Revision{0};
}

Result<bool> Operations::begin(const CallContext& call, const std::string& id,
                               const OperationRecord& record, const Beside& beside) {
  const std::string key = keys::operation(id);
  auto compares = beside.compares;
  compares.push_back({key, beside.instead_of});
  auto puts = beside.puts;
  puts.push_back({key, record.to_json().dump()});
  if (beside.turn) {
    compares.push_back({std::string(keys::kMovesTurn), *beside.turn});
    puts.push_back({std::string(keys::kMovesTurn), "{}"});
  }
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto begun, store_.txn(call, compares, puts));
    if (begun == TxnOutcome::Unknown) continue;
    if (begun == TxnOutcome::Conflict) {
      QV_TRY(const auto there, find(call, id));
      if (!there) return false;
      if (beside.instead_of != Revision{0} && there->record != record) return false;
    }
    QV_CHECK(complete(call, id));
    return true;
  }
  return contended();
}

Result<bool> Operations::extend(const CallContext& call, const std::string& id, const Stored& there,
                                const std::vector<Move>& more, Revision turn) {
  if (more.size() > kMovesMax) {
    return Error{ErrorCode::ResourceExhausted, "an operation lists at most " +
                                                   std::to_string(kMovesMax) + " moves, got " +
                                                   std::to_string(more.size()) + " at once"};
  }
  auto record = there.record;
  const auto all = record.moves.size() + more.size();
  if (all > kMovesMax) {
    const auto old = all - kMovesMax;
    if (old > record.made) return contended();
    record.moves.erase(record.moves.begin(),
                       record.moves.begin() + static_cast<std::ptrdiff_t>(old));
    record.made -= old;
    record.forgotten += old;
  }
  auto added = named(more);
  record.moves.insert(record.moves.end(), added.begin(), added.end());
  const std::string key = keys::operation(id);
  const std::string turn_key(keys::kMovesTurn);
  const std::vector<Compare> compares{{key, there.revision}, {turn_key, turn}};
  const std::vector<Put> puts{{key, record.to_json().dump()}, {turn_key, "{}"}};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    QV_TRY(const auto written, store_.txn(call, compares, puts));
    if (written == TxnOutcome::Unknown) continue;
    if (written == TxnOutcome::Conflict) {
      // An attempt before this one, whose outcome was not known, may have been the one.
      QV_TRY(const auto now, find(call, id));
      const auto mine = [&](const OperationMove& one) { return one.id == added.front().id; };
      if (!now || added.empty() ||
          std::none_of(now->record.moves.begin(), now->record.moves.end(), mine)) {
        return false;
      }
    }
    QV_CHECK(complete(call, id));
    return true;
  }
  return contended();
}

Status Operations::end_waiting(const CallContext& call, const OperationRecord& record) {
  for (const auto& one : record.moves) {
    const std::string key = keys::move(one.id);
    QV_TRY(const auto entry, store_.get(call, key));
    if (!entry) continue;
    QV_TRY(auto move, MoveRecord::parse(entry->value));
    if (move.phase != MovePhase::Planned) continue;
    end_as_cancelled(move);
    move.updated_ms = clock_.wall_ms();
    // Conflict: it has begun.
    QV_TRY(const auto unused,
           decided(store_.txn(call, {{key, entry->revision}}, {{key, move.to_json().dump()}})));
  }
  return Done{};
}

Status Operations::complete(const CallContext& call, const std::string& id) {
  const std::string key = keys::operation(id);
  for (std::size_t round = 0; round <= kMovesMax; ++round) {
    QV_TRY(auto there, find(call, id));
    if (!there || there->record.made == there->record.moves.size()) return Done{};
    auto& record = there->record;
    const std::size_t first = record.made;
    const std::size_t end = std::min(first + kMovesPerTxn, record.moves.size());
    std::vector<Put> puts;
    for (std::size_t i = first; i < end; ++i) {
      MoveRecord move;
      move.move = record.moves[i].move;
      move.to_copy = CopyId{RequestId::random().hex()};
      move.operation = id;
      move.started_ms = move.updated_ms = clock_.wall_ms();
      if (record.cancelled) end_as_cancelled(move);
      puts.push_back({keys::move(record.moves[i].id), move.to_json().dump()});
    }
    record.made = end;
    puts.push_back({key, record.to_json().dump()});
    // The operation's own record decides: of two who begin the same moves one conflicts.
    QV_TRY(const auto begun, store_.txn(call, {{key, there->revision}}, puts));
    static_cast<void>(begun);
  }
  return contended();
}

}  // namespace quiver::cluster
