#pragma once

#include "cluster/coordination/store.h"
#include "cluster/migration/shard_records.h"
#include "cluster/shard_host.h"
#include "cluster/view/cluster_view.h"
#include "storage/shard_store.h"

namespace quiver::cluster {

/// Removes copies from this disk that moves left behind: what was given up and what was not
/// finished, when a crash came before the files went.
///
/// A copy goes only if a move that has ended says that it should, and the record of its shard,
/// proved to be current, does not name it. Copies that replicate are left alone: they see to it
/// themselves. `view` must not be older than the moves in the store.
///
/// Errors: those of CoordinationStore; what fails of a single copy is logged.
Status remove_strays(const CallContext& call, CoordinationStore& store, const ClusterView& view,
                     const NodeId& self, storage::ShardStore& shards, ShardHost& host);

}  // namespace quiver::cluster
