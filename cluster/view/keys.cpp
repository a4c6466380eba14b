#include "cluster/view/keys.h"

#include <charconv>
#include <system_error>

namespace quiver::cluster::keys {

std::optional<ShardKey> parse_shard(std::string_view key) {
  if (!key.starts_with(kShards)) return std::nullopt;
  const auto rest = key.substr(kShards.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  std::uint32_t number = 0;
  const auto read = std::from_chars(rest.data() + slash + 1, rest.data() + rest.size(), number);
  ShardKey out{std::string(rest.substr(0, slash)), ShardId{number}};
  if (read.ec != std::errc() || shard(out.collection, out.number) != key) return std::nullopt;
  return out;
}

}  // namespace quiver::cluster::keys
