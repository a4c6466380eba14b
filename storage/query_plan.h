#pragma once

#include <cstddef>
#include <optional>

namespace quiver::storage {

/// What is known before a search begins.
struct QueryShape {
  /// Points of the shard.
  std::size_t live = 0;
  /// Slots that may match the filter; absent without a filter.
  std::optional<std::size_t> matches;
  /// Whether `matches` counts matches, or candidates that are still to be checked.
  bool matches_exact = true;
  std::size_t k = 10;
  /// As the caller or the node's options say.
  std::size_t ef = 128;
  /// The caller wants every vector looked at.
  bool exact = false;
  /// Options::exact_search_points.
  std::size_t exact_search_points = 4000;
};

enum class Access {
  /// Nothing can match.
  Nothing,
  /// Looks at the vector of every candidate.
  Scan,
  /// Walks the graph, and returns candidates only.
  Graph,
};

struct QueryPlan {
  Access access = Access::Nothing;
  /// Neighbours to ask for: more than k if some will be checked and dropped.
  std::size_t fetch = 0;
  /// Candidates to keep on a walk.
  std::size_t ef = 0;
};

/// Decides how to search. Pure.
QueryPlan plan_query(const QueryShape& shape);

/// Whether looking at the vectors of all `candidates` costs less than a walk that keeps `ef` of
/// them, among `live` points. Pure.
bool scan_is_cheaper(std::size_t candidates, std::size_t live, std::size_t ef);

/// Whether a page of `limit` points in order of id is found sooner by looking up all `matches`
/// than by walking through the points until enough match. Pure.
bool scroll_by_slots(std::size_t live, std::size_t matches, std::size_t limit);

}  // namespace quiver::storage
