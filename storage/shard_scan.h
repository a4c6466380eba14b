#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "core/call_context.h"
#include "core/result.h"
#include "storage/shard.h"
#include "storage/shard_state.h"

namespace quiver::storage {

/// Those of `ids` that exist and have not expired, in the order asked.
Result<std::vector<Point>> get_points(ShardState& state, std::span<const PointId> ids,
                                      const Projection& projection);

/// As Shard::scroll().
Result<std::vector<Point>> scroll_points(ShardState& state, const CallContext& call,
                                         const ScrollQuery& query);

/// As Shard::count().
Result<std::uint64_t> count_points(ShardState& state, const CallContext& call,
                                   const std::optional<Filter>& filter);

}  // namespace quiver::storage
