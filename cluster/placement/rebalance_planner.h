#pragma once

#include <cstddef>
#include <limits>

#include "cluster/placement/layout.h"
#include "cluster/placement/plan.h"
#include "cluster/view/cluster_view.h"
#include "core/result.h"

namespace quiver::cluster {

struct PlanOptions {
  /// The most urgent moves are kept.
  std::size_t moves_max = std::numeric_limits<std::size_t>::max();
};

/// Decides what to move so that every shard has its copies and every server its share.
///
/// What is stored stays, but for as few moves as make it right: missing and lost copies are made
/// anew, draining servers emptied, copies that would fail together parted; then copies move until
/// no two servers differ by more than one copy, relative to their shares. Shares go by weight, over
/// all collections; of the copies that could move, those go that even out their own collection,
/// then those whose first choice by jump hash the receiver is. Then primaries change, without
/// moving data, until they differ by no more than one, too.
///
/// Shards that have more copies than they want are on the move and are left alone; so are those
/// without a copy in reach that has all writes. Plan::unresolved names them.
///
/// Pure: the same arguments give the same plan on every server. A plan that is carried out and then
/// made again is empty.
/// Errors: FailedPrecondition if a draining server has copies and too few active servers would be
/// left for them.
Result<Plan> plan_rebalance(const ClusterView& view, const Liveness& liveness,
                            const PlanOptions& options = {});

}  // namespace quiver::cluster
