#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/migration/move_record.h"
#include "core/clock.h"

namespace quiver::cluster {

enum class OperationKind : std::uint8_t { Rebalance = 1, MoveShard = 2, RemoveNode = 3 };
std::string_view name(OperationKind kind) noexcept;

/// A move of an operation, by the id of its record.
struct OperationMove {
  std::string id;
  Move move;

  bool operator==(const OperationMove&) const = default;
};

/// What a person asked for and what takes a while, key ops/<id>.
struct OperationRecord {
  OperationKind kind = OperationKind::Rebalance;
  /// That is removed; empty for other kinds.
  NodeId node;
  /// In the order in which they were decided.
  std::vector<OperationMove> moves;
  /// So many of them, from the first on, have their records.
  std::uint64_t made = 0;
  /// Moves before these, which have ended and are listed no more.
  std::uint64_t forgotten = 0;
  /// Of the map that it was planned on; 0: it was not planned at once.
  std::uint64_t epoch = 0;
  /// Of its moves none begins any more.
  bool cancelled = false;
  std::int64_t started_ms = 0;

  bool operator==(const OperationRecord&) const = default;
  Json to_json() const;
  /// Errors: Corruption if to_json() does not make this.
  static Result<OperationRecord> from_json(const Json& json);
};

/// The operations and moves in the store.
///
/// An operation is written with all that it will move, before the first move begins: whoever finds
/// it incomplete completes it.
///
/// Threads: any. `store` and `clock` must outlive it.
class Operations {
 public:
  Operations(CoordinationStore& store, const Clock& clock) : store_(store), clock_(clock) {}

  struct Stored {
    OperationRecord record;
    Revision revision{0};
  };
  struct StoredMove {
    std::string id;
    MoveRecord record;
    Revision revision{0};
  };

  /// Most moves that an operation lists: so that its record fits into a transaction.
  static constexpr std::size_t kMovesMax = 1000;

  Result<std::optional<Stored>> find(const CallContext& call, std::string_view id);
  /// In order of id.
  using All = std::vector<std::pair<std::string, Stored>>;
  Result<All> all(const CallContext& call);
  Result<std::vector<StoredMove>> moves(const CallContext& call);
  /// What all() and then moves() gave: the moves that have not ended, those without a record yet
  /// included.
  static std::vector<StoredMove> unfinished(const All& operations,
                                            const std::vector<StoredMove>& moves);
  /// To be read in front of all that a decision to move something rests on: what begins moves with
  /// it takes effect only if nobody else has begun any since.
  Result<Revision> turn(const CallContext& call);

  /// The record of an operation that moves this.
  OperationRecord record_of(OperationKind kind, const std::vector<Move>& moves) const;
  struct Beside {
    std::vector<Compare> compares;
    std::vector<Put> puts;
    /// Of the operation of the same id that it takes the place of.
    Revision instead_of{0};
    /// turn(); absent for an operation that moves nothing yet.
    std::optional<Revision> turn = std::nullopt;
  };
  /// Writes an operation and begins its moves, along with what `beside` puts; if one is there
  /// already that it does not take the place of, nothing. False: a compare of `beside` did not
  /// hold, or others have begun moves.
  Result<bool> begin(const CallContext& call, const std::string& id, const OperationRecord& record,
                     const Beside& beside);
  /// Adds moves to an operation as it was read, and begins them. Beyond kMovesMax its oldest ones
  /// are listed no more: those that it has must have ended. False: others have changed it, or begun
  /// moves, since.
  ///
  /// Errors: ResourceExhausted for more than kMovesMax; Unavailable if it is not known whether it
  /// was changed: then so it may have been.
  Result<bool> extend(const CallContext& call, const std::string& id, const Stored& there,
                      const std::vector<Move>& more, Revision turn);
  /// Begins the moves of an operation that have not begun; of one that is cancelled, ends them.
  Status complete(const CallContext& call, const std::string& id);
  /// Ends the moves of a cancelled operation that nobody works on yet. The others go on.
  Status end_waiting(const CallContext& call, const OperationRecord& record);

 private:
  CoordinationStore& store_;
  const Clock& clock_;
};

}  // namespace quiver::cluster
