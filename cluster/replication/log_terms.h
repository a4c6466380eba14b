#pragma once

#include "cluster/replication/history.h"
#include "core/result.h"
#include "storage/shard.h"

namespace quiver::cluster::replication {

/// In which term each entry of a copy's log was written: what the log holds tells itself, what lies
/// before it is in `stored`.
///
/// Errors: Corruption if the two contradict each other, or `stored` does not reach back far enough;
/// those of the log.
Result<History> history_of(const storage::Shard& shard, const storage::ReplicaState& stored);

/// The same for a copy that was always the only one: there was no change of primary before what its
/// log holds.
///
/// Errors: Corruption if that cannot be; those of the log.
Result<History> history_of_lone_copy(const storage::Shard& shard);

}  // namespace quiver::cluster::replication
