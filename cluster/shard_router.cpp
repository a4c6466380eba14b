#include "cluster/shard_router.h"

#include "core/text.h"

namespace quiver::cluster {

std::uint32_t jump_hash(std::uint64_t key, std::uint32_t buckets) noexcept {
  std::int64_t bucket = -1;
  std::int64_t candidate = 0;
  while (candidate < static_cast<std::int64_t>(buckets)) {
    bucket = candidate;
    // The generator and its constants are the paper's: they decide where points are stored.
    key = key * 2862933555777941757ULL + 1;
    const double scale =
        static_cast<double>(std::int64_t{1} << 31U) / static_cast<double>((key >> 33U) + 1);
    candidate = static_cast<std::int64_t>(static_cast<double>(bucket + 1) * scale);
  }
  return static_cast<std::uint32_t>(bucket);
}

ShardId shard_of(const PointId& id, std::uint32_t shard_count) {
  if (shard_count <= 1) return ShardId{0};
  return ShardId{jump_hash(stable_hash(id.key()), shard_count)};
}

}  // namespace quiver::cluster
