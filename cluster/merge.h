#pragma once

#include <cstddef>
#include <vector>

#include "core/point.h"

namespace quiver::cluster {

/// The `k` nearest of the shards' answers, nearest first; equal scores in order of id. So the
/// answer to a smaller `k` is the beginning of that to a larger one.
std::vector<ScoredPoint> merge_hits(std::vector<std::vector<ScoredPoint>> answers, std::size_t k);

/// The `limit` first points of the shards' pages, in order of id.
std::vector<Point> merge_pages(std::vector<std::vector<Point>> pages, std::size_t limit);

}  // namespace quiver::cluster
