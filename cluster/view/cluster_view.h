#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/view/records.h"
#include "core/collection_spec.h"

namespace quiver::cluster {

/// A server as seen in one moment.
struct NodeView {
  NodeRecord record;
  /// Absent: it has no lease, so it is down for all that this server knows.
  std::optional<AliveRecord> alive;

  bool operator==(const NodeView&) const = default;
};

/// A collection and who holds its shards.
struct CollectionView {
  CollectionSpec spec;
  /// By number of the shard; spec.shard_count of them.
  std::vector<ShardState> shards;

  bool operator==(const CollectionView&) const = default;
};

/// Whether each shard of it has several copies, which replicate; else one, which moves.
inline bool has_several_copies(const CollectionView& collection) noexcept {
  return collection.spec.replication_factor > 1;
}

/// The cluster in one moment, as this server last read it: immutable, and possibly outdated. A
/// request works with one from beginning to end.
struct ClusterView {
  /// Rises with every change of the map: of servers, collections or shards, but not of who is
  /// alive. Equal on two servers: they see the same map.
  std::uint64_t epoch = 0;
  std::map<NodeId, NodeView> nodes;
  SlotList slots;
  /// By name.
  std::map<std::string, std::shared_ptr<const CollectionView>, std::less<>> collections;
  /// The same by CollectionSpec::id.
  std::map<std::string, std::shared_ptr<const CollectionView>, std::less<>> collections_by_id;
  /// By id of the collection.
  std::map<std::string, DroppingRecord> dropping;

  const NodeView* find_node(const NodeId& id) const noexcept;
  const CollectionView* find_collection(std::string_view name) const noexcept;
  /// By CollectionSpec::id; null if there is none, or it was deleted.
  const CollectionView* collection_of(std::string_view id) const noexcept;
};

}  // namespace quiver::cluster
