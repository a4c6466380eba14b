#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/cursor.h"
#include "service/items.h"
#include "service/operation.h"
#include "service/values.h"

namespace quiver::service {

struct VectorScrollRequest {
  std::string collection;
  std::optional<Filter> filter;
  std::uint32_t limit = 20;
  std::optional<std::string> cursor;
  bool count_only = false;
  ResponseFormat response_format = ResponseFormat::Concise;
  std::optional<ReadLevel> consistency;

  static constexpr auto fields() {
    using R = VectorScrollRequest;
    return describe(field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax),
                    field("filter", &R::filter, kFilterAgainDoc),
                    field("limit", &R::limit).between(1, 200).optional(),
                    field("cursor", &R::cursor, kCursorDoc).guarded(1, kCursorBytesMax),
                    field("count_only", &R::count_only).optional(),
                    field("response_format", &R::response_format).optional(),
                    field("consistency", &R::consistency, kConsistencyDoc).unlisted());
  }
  void check(const Path& path, Problems& problems) const;
};

struct VectorScrollResponse {
  std::optional<std::uint64_t> count;
  std::optional<std::vector<Item>> items;
  std::optional<std::string> next_cursor;
  std::optional<bool> truncated;
  std::optional<std::string> advice;

  static constexpr auto fields() {
    using R = VectorScrollResponse;
    return describe(
        field("count", &R::count, "All matches; on the first page only"),
        field("items", &R::items, "In order of id; absent with count_only"),
        field("next_cursor", &R::next_cursor),
        field("truncated", &R::truncated, "Items were left to the next page to bound this reply"),
        field("advice", &R::advice, "How to see the rest"));
  }
};

/// Pages through the points of a collection, integer ids before strings.
///
/// Errors: InvalidArgument for a wrong cursor; see Collections::find, check_filter_fields().
Result<VectorScrollResponse> vector_scroll(const CallContext& call, Engine& engine,
                                           const VectorScrollRequest& request);

Operation vector_scroll_operation();

}  // namespace quiver::service
