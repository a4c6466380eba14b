#pragma once

#include <vector>

#include "core/call_context.h"
#include "core/result.h"
#include "storage/shard.h"
#include "storage/shard_state.h"

namespace quiver::storage {

/// The nearest points of a shard; as Shard::search(). Takes its turn with the writer without ever
/// waiting for it.
///
/// A point that exists all the while is found, though its slot may change under way: what was
/// written during the search is looked at as well, and when a winner turns out to be replaced the
/// search begins again.
Result<std::vector<ScoredPoint>> search_points(ShardState& state, const CallContext& call,
                                               const ShardQuery& query);

}  // namespace quiver::storage
