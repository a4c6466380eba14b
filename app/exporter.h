#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/call_context.h"
#include "service/executor.h"

namespace quiver::app {

struct ExportCounts {
  std::uint64_t points = 0;
  /// Of these, points that expire: JSONL has no word for that.
  std::uint64_t expiring = 0;
};

/// Gives every point of a collection to `write`, as one line of JSONL that import_files() reads:
/// id, text, metadata and, if `vectors`, vector. Points written meanwhile may or may not be in it.
///
/// Errors: NotFound for the collection; FailedPrecondition for a point without text if vectors are
/// not wanted, for then its line would be of no use; those of `write`.
Result<ExportCounts> export_points(service::Executor& executor, const CallContext& call,
                                   const std::string& collection, bool vectors,
                                   const std::function<Status(std::string_view line)>& write);

}  // namespace quiver::app
