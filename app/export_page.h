#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/operation.h"
#include "service/values.h"

namespace quiver::app {

/// Points whole, as a backup needs them and a model never does: so it is no tool.
struct ExportPageRequest {
  std::string collection;
  std::optional<PointId> after;
  std::optional<std::vector<PointId>> ids;
  bool vectors = false;

  static constexpr auto fields() {
    using service::field;
    using R = ExportPageRequest;
    return service::describe(
        field("collection", &R::collection).between(1, limits::kCollectionNameBytesMax),
        field("after", &R::after, "Go on behind this id"),
        field("ids", &R::ids, "These instead of a page").between(1, limits::kBatchPointsMax),
        field("vectors", &R::vectors).optional());
  }
};

struct ExportedPoint {
  PointId id;
  std::optional<std::string> text;
  std::optional<service::Metadata> metadata;
  std::optional<service::VectorValue> vector;

  static constexpr auto fields() {
    using service::field;
    using R = ExportedPoint;
    return service::describe(field("id", &R::id), field("text", &R::text),
                             field("metadata", &R::metadata), field("vector", &R::vector));
  }
};

struct ExportPageResponse {
  std::vector<ExportedPoint> points;
  /// Points of the page that expire at some time.
  std::uint64_t expiring = 0;
  std::optional<PointId> next;
  std::optional<std::vector<PointId>> not_returned;

  static constexpr auto fields() {
    using service::field;
    using R = ExportPageResponse;
    return service::describe(
        field("points", &R::points, "In order of id"), field("expiring", &R::expiring),
        field("next", &R::next, "Absent on the last page"),
        field("not_returned", &R::not_returned, "Ids that were not looked at: ask for them again"));
  }
};

/// The next points of a collection, or those of some ids that there are: some megabytes of them.
/// Errors: see Collections::find.
Result<ExportPageResponse> export_page(const CallContext& call, service::Engine& engine,
                                       const ExportPageRequest& request);

/// For the executor of a node; not part of the catalogue that surfaces show.
service::Operation export_page_operation();

}  // namespace quiver::app
