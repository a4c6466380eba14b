#pragma once

#include <string>

#include "cluster/admin/cluster_admin.h"
#include "cluster/placement/layout.h"

/// What a view says to people. Pure.
namespace quiver::cluster {

/// Copies of shards that a server has, and those of them that are primaries.
struct Held {
  std::uint64_t copies = 0;
  std::uint64_t primaries = 0;
};
Held held_by(const ClusterView& view, const NodeId& node);

/// The server of that id or label, or for an empty one all that are not removed, without what they
/// say of themselves. Errors: those of node_named().
Result<NodeList> list_of(const ClusterView& view, const Liveness& liveness,
                         const std::string& wanted);
/// Errors: NotFound naming the collections there are; those of node_named().
Result<ShardDistribution> shards_of(const ClusterView& view, const Liveness& liveness,
                                    const ShardScope& scope);
/// The server of that id or label that is not removed. Errors: NotFound naming those there are.
Result<NodeRecord> node_named(const ClusterView& view, const std::string& wanted);

}  // namespace quiver::cluster
