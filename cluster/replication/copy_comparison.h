#pragma once

#include <cstddef>

#include "core/content_sums.h"

namespace quiver::cluster::replication {

/// What the sums of two copies of a shard tell.
struct Comparison {
  /// Where the copies hold other points, and should not.
  ContentBuckets differing;
  /// Buckets that were compared: in which nothing was written between the two looks.
  std::size_t compared = 0;
};

/// `touched`: the buckets of all points that were written between the two looks.
Comparison compare(const ContentSums& one, const ContentSums& other, const ContentBuckets& touched);

}  // namespace quiver::cluster::replication
