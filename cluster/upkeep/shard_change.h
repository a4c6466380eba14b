#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/view/records.h"
#include "core/ids.h"

namespace quiver::cluster {

/// Names a shard of the cluster.
struct ShardName {
  std::string collection_id;
  ShardId shard{0};

  auto operator<=>(const ShardName&) const = default;
};

/// One thing that is done about a shard by whoever looks after the cluster. Another follows when it
/// shows in the shard's record, or did not succeed.
struct ShardChange {
  enum class Kind : std::uint8_t {
    /// Another primary, in place of one that seems gone.
    Promote = 1,
    /// One more copy, which the primary fills.
    Add = 2,
    /// A copy that is not in sync goes.
    Drop = 3,
    /// The primary is asked to give its role to `copy`.
    AskHandOff = 4,
    /// The primary is asked to take `copy`, which may be in sync, out of the record.
    AskDrop = 5,
  };

  /// By name, for people.
  std::string collection;
  ShardName shard;
  Kind kind = Kind::Promote;
  CopyId copy;
  /// Where `copy` is, or will be.
  NodeId node;
  /// The record that this was decided on.
  ShardState from;
  /// What it becomes, written only while it is `from`; absent where the primary is asked.
  std::optional<ShardState> to;
  /// For people.
  std::string why;
};
std::string_view name(ShardChange::Kind kind) noexcept;

}  // namespace quiver::cluster
