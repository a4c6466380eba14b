#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/collection.h"
#include "core/call_context.h"
#include "service/engine.h"
#include "service/items.h"

namespace quiver::service {

/// One page of a search, as memory_search and vector_search ask for it.
struct PagedSearch {
  /// Vector, filter, exact and ef; k and the projection are set here.
  cluster::Query query;
  std::size_t limit = 10;
  /// Hits below it are left out.
  std::optional<double> min_score;
  /// A point that is not a hit.
  std::optional<PointId> without;
  /// The text from the client, and what it must have been made for.
  std::optional<std::string> cursor;
  std::string cursor_bound;
  ItemParts parts;
  std::size_t max_tokens = estimated_tokens(kReplyBytes);
};

struct SearchPage {
  std::vector<Item> hits;
  std::optional<std::string> next_cursor;
  /// What to do where fewer than `limit` hits are here because they would not fit max_tokens.
  std::optional<std::string> advice;
  /// Shards that did not answer; empty unless Query::allow_partial.
  std::vector<cluster::MissingShard> missing;
};

/// A shard that an answer lacks, as replies show it.
struct MissingShard {
  std::uint32_t shard = 0;
  std::string reason;

  static constexpr auto fields() {
    return describe(field("shard", &MissingShard::shard),
                    field("reason", &MissingShard::reason, "Which server did not answer"));
  }
};
/// Absent if nothing is missing.
std::optional<std::vector<MissingShard>> shown(std::vector<cluster::MissingShard> missing);

/// Errors: those of Collection::search; InvalidArgument for a wrong cursor, or one behind
/// limits::kSearchHitsMax hits.
Result<SearchPage> search_page(const CallContext& call, cluster::Collection& collection,
                               PagedSearch search);

}  // namespace quiver::service
