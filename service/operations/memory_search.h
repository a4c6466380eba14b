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
#include "service/steer.h"
#include "service/values.h"

namespace quiver::service {

/// What the hits of a search may cost unless the request says otherwise.
inline constexpr std::uint32_t kSearchTokens = 8000;

struct MemorySearchRequest {
  std::string query;
  std::string collection{kDefaultCollection};
  std::uint32_t limit = 5;
  std::optional<Filter> filter;
  std::optional<double> min_score;
  ResponseFormat response_format = ResponseFormat::Concise;
  std::uint32_t max_tokens = kSearchTokens;
  bool allow_partial = false;
  std::optional<std::string> cursor;
  std::optional<ReadLevel> consistency;

  static constexpr auto fields() {
    using R = MemorySearchRequest;
    return describe(
        field("query", &R::query, "Natural-language question or phrase")
            .guarded(1, limits::kQueryBytesMax),
        field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax).optional(),
        field("limit", &R::limit).between(1, 50).optional(),
        field("filter", &R::filter, kFilterDoc),
        field("min_score", &R::min_score, "Leave out hits below"),
        field("response_format", &R::response_format, "detailed adds metadata and times")
            .optional(),
        field("max_tokens", &R::max_tokens, "Fit hits into this")
            .guarded(100, estimated_tokens(kReplyBytesMax))
            .optional(),
        field("allow_partial", &R::allow_partial, "Do without servers that are down").optional(),
        field("cursor", &R::cursor, kCursorDoc).guarded(1, kCursorBytesMax),
        field("consistency", &R::consistency, kConsistencyDoc).unlisted());
  }
};

struct MemorySearchResponse {
  std::vector<Item> hits;
  std::optional<std::string> next_cursor;
  std::optional<bool> truncated;
  std::optional<std::string> advice;
  std::optional<std::vector<MissingShard>> missing_shards;
  std::optional<std::string> embedder;

  static constexpr auto fields() {
    using R = MemorySearchResponse;
    return describe(
        field("hits", &R::hits, "Nearest first"), field("next_cursor", &R::next_cursor),
        field("truncated", &R::truncated, "Hits were left to the next page to fit max_tokens"),
        field("advice", &R::advice, "What to do about that"),
        field("missing_shards", &R::missing_shards, "Not searched; only with allow_partial"),
        field("embedder", &R::embedder));
  }
};

/// Finds the stored texts nearest in meaning. The default collection has none before the first
/// memory_store.
///
/// Errors: see Collections::find, embedder_of(), Provider::embed, search_page(),
/// check_filter_fields().
Result<MemorySearchResponse> memory_search(const CallContext& call, Engine& engine,
                                           const MemorySearchRequest& request);

Operation memory_search_operation();

}  // namespace quiver::service
