#pragma once

#include <cstddef>
#include <functional>

#include "core/call_context.h"
#include "core/content_sums.h"
#include "storage/point_store.h"

namespace quiver::storage {

/// Reads every point that `view` has. `read` hears of each few hundred how many bytes they took,
/// and may wait; its error ends the work.
///
/// Errors: those of `call` and `read`; Corruption for a point without payload or vector, or that
/// cannot be read; Unavailable for an I/O error.
Result<ContentSums> sum_content(const CallContext& call, const PointStore::View& view,
                                const std::function<Status(std::size_t bytes)>& read);

}  // namespace quiver::storage
