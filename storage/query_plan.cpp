#include "storage/query_plan.h"

#include <algorithm>

namespace quiver::storage {
namespace {

/// A step of a walk costs as much as that many vectors of a scan: it jumps through memory and
/// looks at neighbours in vain. Measured with 768 dimensions: at ef 128 and 340,000 points a scan
/// of a tenth of them takes as long as the filtered walk.
constexpr std::size_t kWalkCost = 27;
/// Looking up a slot, and its point, against a step from one point to the next.
constexpr std::size_t kLookupCost = 4;

}  // namespace

QueryPlan plan_query(const QueryShape& shape) {
  const std::size_t candidates = shape.matches.value_or(shape.live);
  if (candidates == 0 || shape.k == 0) return {};
  QueryPlan plan;
  plan.fetch = std::min(shape.matches_exact ? shape.k : 2 * shape.k, candidates);
  plan.ef = std::max(shape.ef, plan.fetch);
  const bool scan = shape.exact || candidates <= shape.exact_search_points ||
                    scan_is_cheaper(candidates, shape.live, plan.ef);
  plan.access = scan ? Access::Scan : Access::Graph;
  return plan;
}

bool scan_is_cheaper(std::size_t candidates, std::size_t live, std::size_t ef) {
  // A walk under a filter meets candidates / live useful points at each step.
  const double scan = static_cast<double>(candidates);
  const double useful = scan / static_cast<double>(std::max(live, candidates));
  return scan <= static_cast<double>(kWalkCost * ef) / useful;
}

bool scroll_by_slots(std::size_t live, std::size_t matches, std::size_t limit) {
  if (matches == 0) return true;
  const double steps =
      std::min(static_cast<double>(live), static_cast<double>(limit) * static_cast<double>(live) /
                                              static_cast<double>(matches));
  return static_cast<double>(matches * kLookupCost) < steps;
}

}  // namespace quiver::storage
