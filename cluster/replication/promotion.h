#pragma once

#include <optional>
#include <span>

#include "cluster/view/records.h"
#include "core/mutation.h"

/// Changes of a shard's record that its primary does not make: those of whoever looks after the
/// cluster. Each is written only if the record is still the one it was made from.
namespace quiver::cluster::replication {

/// What a copy answered when it was asked how far its log goes.
struct CopyReport {
  CopyId copy;
  LogPosition last;
};

/// The record with another primary in a new term, for a primary that seems gone: the copy in sync
/// with the longest log among those that answered. The old primary leaves the in-sync set. That it
/// is not gone at all does no harm.
///
/// Nothing if no copy in sync but the primary answered: what was acknowledged may be nowhere else.
std::optional<ShardState> promote(const ShardState& record, std::span<const CopyReport> reports);

/// The record with `copy` as its only copy in sync, whatever it holds: acknowledged writes may be
/// lost. For people to decide, when no copy in sync will come back. Nothing if the record does not
/// name the copy.
std::optional<ShardState> force_promote(const ShardState& record, const CopyId& copy);

/// The record with one more copy, which the primary fills and takes into the in-sync set. Nothing
/// if it is there.
std::optional<ShardState> add_copy(const ShardState& record, const CopyId& copy,
                                   const NodeId& node);

/// The record without a copy that is not in sync. Nothing for any other: only the primary may take
/// a copy out of the in-sync set.
std::optional<ShardState> drop_copy(const ShardState& record, const CopyId& copy);

}  // namespace quiver::cluster::replication
