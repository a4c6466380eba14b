#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "core/call_context.h"
#include "core/collection_spec.h"
#include "core/result.h"
#include "storage/point_store.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// What a search has found, and how it was found.
struct Found {
  /// Nearest first, with all that score like the one at `wanted`, if there are so many.
  std::vector<Neighbor> near;
  /// Points of the shard.
  std::size_t live = 0;
  /// Slots from here on came after it looked.
  Slot horizon{0};
};

/// The first `wanted` by score, those of equal score by id. Ids are read only of those that tie for
/// the last places. Absent if one of these was replaced since: they must be looked for again.
///
/// Errors: DeadlineExceeded from `call`; those of the point store.
Result<std::optional<std::vector<Neighbor>>> break_ties(const PointStore::View& view,
                                                        const CallContext& call, Metric metric,
                                                        Found found, std::size_t wanted);

}  // namespace quiver::storage
