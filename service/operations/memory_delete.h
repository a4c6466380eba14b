#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/operation.h"
#include "service/steer.h"
#include "service/values.h"

namespace quiver::service {

struct MemoryDeleteRequest {
  std::optional<std::vector<PointId>> ids;
  std::optional<Filter> filter;
  std::string collection{kDefaultCollection};
  std::optional<bool> dry_run;

  static constexpr auto fields() {
    using R = MemoryDeleteRequest;
    return describe(
        field("ids", &R::ids).between(1, limits::kBatchPointsMax),
        field("filter", &R::filter, kFilterAgainDoc),
        field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax).optional(),
        field("dry_run", &R::dry_run));
  }
  void check(const Path& path, Problems& problems) const;
};

struct MemoryDeleteResponse {
  std::uint64_t deleted = 0;
  std::uint64_t matched = 0;
  std::optional<bool> dry_run;

  static constexpr auto fields() {
    using R = MemoryDeleteResponse;
    return describe(
        field("deleted", &R::deleted),
        field("matched", &R::matched, "Points that were asked for and are there"),
        field("dry_run", &R::dry_run, "Nothing was deleted; repeat with dry_run=false"));
  }
};

/// Deletes by ids, or by filter; the latter only counts unless dry_run is false.
///
/// Errors: see Collections::find, check_filter_fields(), Collection::erase.
Result<MemoryDeleteResponse> memory_delete(const CallContext& call, Engine& engine,
                                           const MemoryDeleteRequest& request);

Operation memory_delete_operation();

}  // namespace quiver::service
