#pragma once

#include <string_view>

#include "cluster/placement/layout.h"
#include "cluster/placement/plan.h"
#include "cluster/view/cluster_view.h"
#include "core/result.h"

namespace quiver::cluster {

/// A move that a person asks for, after checking that it can be carried out and breaks no rule but
/// balance.
/// Errors: NotFound if there is no such collection, shard, node, or no copy at `from`;
/// InvalidArgument if `to` has a copy already or its zone has as many as it may;
/// FailedPrecondition if `to` is not active, or the shard is on the move; Unavailable if `to`, or
/// every copy with all writes, is out of reach.
Result<Move> plan_move(const ClusterView& view, const Liveness& liveness,
                       std::string_view collection, ShardId shard, const NodeId& from,
                       const NodeId& to);

}  // namespace quiver::cluster
