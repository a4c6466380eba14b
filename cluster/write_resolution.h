#pragma once

#include <vector>

#include "core/mutation.h"
#include "storage/shard.h"

/// What becomes of a client's request at the owner of a shard, before it is logged.
namespace quiver::cluster {

/// Null unless the request is one.
const UpdatePayload* update_of(const WriteRequest& request);

/// Whether every point can hold what the update makes of its payload. Errors: InvalidArgument
/// naming the point; those of Shard::get().
Status check_update(const storage::Shard& shard, const UpdatePayload& update);

/// Whether what is stored is as expected.
Result<bool> holds(const storage::Shard& shard, const std::vector<Expectation>& expected);

/// The points that match, in mutations that each fit a log entry. At least one, which may be empty.
Result<std::vector<ErasePoints>> erasures(const storage::Shard& shard, const Filter& filter);

/// Ids of the points that a mutation changes, if they are there.
std::vector<PointId> ids_of(const Mutation& mutation);

}  // namespace quiver::cluster
