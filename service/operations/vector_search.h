#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/cursor.h"
#include "service/items.h"
#include "service/operation.h"
#include "service/search_page.h"
#include "service/values.h"

namespace quiver::service {

struct VectorSearchRequest {
  std::string collection;
  std::optional<VectorValue> vector;
  std::optional<PointId> like_id;
  std::uint32_t limit = 10;
  std::optional<Filter> filter;
  bool exact = false;
  std::optional<std::uint32_t> ef;
  bool include_vector = false;
  ResponseFormat response_format = ResponseFormat::Concise;
  bool allow_partial = false;
  std::optional<std::string> cursor;
  std::optional<ReadLevel> consistency;

  static constexpr auto fields() {
    using R = VectorSearchRequest;
    return describe(
        field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax),
        field("vector", &R::vector, "Or base64 of little-endian float32"),
        field("like_id", &R::like_id), field("limit", &R::limit).between(1, 200).optional(),
        field("filter", &R::filter, kFilterAgainDoc), field("exact", &R::exact).optional(),
        field("ef", &R::ef, "Graph candidates: more find more, slower").between(1, 4096),
        field("include_vector", &R::include_vector).optional(),
        field("response_format", &R::response_format).optional(),
        field("allow_partial", &R::allow_partial, "Do without servers that are down").optional(),
        field("cursor", &R::cursor, kCursorDoc).guarded(1, kCursorBytesMax),
        field("consistency", &R::consistency, kConsistencyDoc).unlisted());
  }
  void check(const Path& path, Problems& problems) const;
};

struct VectorSearchResponse {
  std::vector<Item> hits;
  std::optional<std::string> next_cursor;
  std::optional<bool> truncated;
  std::optional<std::string> advice;
  std::optional<std::vector<MissingShard>> missing_shards;

  static constexpr auto fields() {
    using R = VectorSearchResponse;
    return describe(
        field("hits", &R::hits, "Nearest first"), field("next_cursor", &R::next_cursor),
        field("truncated", &R::truncated, "Hits were left to the next page to bound this reply"),
        field("advice", &R::advice, "What to do about that"),
        field("missing_shards", &R::missing_shards, "Not searched; only with allow_partial"));
  }
};

/// Finds the points nearest to a vector, or to a point, which is then itself no hit.
///
/// Errors: NotFound for a like_id that is not there; InvalidArgument for another dimension; see
/// Collections::find, search_page(), check_filter_fields().
Result<VectorSearchResponse> vector_search(const CallContext& call, Engine& engine,
                                           const VectorSearchRequest& request);

Operation vector_search_operation();

}  // namespace quiver::service
