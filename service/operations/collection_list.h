#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "service/cursor.h"
#include "service/operation.h"

namespace quiver::service {

struct CollectionListRequest {
  std::uint32_t limit = 50;
  std::optional<std::string> cursor;

  static constexpr auto fields() {
    using R = CollectionListRequest;
    return describe(field("limit", &R::limit).between(1, 500).optional(),
                    field("cursor", &R::cursor, kCursorDoc).guarded(1, kCursorBytesMax));
  }
};

struct CollectionSummary {
  std::string name;
  std::optional<std::string> description;
  std::optional<bool> description_truncated;
  std::optional<std::uint64_t> count;
  std::uint32_t dimension = 0;
  std::optional<std::string> embedder;
  std::optional<std::string> problem;

  static constexpr auto fields() {
    using R = CollectionSummary;
    return describe(
        field("name", &R::name), field("description", &R::description),
        field("description_truncated", &R::description_truncated, "collection_info has the rest"),
        field("count", &R::count, "Points stored"), field("dimension", &R::dimension),
        field("embedder", &R::embedder, "Absent: holds ready-made vectors"),
        field("problem", &R::problem, "Why it cannot be counted now"));
  }
};

struct CollectionListResponse {
  std::vector<CollectionSummary> collections;
  std::optional<std::string> next_cursor;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = CollectionListResponse;
    return describe(field("collections", &R::collections, "In order of name"),
                    field("next_cursor", &R::next_cursor),
                    field("advice", &R::advice, "How to see the rest"));
  }
};

/// Lists the collections. One that cannot be read just now is listed with its problem.
///
/// Errors: see Collections::list; InvalidArgument for a wrong cursor.
Result<CollectionListResponse> collection_list(const CallContext& call, Engine& engine,
                                               const CollectionListRequest& request);

Operation collection_list_operation();

}  // namespace quiver::service
