#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quiver::cluster {

/// Which of its servers is the primary of a shard; servers by number.
struct ShardRole {
  std::size_t collection = 0;
  std::size_t primary = 0;
  /// Those that could be it instead. Empty: it stays.
  std::vector<std::size_t> others;
};

/// Changes primaries, as few as lead there, until no server has more than one primary more than
/// another, relative to `shares`, that the role could be passed to, be it over third servers.
/// Where there is a choice, the primaries of each collection spread, too.
void balance_roles(std::vector<ShardRole>& shards, const std::vector<double>& shares);

}  // namespace quiver::cluster
