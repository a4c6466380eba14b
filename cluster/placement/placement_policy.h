#pragma once

#include <vector>

#include "cluster/placement/layout.h"
#include "cluster/view/cluster_view.h"
#include "core/collection_spec.h"
#include "core/result.h"

namespace quiver::cluster {

/// By number of the shard: the servers of its copies, all different, the first the primary.
using Placement = std::vector<std::vector<NodeId>>;

/// Decides where the copies of a new collection go. `view` need not have it; what the others hold
/// is taken into account.
///
/// The copies spread over the active servers by weight: each server gets its share rounded down or
/// up, and it is those with least in comparison to their share of all collections that get one
/// more, so that many collections of one shard spread, too. Within these numbers jump hash decides.
/// A server that is down gets copies only where the others are too few for the copies of a shard,
/// and is then never the primary. Copies of a shard are in different zones if there are as many
/// zones as copies; with fewer zones none has more copies of a shard than it must. Primaries are
/// balanced over all collections.
///
/// Pure: the same arguments give the same answer on every server.
/// Errors: InvalidArgument if `spec` is not valid; FailedPrecondition if there are fewer active
/// servers than copies of a shard; Unavailable if none of them can be reached.
Result<Placement> place(const ClusterView& view, const CollectionSpec& spec,
                        const Liveness& liveness);

}  // namespace quiver::cluster
