#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/ids.h"
#include "core/mutation.h"

namespace quiver {

/// Into which points are sorted by their ids, so that what is written between two looks at a shard
/// leaves most sums comparable.
inline constexpr std::size_t kContentBuckets = 4096;

using ContentBuckets = std::bitset<kContentBuckets>;

/// What a shard's disk holds in one moment, in figures that two copies can compare. Equal points
/// give equal sums on every machine and in every order; how often a point was written does not
/// count.
struct ContentSums {
  /// The last log entry whose effect is in it.
  LogPosition applied;
  /// Expired ones that are not erased yet included.
  std::uint64_t points = 0;
  /// kContentBuckets; each the sum, modulo 2^64, of content_hash() of its points.
  std::vector<std::uint64_t> buckets;

  bool operator==(const ContentSums&) const = default;
};

/// Of all that is stored of a point. Wants vector, text and payload.
std::uint64_t content_hash(const Point& point);
std::size_t content_bucket(const PointId& id);
/// Adds the buckets of the points that `mutation` may change.
void add_touched(const Mutation& mutation, ContentBuckets& buckets);

}  // namespace quiver
