#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/ids.h"

namespace quiver::cluster {

/// Jump consistent hash: which of `buckets` (at least 1) a key belongs to. From n to n + 1 buckets
/// only about 1/(n + 1) of the keys move, all of them to the new bucket.
/// Source: Lamping & Veach 2014, arXiv 1406.2294.
std::uint32_t jump_hash(std::uint64_t key, std::uint32_t buckets) noexcept;

/// The shard that a point belongs to. Fixed for ever: changing it would orphan stored points.
ShardId shard_of(const PointId& id, std::uint32_t shard_count);

}  // namespace quiver::cluster
