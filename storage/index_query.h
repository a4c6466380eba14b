#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "core/call_context.h"
#include "core/collection_spec.h"
#include "core/result.h"
#include "storage/distance.h"
#include "storage/vector_heap.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// Errors: InvalidArgument unless `vector` has `dim` finite components.
Status check_vector(std::span<const float> vector, std::size_t dim);

/// Errors: InvalidArgument unless the vector is as check_vector() says and k is at least 1.
Status check_query(const IndexQuery& query, std::size_t dim);

/// Vectors that may be looked at between two looks at the caller's deadline: well below a
/// millisecond of work for every dimension.
std::size_t vectors_per_check(std::size_t dim) noexcept;

/// How many of `near`, nearest first, there are up to the last that is alike the k-th.
inline std::size_t end_of_ties(Metric metric, const std::vector<Neighbor>& near, std::size_t k) {
  if (near.size() <= k) return near.size();
  std::size_t end = k;
  while (end < near.size() && alike(metric, near[end].distance, near[k - 1].distance)) ++end;
  return end;
}

/// Answers `query` by `look(k, farthest)`, which returns the k nearest of all, in order, none of
/// them farther than `farthest`. It is called again only if some tie with the k-th: few queries pay
/// for it, and the inner loop knows nothing of it.
template <typename Look>
Result<std::vector<Neighbor>> look_for_nearest(Metric metric, const IndexQuery& query, Look look) {
  if (!query.ties) return look(query.k, kAnyDistance);
  for (;;) {
    QV_TRY(std::vector<Neighbor> near, look(query.k + 1, kAnyDistance));
    if (near.size() <= query.k) return near;
    if (end_of_ties(metric, near, query.k) == query.k) {
      near.resize(query.k);
      return near;
    }
    const float farthest = farthest_alike(metric, near[query.k - 1].distance);
    QV_TRY(near, look(std::numeric_limits<std::size_t>::max(), farthest));
    // Fewer only if some were removed in between: then others, farther away, are among the k.
    if (near.size() >= query.k) return near;
  }
}

}  // namespace quiver::storage
