#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/view/records.h"
#include "core/ids.h"
#include "core/json.h"
#include "core/result.h"

namespace quiver::cluster {

/// In the order of urgency, which is the order in a plan.
enum class MoveReason : std::uint8_t {
  /// The shard has too few copies, or the server of this one is lost.
  Refill = 1,
  /// The server gives its copies away.
  Drain = 2,
  /// Copies of one shard would fail together.
  Spread = 3,
  /// The server holds more than its share.
  Balance = 4,
  /// A person asked for it.
  Manual = 5,
};
std::string_view name(MoveReason reason) noexcept;

/// A copy is made at `to`, from any copy in sync; then `copy` at `from` is given up.
struct Move {
  std::string collection;
  std::string collection_id;
  ShardId shard{0};
  /// Absent, as is `from`: nothing is given up, the shard has too few copies. The server may be
  /// lost: then only the record of its copy is given up.
  std::optional<CopyId> copy;
  std::optional<NodeId> from;
  NodeId to;
  MoveReason reason = MoveReason::Balance;

  bool operator==(const Move&) const = default;
  Json to_json() const;
  static Result<Move> from_json(const Json& json);
};

/// The primary of a shard changes from one server to another that holds a copy in sync: no data
/// moves. Valid once the moves of the plan are carried out.
struct RoleSwap {
  std::string collection;
  std::string collection_id;
  ShardId shard{0};
  NodeId from;
  NodeId to;

  bool operator==(const RoleSwap&) const = default;
  Json to_json() const;
  static Result<RoleSwap> from_json(const Json& json);
};

/// A shard that is not as it should be, and that this plan does not help.
struct Unresolved {
  std::string collection;
  ShardId shard{0};
  /// For people.
  std::string why;

  bool operator==(const Unresolved&) const = default;
  Json to_json() const;
  static Result<Unresolved> from_json(const Json& json);
};

/// What to do about a map of shards. Carried out in order, each move leaves every shard without two
/// copies on one server.
struct Plan {
  /// Of the view that it was made from.
  std::uint64_t epoch = 0;
  std::vector<Move> moves;
  std::vector<RoleSwap> role_swaps;
  std::vector<Unresolved> unresolved;
  /// Moves beyond the most that were asked for.
  std::uint64_t moves_left_out = 0;

  /// Nothing to do; there may be shards that nothing can be done about.
  bool empty() const noexcept { return moves.empty() && role_swaps.empty(); }
  /// 16 hexadecimal digits: a hash of the epoch, the moves and the swaps. A plan made again has the
  /// same id exactly if neither the map nor what to do about it has changed.
  std::string plan_id() const;

  bool operator==(const Plan&) const = default;
  /// With the plan_id, for people and for the store.
  Json to_json() const;
  /// Errors: Corruption if to_json() does not make this, the plan_id included.
  static Result<Plan> from_json(const Json& json);
};

}  // namespace quiver::cluster
